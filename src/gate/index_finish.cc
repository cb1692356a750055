// Building, the end: what was gathered is merged in order and written page by page.
#include <algorithm>
#include <array>
#include <cmath>

#include "gate/index_builder.h"
#include "gate/table.h"

namespace cce::gate {
namespace {

constexpr size_t kPairColumns = 7;
constexpr uint8_t kNoSlot = UINT8_MAX;

// Calls `group(key, rows)` for each key with its rows, rising, at most `most + 1` of them.
template <typename F>
Result<> ForEachKey(ExternalSort<Hashed>& sorted, size_t most, F&& group) {
  uint64_t key = 0;
  std::vector<Posting> rows;
  TRY(sorted.ForEach([&](const Hashed& h) -> Result<> {
    if (!rows.empty() && h.key != key) {
      TRY(group(key, rows));
      rows.clear();
    }
    key = h.key;
    if (rows.size() <= most) rows.push_back({h.row, 0});
    return {};
  }));
  return rows.empty() ? Result<>() : group(key, rows);
}

// The entries of one key, as they come by: by column, then row.
class ValueGroup {
 public:
  ValueGroup(std::vector<TableInfo>& tables, const std::vector<uint32_t>& column_table,
             std::vector<double>& bits, std::vector<float>& common_share)
      : tables_(tables), column_table_(column_table), bits_(bits), common_share_(common_share) {}

  bool Has(uint64_t key) const { return count_ > 0 && key_ == key; }
  void Add(const Entry& e) {
    key_ = e.key;
    if (++count_ <= kRareRows) rare_.push_back({e.row, e.column});
    if (columns_.empty() || columns_.back().column != e.column) {
      columns_.push_back({0, e.column});
      exact_.push_back(e.exact != 0);
    }
    ++columns_.back().value;
  }
  // Writes the group and forgets it.
  Result<> Write(KeyPages& rare, KeyPages& common) {
    if (count_ == 0) return {};
    const bool is_rare = count_ <= kRareRows;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Posting& c = columns_[i];
      const auto count = static_cast<double>(c.value);
      const double rows_here = tables_[column_table_[c.column]].rows;
      if (!exact_[i] || rows_here <= 0) continue;
      bits_[c.column] += count / rows_here * std::log2(std::max(1.0, rows_here / count));
      if (!is_rare) common_share_[c.column] += static_cast<float>(count / rows_here);
    }
    TRY(is_rare ? rare.Add(key_, rare_) : common.Add(key_, columns_));
    count_ = 0;
    rare_.clear();
    columns_.clear();
    exact_.clear();
    return {};
  }

 private:
  std::vector<TableInfo>& tables_;
  const std::vector<uint32_t>& column_table_;
  std::vector<double>& bits_;
  std::vector<float>& common_share_;
  uint64_t key_ = 0, count_ = 0;
  std::vector<Posting> rare_, columns_;  // rows; frequency in each column
  std::vector<bool> exact_;              // of each column's first entry
};

}  // namespace

LeakIndexBuilder::Impl::Impl(KeyedHash with, ByteView check, const LeakIndexOptions& chosen,
                             std::unique_ptr<Scratch> room)
    : hash(std::move(with)),
      check_key(ToBytes(check)),
      options(chosen),
      scratch(std::move(room)),
      rows(*scratch),
      entries(*scratch, options.memory / 2),
      whole(*scratch, options.memory / 8),
      shingles(*scratch, options.memory / 4) {}

Result<> LeakIndexBuilder::Impl::ForEachRow(
    const std::function<Result<>(uint32_t, ByteView)>& visit) {
  ScratchFile::Reader reader(rows);
  Bytes one;
  for (;;) {
    one.resize(8);
    ASSIGN_OR_RETURN(const bool more, reader.Read(one));
    if (!more) return {};
    ByteReader head(one);
    ASSIGN_OR_RETURN(const uint32_t table, head.U32());
    one.resize(8 + tables[table].columns.size());
    ASSIGN_OR_RETURN(const bool whole_row, reader.Read(std::span(one).subspan(8)));
    if (!whole_row) return Fail("io.failed", "a scratch file ends early");
    TRY(visit(table, one));
  }
}

Result<> LeakIndexBuilder::Impl::WriteShingles(IndexWriter& writer) {
  KeyPages pages(writer, Section::kShingles, shingles.size());
  uint64_t last = 0, places = 0;
  const auto close = [&]() -> Result<> {
    return places > 0 && places <= kShinglePlaces ? pages.Add(last, {}) : Result<>();
  };
  TRY(shingles.ForEach([&](uint64_t f) -> Result<> {
    if (f != last) {
      TRY(close());
      places = 0;
    }
    last = f;
    ++places;
    return {};
  }));
  TRY(close());
  shingles.Clear();
  stats.shingles = pages.keys();
  return pages.Finish();
}

Result<> LeakIndexBuilder::Impl::WriteWhole(IndexWriter& writer) {
  KeyPages pages(writer, Section::kWhole, whole.size());
  TRY(ForEachKey(whole, 0, [&](uint64_t key, std::span<const Posting> found) {
    return pages.Add(key, found.first(1));
  }));
  whole.Clear();
  return pages.Finish();
}

