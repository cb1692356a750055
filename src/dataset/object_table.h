// The content objects of one snapshot, opened when first needed and closed again when too many are
// open.
#pragma once

#include <atomic>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "dataset/snapshot_reader.h"

namespace cce::dataset {

struct OpenObject {
  std::shared_ptr<const crypto::StreamOpener> opener;
  std::unique_ptr<ObjectReader> reader;
  mutable std::atomic<uint64_t> used = 0;     // the table's clock at the last Get
  mutable std::atomic<bool> fetched = false;  // from a distant store, since it was opened
};

// Thread-safe, but Prefetch, which comes before the first Get.
class ObjectTable {
 public:
  // Derives the objects' keys now where they are few enough and then forgets the DEKs.
  // dataset.wrong_key, dataset.bad_index.
  static Result<std::unique_ptr<ObjectTable>> New(CiphertextStore& store, const Index& index,
                                                  const DatasetId& dataset, EpochKeys keys,
                                                  size_t max_open);

  // dataset.missing_object, dataset.corrupt (size or header differ from the index),
  // dataset.not_prefetched.
  Result<std::shared_ptr<const OpenObject>> Get(uint32_t object) const;
  // The chunks are bound to the index's header; this tells a replaced object from a damaged chunk.
  // Of a distant object it is for whoever reads its begin: a read of that alone would cost as much
  // as one of some mebibytes, which JuiceFS reads ahead there. dataset.corrupt.
  Result<> CheckHeader(uint32_t object, ByteView header) const;
  // Opens anew, apart from the table, whatever was prefetched.
  Result<std::shared_ptr<const OpenObject>> OpenFromStore(uint32_t object) const;
  Result<> Prefetch(const std::vector<uint32_t>& objects);

 private:
  ObjectTable(CiphertextStore& store, const Index& index, const DatasetId& dataset, EpochKeys keys,
              size_t max_open);
  Result<std::shared_ptr<const crypto::StreamOpener>> OpenerFor(uint32_t object) const;
  void Keep(uint32_t object, std::shared_ptr<const OpenObject> open) const;

  CiphertextStore& store_;
  const std::vector<IndexObject>& rows_;
  DatasetId dataset_;
  EpochKeys keys_;
  size_t max_open_;
  bool prefetched_ = false;
  std::vector<std::shared_ptr<const crypto::StreamOpener>> openers_;  // empty: derived on demand
  mutable std::atomic<uint64_t> clock_ = 0;
  mutable std::shared_mutex mutex_;
  mutable std::vector<std::shared_ptr<const OpenObject>> open_;
  mutable std::vector<uint32_t> held_;  // those of open_ that are, in no order
};

}  // namespace cce::dataset
