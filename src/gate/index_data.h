// What the builder, the format and the look-ups of a leak index share.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gate/keyed_hash.h"
#include "gate/leak_index.h"

namespace cce::gate {

constexpr uint32_t kRareRows =
    32;  // a value in at most so many rows leads to them; else only its frequency is kept
constexpr uint32_t kShinglePlaces = 3;    // a shingle found more often is boilerplate
constexpr size_t kMaxColumns = 4096;      // of one table
constexpr size_t kMaxAllColumns = 65536;  // of all tables together
constexpr size_t kMaxFactorColumns = 64;  // columns whose dependence is estimated
constexpr uint64_t kKeyMask = (uint64_t{1} << 48) - 1;

// Sorted 48-bit keys with a bucket table over their upper bits, about a key to a bucket.
class KeySet {
 public:
  // All of them share their first `common` bits.
  void Assign(std::vector<uint64_t> sorted, int common);
  std::optional<size_t> Find(uint64_t key) const {
    if (keys_.empty()) return std::nullopt;
    size_t at = buckets_[(key & mask_) >> shift_];
    const size_t end = buckets_[((key & mask_) >> shift_) + 1];
    if (end - at > 8) {
      at = static_cast<size_t>(std::lower_bound(keys_.begin() + static_cast<ptrdiff_t>(at),
                                                keys_.begin() + static_cast<ptrdiff_t>(end), key) -
                               keys_.begin());
    }
    while (at < end && keys_[at] < key) ++at;
    return at < end && keys_[at] == key ? std::optional(at) : std::nullopt;
  }
  const std::vector<uint64_t>& keys() const { return keys_; }
  size_t size() const { return keys_.size(); }

 private:
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> buckets_;
  uint64_t mask_ = kKeyMask;
  int shift_ = 48;
};

// What stands behind a key: (row, column) for rare values, (frequency, column) for common ones.
struct Posting {
  uint32_t value = 0;
  uint32_t column = 0;  // of all tables, counted through
};

// Tables of equal header are one.
struct TableInfo {
  std::string name;                  // of its first file
  std::vector<std::string> columns;  // at most 64 bytes each
  uint32_t first_column = 0;
  uint32_t rows = 0;  // kept rows
  uint64_t all_rows = 0;
  float row_bits = 0;          // information of a whole row, dependence counted
  std::vector<float> entropy;  // bits of each column
  // factor[a * n + b], n = min(columns, 64): how much of a is left when b is known, 0 to 255.
  std::vector<uint8_t> factor;
  uint8_t LeftByte(uint32_t a, uint32_t b) const {
    const size_t n = std::min(columns.size(), kMaxFactorColumns);
    return a >= n || b >= n || factor.empty() ? UINT8_MAX : factor[a * n + b];
  }
  double Left(uint32_t a, uint32_t b) const { return LeftByte(a, b) / 255.0; }
};
struct RowInfo {
  uint32_t table = 0;
  uint32_t number = 0;  // as counted in its file, from 1
};

// The index lies in pages: of keys by their upper bits, of rows by their number. Keyed hashes fall
// evenly, so the pages of one section are of about one size.
enum class Section : uint8_t { kRare, kCommon, kPairs, kWhole, kShingles, kRows };
constexpr size_t kSections = 6;
constexpr uint32_t kRowsOfPage = 128;
constexpr uint64_t kMaxPage = (uint64_t{1} << 24) - 1;  // bytes
constexpr int kMaxPageBits = 22;

struct PageAt {
  uint64_t offset : 40 = 0;
  uint64_t size : 24 = 0;  // 0: nothing there
};
struct PageList {
  int bits = 0;  // of the key, that choose the page
  std::vector<PageAt> pages;
  size_t PageOf(uint64_t key) const { return bits == 0 ? 0 : key >> (48 - bits); }
};

// A page, decoded. Of shingles the keys alone, of rows all but the keys.
struct Page {
  KeySet keys;
  std::vector<uint32_t> start;  // keys.size() + 1
  std::vector<Posting> postings;
  std::vector<RowInfo> rows;
  std::vector<uint32_t> signature_at;
  Bytes signatures;  // a byte a cell: the low byte of its exact key
  size_t memory = 0;
  bool used = false;
};

// What is held of an opened index: all but its pages.
struct LeakIndex::Data {
  KeyedHash hash;
  LeakIndexStats stats;
  std::vector<TableInfo> tables;
  std::vector<uint32_t> column_table;  // column -> table
  uint32_t rows = 0;                   // kept
  std::array<PageList, kSections> sections;
  std::shared_ptr<const IndexSource> source;

  const PageList& section(Section s) const { return sections[static_cast<size_t>(s)]; }
  // Errors: those of the source, gate.index_corrupt.
  Result<Page> ReadPage(Section section, size_t number) const;
};

}  // namespace cce::gate
