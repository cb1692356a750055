#include "dataset/format.h"

namespace cce::dataset {

crypto::StreamContext ContextOf(std::string_view label, const DatasetId& dataset, uint32_t epoch) {
  Bytes epoch_bytes;
  AppendU32(epoch_bytes, epoch);
  return {.label = label, .fields = {ToBytes(ByteView(dataset)), std::move(epoch_bytes)}};
}

uint64_t PaddedSize(uint64_t size) {
  uint64_t granule = uint64_t{64} << 10;
  while (granule < size / 256) granule *= 2;
  const uint64_t granules = (size + granule - 1) / granule;
  return (granules == 0 ? 1 : granules) * granule;
}

}  // namespace cce::dataset
