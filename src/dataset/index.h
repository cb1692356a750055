// The snapshot index: what a snapshot holds and where (docs/formats/dataset.md, "Index").
// IndexWriter streams it; Index is the loaded form: one blob and 48 bytes an entry beside it.
#pragma once

#include <optional>

#include "dataset/digest_tree.h"
#include "dataset/format.h"
#include "dataset/upload_plan.h"

namespace cce::dataset {

struct Extent {
  uint32_t object = 0;  // row of the object table
  uint32_t offset = 0;  // in the object's plaintext
  uint32_t length = 0;
};

// A row of the object table. The stream header pins the object: its salt, and with it the key, is
// this object's alone.
struct IndexObject {
  ObjectName name{};
  ByteArray<crypto::kStreamHeaderSize> header{};
  uint64_t sealed_size = 0;
  uint32_t epoch = 0;
};

struct IndexEntry {
  Attributes attributes;
  Digest digest{};              // content; zero for folders
  std::string target;           // of a link
  std::vector<Extent> extents;  // of a file; all but the last of one length
};

// Writes the index front to back. Not thread-safe.
class IndexWriter {
 public:
  using Sink = std::function<Result<>(ByteView)>;
  IndexWriter(const DatasetId& dataset, Sink sink);
  Result<> Begin();
  // In path order, every folder before what it holds. upload.out_of_order else.
  Result<> Add(std::string_view path, const IndexEntry& entry);
  Result<> Finish(const std::vector<IndexObject>& objects);
  const ContentCounts& counts() const { return counts_; }

 private:
  Result<> CheckPlace(std::string_view path);
  DatasetId dataset_;
  Sink sink_;
  std::string last_path_;
  bool last_is_folder_ = true;   // the root
  std::vector<size_t> folders_;  // lengths of last_path_'s folders
  uint64_t entries_ = 0;
  ContentCounts counts_;
};

// Thread-safe once parsed.
class Index {
 public:
  using Id = uint32_t;
  static constexpr Id kRoot = 0;  // the top folder; the entries follow in path order

  // Takes the opened index. Every rule of the format is checked; dataset.bad_index.
  static Result<Index> Parse(Bytes plain, const DatasetId& dataset);

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }  // with the root
  const ContentCounts& counts() const { return counts_; }
  const std::vector<IndexObject>& objects() const { return objects_; }

  Attributes GetAttributes(Id id) const;
  std::string_view Name(Id id) const;  // empty for the root
  std::string Path(Id id) const;
  Id Parent(Id id) const { return nodes_[id].parent; }
  std::span<const Id> Children(Id folder) const;  // sorted by name; empty where it is no folder
  // One past the last entry below `id`.
  Id SubtreeEnd(Id id) const { return nodes_[id].subtree_end; }
  std::optional<Id> Lookup(Id folder, std::string_view name) const;
  std::optional<Id> Find(std::string_view path) const;  // "" is the root
  Digest ContentDigest(Id id) const;
  std::string_view LinkTarget(Id id) const;
  uint32_t ExtentCount(Id file) const;
  Extent GetExtent(Id file, uint32_t i) const;

 private:
  struct Node {
    uint64_t size;
    int64_t mtime_ns;
    uint64_t record;  // in blob_: name, then what the type brings
    Id parent;
    Id first_child;  // in children_
    Id child_count;
    Id subtree_end;
    uint16_t mode;
    uint8_t type;
    uint8_t name_size;
  };
  class Parser;

  Bytes blob_;
  std::vector<Node> nodes_;
  std::vector<Id> children_;
  std::vector<IndexObject> objects_;
  ContentCounts counts_;
};

}  // namespace cce::dataset
