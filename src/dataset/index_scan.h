// A snapshot's index read piece by piece: its files in turn, or by number, without loading it. For
// cced, whose memory must not grow with a snapshot. Readers of data use Index.
#pragma once

#include <memory>

#include "base/secret.h"
#include "dataset/index.h"

namespace cce::dataset {

struct ScannedFile {
  uint32_t entry = 0;  // its number: 0 is the first entry of the index
  uint64_t size = 0;
  Digest digest{};  // of the content
  std::vector<Extent> extents;
};

// What cced knows of a snapshot that an upload may refer to.
struct SealedIndex {
  SnapshotId snapshot{};
  uint64_t sealed_size = 0;
};

// Not thread-safe.
class IndexScan {
 public:
  // Reads the index once to compare its digest with the snapshot id; what is read later
  // authenticates as part of the same stream. `store` must outlive this. Errors:
  // dataset.missing_object, dataset.corrupt, dataset.wrong_key, dataset.bad_index, io.*.
  static Result<std::unique_ptr<IndexScan>> Open(CiphertextStore& store, const DatasetId& dataset,
                                                 uint32_t epoch, ByteView dek,
                                                 const SealedIndex& index);
  ~IndexScan();

  const std::vector<IndexObject>& objects() const;
  // Calls `visit` for every file that is not empty, in index order; stops at its first error.
  Result<> ForEachFile(const std::function<Result<>(const ScannedFile&)>& visit);
  // The file with this number; nullopt where the entry is none or there is no such entry. Cheap
  // where numbers ascend.
  Result<std::optional<ScannedFile>> File(uint32_t entry);

 private:
  struct Impl;
  explicit IndexScan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::dataset