Result<> LeakIndexBuilder::Impl::WriteValues(IndexWriter& writer,
                                             std::vector<float>& common_share) {
  std::vector<uint32_t> column_table;
  for (uint32_t t = 0; t < tables.size(); ++t) {
    column_table.insert(column_table.end(), tables[t].columns.size(), t);
  }
  std::vector<double> bits(stats.columns, 0);
  common_share.assign(stats.columns, 0);
  KeyPages rare(writer, Section::kRare, entries.size());
  KeyPages common(writer, Section::kCommon, entries.size() / 8);
  ValueGroup group(tables, column_table, bits, common_share);
  TRY(entries.ForEach([&](const Entry& e) -> Result<> {
    if (!group.Has(e.key)) TRY(group.Write(rare, common));
    group.Add(e);
    return {};
  }));
  TRY(group.Write(rare, common));
  TRY(rare.Finish());
  TRY(common.Finish());
  for (uint32_t c = 0; c < stats.columns; ++c) {
    tables[column_table[c]].entropy.push_back(static_cast<float>(bits[c]));
  }
  stats.keys = rare.keys() + common.keys();
  stats.postings = rare.postings();
  return {};
}

// Pairs of common cells: how rows of tables without rare values are found.
Result<> LeakIndexBuilder::Impl::WritePairs(IndexWriter& writer,
                                            const std::vector<float>& common_share) {
  std::vector<uint8_t> slots(stats.columns, kNoSlot);  // of the columns chosen
  bool any = false;
  for (const TableInfo& table : tables) {
    std::vector<std::pair<float, uint32_t>> candidates;
    for (uint32_t c = 0; c < table.columns.size(); ++c) {
      const uint32_t column = table.first_column + c;
      if (common_share[column] > 0.5f && table.entropy[c] > 0.8f) {
        candidates.emplace_back(-table.entropy[c], column);
      }
    }
    std::sort(candidates.begin(), candidates.end());
    for (size_t i = 0; i < std::min(candidates.size(), kPairColumns); ++i) {
      slots[candidates[i].second] = static_cast<uint8_t>(i);
      any = true;
    }
  }
  ExternalSort<Hashed> pairs(*scratch, options.memory / 2);
  if (any) TRY(CollectPairs(slots, pairs));
  entries.Clear();
  KeyPages pages(writer, Section::kPairs, pairs.size());
  TRY(ForEachKey(pairs, kRareRows, [&](uint64_t key, std::span<const Posting> found) {
    return found.size() <= kRareRows ? pages.Add(key, found) : Result<>();
  }));
  stats.postings += pages.postings();
  return pages.Finish();
}

Result<> LeakIndexBuilder::Impl::CollectPairs(const std::vector<uint8_t>& slots,
                                              ExternalSort<Hashed>& pairs) {
  ExternalSort<PairCell> by_row(*scratch, options.memory / 2);
  TRY(entries.ForEach([&](const Entry& e) -> Result<> {
    if (e.exact != 0 && slots[e.column] != kNoSlot) by_row.Add({e.key, e.row, slots[e.column]});
    return {};
  }));
  entries.Clear();
  std::array<uint64_t, kPairColumns> keys{};  // of one row: of several values in a cell the last
  uint32_t row = 0;
  const auto close = [&] {
    for (size_t a = 0; a < kPairColumns; ++a) {
      for (size_t b = a + 1; b < std::min(kPairColumns, a + 4); ++b) {
        if (keys[a] != 0 && keys[b] != 0) pairs.Add({hash.Pair(keys[a], keys[b]) & kKeyMask, row});
      }
    }
    keys.fill(0);
  };
  TRY(by_row.ForEach([&](const PairCell& c) -> Result<> {
    if (c.row != row) close();
    row = c.row;
    keys[c.slot] = c.key;
    return {};
  }));
  close();
  return {};
}

Result<> LeakIndexBuilder::Impl::WriteRows(IndexWriter& writer) {
  Bytes page;
  uint32_t row = 0;
  const auto close = [&]() -> Result<> {
    TRY(writer.AddPage(Section::kRows, (row - 1) / kRowsOfPage, page));
    page.clear();
    return {};
  };
  TRY(ForEachRow([&](uint32_t table, ByteView record) -> Result<> {
    ByteReader head(record);
    TRY(head.U32());
    ASSIGN_OR_RETURN(const uint32_t number, head.U32());
    PutVarint(page, table);
    PutVarint(page, number);
    Append(page, record.subspan(8));
    return ++row % kRowsOfPage == 0 ? close() : Result<>();
  }));
  return page.empty() ? Result<>() : close();
}

void LeakIndexBuilder::Impl::EstimateFactors() {
  for (size_t t = 0; t < tables.size(); ++t) {
    std::vector<std::vector<std::string>> sample;
    for (const std::string& row : samples[t]) {
      auto& cells_of = sample.emplace_back();
      for (size_t at = 0; at < row.size(); at += 1 + static_cast<uint8_t>(row[at])) {
        cells_of.push_back(row.substr(at + 1, static_cast<uint8_t>(row[at])));
      }
    }
    samples[t] = {};
    EstimateDependence(sample, tables[t]);
  }
}

Result<LeakIndexStats> LeakIndexBuilder::Impl::Finish(const ByteSink& sink) {
  IndexWriter writer(sink);
  TRY(writer.Begin(hash(KeyKind::kCheck, check_key)));
  // What is written gives its memory back, so the order is one of sizes.
  TRY(WriteShingles(writer));
  TRY(WriteWhole(writer));
  std::vector<float> common_share;
  TRY(WriteValues(writer, common_share));
  TRY(WritePairs(writer, common_share));
  TRY(WriteRows(writer));
  EstimateFactors();
  TRY(scratch->state());
  TRY(writer.Finish(stats, tables, row_count));
  return stats;
}

}  // namespace cce::gate
