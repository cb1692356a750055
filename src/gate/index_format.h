// The leak index as bytes (docs/formats/gate.md, "Leak index"), on their way out: pages in whatever
// order they are ready, then the directory.
#pragma once

#include "gate/index_data.h"

namespace cce::gate {

constexpr std::string_view kIndexMagic = "CCELIX";
constexpr uint16_t kIndexVersion = 2;
constexpr size_t kIndexHead = 16;  // magic, version, check
constexpr size_t kIndexFoot = 8;   // where the directory begins
constexpr uint64_t kMaxDirectory = uint64_t{64} << 20;

void PutVarint(Bytes& out, uint64_t v);

// Not thread-safe. Errors are those of the sink.
class IndexWriter {
 public:
  explicit IndexWriter(const ByteSink& sink) : sink_(sink) {}
  Result<> Begin(uint64_t check);
  // For `expected` keys at most.
  void BeginKeys(Section section, uint64_t expected);
  // Pages of a section by rising number; none for an empty one.
  Result<> AddPage(Section section, size_t number, ByteView page);
  const PageList& section(Section s) const { return sections_[static_cast<size_t>(s)]; }
  Result<> Finish(const LeakIndexStats& stats, const std::vector<TableInfo>& tables, uint32_t rows);

 private:
  Result<> Put(ByteView bytes);

  const ByteSink& sink_;
  uint64_t at_ = 0;
  std::array<PageList, kSections> sections_;
};

// One section of keys, rising.
class KeyPages {
 public:
  KeyPages(IndexWriter& writer, Section section, uint64_t expected);
  // `postings`: none for shingles alone.
  Result<> Add(uint64_t key, std::span<const Posting> postings);
  Result<> Finish();
  uint64_t keys() const { return all_keys_; }
  uint64_t postings() const { return all_postings_; }

 private:
  IndexWriter& writer_;
  Section section_;
  size_t page_ = 0;
  uint64_t last_ = 0, keys_ = 0, all_keys_ = 0, all_postings_ = 0;
  Bytes body_;
};

}  // namespace cce::gate
