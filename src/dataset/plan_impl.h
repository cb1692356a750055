// Private to src/dataset: what an UploadPlan holds. upload_plan.cc cuts it into parts, plan_walk.cc
// fills it, plan_reader.cc reads what it names.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataset/upload_plan.h"

namespace cce::dataset {

inline constexpr uint32_t kNotSame = UINT32_MAX;

struct PlanEntry {
  uint64_t path_at = 0;      // in the plan's names
  uint32_t same = kNotSame;  // the base's entry with the same content
  uint16_t path_size = 0;
  Attributes attributes;
  Digest digest{};  // known once its part was read; of files over one span only their spans'
};

// The pieces of a part are those of consecutive entries; only the first may begin inside its file,
// and a piece that does not end its file is alone.
struct PartSpan {
  uint32_t first = 0;
  uint32_t count = 0;
  uint64_t first_offset = 0;
  uint64_t payload = 0;
  uint64_t head_bytes = 0;
};

struct UploadPlan::Impl {
  PlanOptions options;
  UniqueFd root;                       // of a folder
  UniqueFd spool;                      // of a stream
  std::vector<uint64_t> spool_places;  // of each entry's content
  SnapshotId base{};                   // zeros: nothing is referred to
  std::string names;                   // all paths, end to end
  std::vector<PlanEntry> entries;
  std::unordered_map<uint32_t, std::string> targets;
  std::unordered_map<uint32_t, std::vector<Digest>> spans;  // roots, of files over one span
  std::vector<PartSpan> parts;
  std::vector<std::atomic<bool>> read;  // per part
  ContentCounts counts;

  std::string_view Path(uint32_t entry) const {
    return std::string_view(names).substr(entries[entry].path_at, entries[entry].path_size);
  }

  // Bytes of content to send.
  static uint64_t SizeToSend(const PlanEntry& e) {
    return e.same == kNotSame ? e.attributes.size : 0;
  }
  uint64_t PieceLength(const PlanEntry& e, uint64_t offset) const {
    return std::min(SizeToSend(e) - offset, options.piece_size);
  }

  // A file's content: a descriptor of its own, or the spool's.
  struct Content {
    UniqueFd own;
    int fd = -1;
    uint64_t start = 0;
  };
  // upload.file_changed where the file is not as the walk saw it.
  Result<Content> OpenContent(uint32_t entry) const;
  Result<> CloseContent(const Content& content, uint32_t entry) const;
  // Up to room.size() bytes, at least one.
  Result<size_t> ReadContent(const Content& content, uint64_t at, std::span<uint8_t> room,
                             uint32_t entry) const;

  Result<> AddEntry(std::string_view path, const Attributes& attributes, std::string target);
  Result<> ScanFolder(const std::string& folder);
  Result<> ScanEntry(const std::string& path);
  Result<std::string> ReadTarget(const std::string& path) const;

  Result<Digest> DigestFile(uint32_t entry, Bytes& buffer, const Comparison& comparison) const;
  // Marks the files that the base holds.
  Result<> Compare(const Comparison& comparison);

  void CutIntoParts();
};

// Of a file's content, in one read.
inline constexpr size_t kReadSlice = size_t{1} << 20;

int64_t ModifiedNs(const struct stat& info);

// `plan` must outlive it.
std::unique_ptr<PartReader> ReadPart(UploadPlan::Impl& plan, uint32_t part, const DraftId& draft);

}  // namespace cce::dataset
