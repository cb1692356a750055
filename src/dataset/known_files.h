// The list by which a client finds, without sending them, the files that a snapshot holds already
// (docs/formats/dataset.md, "Known files"): sizes and keyed digests. The key is of one draft, so a
// list says nothing about content to who does not have it, and two lists cannot be compared.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "dataset/index_scan.h"

namespace cce::dataset {

constexpr std::string_view kKnownFilesLabel = "cce4long/v1/known-files";
constexpr size_t kKnownHeaderSize = 40;
constexpr size_t kKnownFileSize = 28;
using KnownTag = ByteArray<16>;

// The list's key: of the DEK, hence of the epoch, for one draft and one base snapshot.
SecretBytes KnownFilesKey(ByteView dek, const DatasetId& dataset, const DraftId& draft,
                          const SnapshotId& base);
KnownTag TagOf(ByteView key, uint64_t size, const Digest& digest);

// Writes the list front to back. Files with content outside `epoch` are left out: what is new must
// lie under the draft's epoch.
Result<> WriteKnownFiles(IndexScan& index, const SnapshotId& base, uint32_t epoch, ByteView key,
                         const std::function<Result<>(ByteView)>& sink);

// The client's side. Thread-safe once parsed.
class KnownFiles {
 public:
  // input.malformed.
  static Result<KnownFiles> Parse(ByteView list, SecretBytes key);

  const SnapshotId& base() const { return base_; }
  size_t size() const { return entries_.size(); }
  // Whether any file has this size: others need not be digested before they are sent.
  bool HasSize(uint64_t size) const { return sizes_.contains(size); }
  // The number of an entry with this content.
  std::optional<uint32_t> Find(uint64_t size, const Digest& digest) const;

 private:
  struct TagHash {
    size_t operator()(const KnownTag& tag) const { return ReadU64(tag.data()); }
  };
  SnapshotId base_{};
  SecretBytes key_;
  std::unordered_set<uint64_t> sizes_;
  std::unordered_map<KnownTag, uint32_t, TagHash> entries_;
};

}  // namespace cce::dataset
