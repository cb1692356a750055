// What a leak index holds in memory.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gate/keyed_hash.h"
#include "gate/leak_index.h"

namespace cce::gate {

constexpr uint32_t kRareRows =
    32;  // a value in at most so many rows leads to them; else only its frequency is kept
constexpr uint32_t kShinglePlaces = 3;    // a shingle found more often is boilerplate
constexpr size_t kMaxColumns = 4096;      // of one table
constexpr size_t kMaxFactorColumns = 64;  // columns whose dependence is estimated
constexpr uint64_t kKeyMask = (uint64_t{1} << 48) - 1;

// Sorted 48-bit keys with a bucket table over their upper bits, about a key to a bucket.
class KeySet {
 public:
  void Assign(std::vector<uint64_t> sorted);
  std::optional<size_t> Find(uint64_t key) const {
    if (keys_.empty()) return std::nullopt;
    key &= kKeyMask;
    const size_t bucket = key >> shift_;
    size_t at = buckets_[bucket];
    const size_t end = buckets_[bucket + 1];
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
  int shift_ = 48;
};

// What stands behind a key: (row, column) for rare values, (frequency, column) for common ones.
struct Posting {
  uint32_t value = 0;
  uint32_t column = 0;  // of all tables, counted through
};
struct PostingTable {
  KeySet keys;
  std::vector<uint32_t> start;  // keys.size() + 1
  std::vector<Posting> postings;
  std::span<const Posting> Find(uint64_t key) const {
    const auto at = keys.Find(key);
    if (!at) return {};
    return std::span(postings).subspan(start[*at], start[*at + 1] - start[*at]);
  }
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
  std::vector<uint8_t> signature;  // rows * columns: the low byte of each cell's exact key
  uint8_t LeftByte(uint32_t a, uint32_t b) const {
    const size_t n = std::min(columns.size(), kMaxFactorColumns);
    return a >= n || b >= n || factor.empty() ? UINT8_MAX : factor[a * n + b];
  }
  double Left(uint32_t a, uint32_t b) const { return LeftByte(a, b) / 255.0; }
};
struct RowInfo {
  uint32_t table = 0;
  uint32_t local = 0;   // among the table's kept rows
  uint32_t number = 0;  // as counted in its file, from 1
};

struct LeakIndex::Data {
  KeyedHash hash;
  uint64_t check = 0;
  LeakIndexStats stats;
  std::vector<TableInfo> tables;
  std::vector<uint32_t> column_table;  // column -> table
  std::vector<RowInfo> rows;
  PostingTable rare, common, pairs, whole;
  KeySet shingles;

  const TableInfo& TableOfRow(uint32_t row) const { return tables[rows[row].table]; }
  // "row 12 of ACTG175.csv"
  std::string RowName(uint32_t row) const;
};

}  // namespace cce::gate
