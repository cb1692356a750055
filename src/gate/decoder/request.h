// The first bytes on the decoder's standard input: what is wanted, within which limits. The packed
// output follows, until the end of the stream.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace cce::gate {

enum class DecodeMode : uint8_t {
  kViews = 1,  // everything that can be read, at every depth
  kList = 2,   // the outermost tar's files with their digests
};

struct DecodeRequest {
  DecodeMode mode = DecodeMode::kViews;
  uint32_t max_depth = 0;
  uint32_t max_ratio = 0;
  uint64_t max_total = 0;
  uint32_t max_views = 0;  // or files listed
  uint64_t max_memory = 0;
  uint32_t max_cpu_seconds = 0;
};
constexpr size_t kDecodeRequestSize = 6 + 1 + 4 + 4 + 8 + 4 + 8 + 4;

Bytes EncodeDecodeRequest(const DecodeRequest& request);
Result<DecodeRequest> ParseDecodeRequest(ByteView bytes);

}  // namespace cce::gate
