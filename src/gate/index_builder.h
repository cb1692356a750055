// What a leak index is built from, while it grows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gate/external_sort.h"
#include "gate/index_format.h"

namespace cce::gate {

// One canonical value of a cell.
struct Entry {
  uint64_t key;
  uint32_t row;
  uint32_t column : 31;
  uint32_t exact : 1;
  bool operator<(const Entry& o) const {
    if (key != o.key) return key < o.key;
    if (column != o.column) return column < o.column;
    return row != o.row ? row < o.row : exact < o.exact;
  }
};
struct Hashed {
  uint64_t key;
  uint32_t row;
  uint32_t unused = 0;
  bool operator<(const Hashed& o) const { return key != o.key ? key < o.key : row < o.row; }
};
// A cell that counts in pairs: `slot` is its column's place among its table's chosen ones.
struct PairCell {
  uint64_t key;
  uint32_t row;
  uint32_t slot;
  bool operator<(const PairCell& o) const {
    if (row != o.row) return row < o.row;
    return slot != o.slot ? slot < o.slot : key < o.key;
  }
};

struct LeakIndexBuilder::Impl {
  Impl(KeyedHash with, ByteView check, const LeakIndexOptions& chosen,
       std::unique_ptr<Scratch> room);

  KeyedHash hash;
  Bytes check_key;
  LeakIndexOptions options;
  LeakIndexStats stats;
  std::unique_ptr<Scratch> scratch;
  Result<> failed;  // what thinning met
  std::vector<TableInfo> tables;
  std::map<std::string, uint32_t, std::less<>> by_header;
  std::vector<std::vector<std::string>> samples;  // table -> rows: cells, each behind its length
  size_t sampled = 0, sampled_bytes = 0;
  ScratchFile rows;  // table u32, number u32, a signature byte a column
  uint32_t row_count = 0;
  ExternalSort<Entry> entries;
  ExternalSort<Hashed> whole;
  ExternalSort<uint64_t> shingles;
  uint64_t row_counter = 0;
  // Scratch of one row.
  std::vector<std::string_view> cells;
  std::vector<uint64_t> row_keys;
  Bytes record;

  std::optional<uint32_t> TableOf(const std::string& path, const std::vector<std::string>& columns,
                                  bool named);
  void AddRow(uint32_t table, const std::vector<std::string_view>& row, uint32_t number);
  void AddCell(std::string_view cell, uint32_t row, uint32_t column, uint8_t& signature);
  void AddShingle(uint64_t fingerprint);
  Result<LeakIndexStats> Finish(const ByteSink& sink);

 private:
  void Sample(uint32_t table, const std::vector<std::string_view>& row);
  void ThinRows();
  // `visit(table, the whole record)`.
  Result<> ForEachRow(const std::function<Result<>(uint32_t, ByteView)>& visit);
  Result<> WriteShingles(IndexWriter& writer);
  Result<> WriteWhole(IndexWriter& writer);
  Result<> WriteValues(IndexWriter& writer, std::vector<float>& common_share);
  Result<> WritePairs(IndexWriter& writer, const std::vector<float>& common_share);
  Result<> CollectPairs(const std::vector<uint8_t>& slots, ExternalSort<Hashed>& pairs);
  Result<> WriteRows(IndexWriter& writer);
  void EstimateFactors();
};

}  // namespace cce::gate
