// Building: cells become (key, row, column) entries as files stream by; Finish sorts them into
// tables.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <unordered_map>

#include "gate/index_data.h"
#include "gate/table.h"
#include "gate/text.h"
#include "gate/winnow.h"

namespace cce::gate {
namespace {

constexpr size_t kMaxLine = size_t{1} << 20;  // longer lines are no records
constexpr size_t kSampleRows =
    4096;  // for dependence, all tables together at most 16 times as many
constexpr size_t kMaxTables = 4096;
constexpr size_t kPairColumns = 7;

struct Entry {
  uint64_t key;
  uint32_t row;
  uint32_t column : 31;
  uint32_t exact : 1;
};
struct Hashed {
  uint64_t key;
  uint32_t row;
};

uint64_t Scramble(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
  x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44du;
  return x ^ (x >> 33);
}

// Sorted (key, posting) pairs into a table; `keys` may repeat.
template <typename It, typename F>
PostingTable Collect(It begin, It end, F&& posting) {
  PostingTable out;
  std::vector<uint64_t> keys;
  for (It at = begin; at != end; ++at) {
    if (keys.empty() || keys.back() != at->key) {
      keys.push_back(at->key);
      out.start.push_back(static_cast<uint32_t>(out.postings.size()));
    }
    out.postings.push_back(posting(*at));
  }
  out.start.push_back(static_cast<uint32_t>(out.postings.size()));
  out.keys.Assign(std::move(keys));
  return out;
}

}  // namespace

struct LeakIndexBuilder::Impl {
  KeyedHash hash;
  Bytes check_key;
  LeakIndexOptions options;
  LeakIndexStats stats;
  std::vector<TableInfo> tables;
  std::map<std::string, uint32_t, std::less<>> by_header;
  std::vector<std::vector<std::vector<std::string>>> samples;  // table -> rows -> cells
  size_t sampled = 0;
  std::vector<RowInfo> rows;
  std::vector<Entry> entries;
  std::vector<Hashed> whole;
  std::vector<uint64_t> shingles;
  uint64_t row_counter = 0;
  // Scratch of one row.
  std::vector<std::string_view> cells;
  std::vector<uint64_t> row_keys;

  std::optional<uint32_t> TableOf(const std::string& path, const std::vector<std::string>& columns,
                                  bool named);
  void AddRow(uint32_t table, const std::vector<std::string_view>& row, uint32_t number);
  void AddCell(std::string_view cell, uint32_t row, uint32_t column, uint8_t& signature);
  void ThinRows();
  void AddShingle(uint64_t fingerprint);
  void BuildValues(LeakIndex::Data& data, std::vector<std::vector<float>>& common_share);
  void BuildPairs(LeakIndex::Data& data, const std::vector<std::vector<float>>& common_share);
  void BuildFactors();
  void BuildShingles(LeakIndex::Data& data);
};

namespace {

// One file on its way in: shingles of all its bytes, and rows where it is a table.
class FileFeed {
 public:
  FileFeed(LeakIndexBuilder::Impl& impl, std::string path)
      : impl_(impl), path_(std::move(path)), winnower_(impl.hash) {}

  void Feed(ByteView piece, bool last) {
    pending_.append(AsText(piece));
    if (!decided_) {
      if (pending_.size() < (size_t{1} << 16) && !last) return;
      Decide();
    }
    if (!text_) {
      Shingle(pending_);
      pending_.clear();
      return;
    }
    size_t at = 0;
    for (;;) {
      const size_t end = RecordEnd(at);
      if (end == std::string::npos) break;
      Line(std::string_view(pending_).substr(at, end - at));
      at = end + 1;
    }
    pending_.erase(0, at);
    if (last || pending_.size() > kMaxLine) {
      if (!pending_.empty()) Line(pending_);
      pending_.clear();
    }
  }
  bool is_table() const { return table_rows_ > 0; }

 private:
  void Decide() {
    decided_ = true;
    // A piece may end inside a character.
    ByteView head = AsBytes(pending_);
    for (int i = 0; i < 3 && !head.empty() && !IsText(head); ++i)
      head = head.first(head.size() - 1);
    text_ = !head.empty() && IsText(head);
    if (!text_) return;
    if (pending_.starts_with("\xef\xbb\xbf")) pending_.erase(0, 3);
    json_ = pending_.starts_with('{');
    if (!json_) delimiter_ = SniffDelimiter(pending_);
  }

  // The end of the record at `at`: a line end outside quotes, within reason.
  size_t RecordEnd(size_t at) const {
    size_t end = pending_.find('\n', at);
    if (!delimiter_ || end == std::string::npos) return end;
    const auto quotes = [&](size_t e) {
      return std::count(pending_.begin() + static_cast<ptrdiff_t>(at),
                        pending_.begin() + static_cast<ptrdiff_t>(e), '"');
    };
    const size_t first = end;
    while (quotes(end) % 2 != 0) {
      end = pending_.find('\n', end + 1);
      if (end == std::string::npos || end - at > 65536) return first;
    }
    return end;
  }

  void Shingle(std::string_view bytes) {
    winnower_.Feed(bytes, [&](uint64_t f, uint64_t) { impl_.AddShingle(f); });
  }

  void Line(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++line_;
    const bool header = Record(line);
    normal_.clear();
    normaliser_.Feed(line, normal_);
    normaliser_.Feed("\n", normal_);
    if (!header) Shingle(normal_);
  }

  // True for a header line.
  bool Record(std::string_view line) {
    if (line.empty() || line.size() > kMaxLine) return false;
    if (json_) {
      JsonRecord(line);
      return false;
    }
    if (!delimiter_ || line.starts_with("##")) return false;
    SplitCells(line, *delimiter_, impl_.cells);
    if (!table_) {
      if (first_.empty()) {
        first_ = std::string(line);
        return true;  // its shingles are left out either way; one line without a header is little
      }
      return Begin();
    }
    if (impl_.cells.size() == width_) AddRow(impl_.cells);
    return false;
  }

  bool Begin() {
    std::vector<std::string_view> first;
    SplitCells(first_, *delimiter_, first);
    width_ = first.size();
    const bool header = LooksLikeHeader(first, impl_.cells);
    std::vector<std::string> columns;
    for (size_t i = 0; i < width_; ++i) {
      columns.push_back(header ? std::string(TrimToken(first[i]).substr(0, 64))
                               : "column " + std::to_string(i + 1));
    }
    table_ = width_ <= kMaxColumns ? impl_.TableOf(path_, columns, header) : std::nullopt;
    if (!table_) {
      delimiter_.reset();
      return false;
    }
    const std::vector<std::string_view> now = impl_.cells;
    if (!header) AddRow(first);
    if (now.size() == width_) AddRow(now);
    return false;
  }

  void JsonRecord(std::string_view line) {
    std::vector<std::pair<std::string, std::string>> members;
    if (!FlatJson(line, members) || members.empty() || members.size() > kMaxColumns) return;
    std::sort(members.begin(), members.end());
    std::vector<std::string> columns;
    std::vector<std::string_view> cells;
    for (const auto& [name, value] : members) {
      columns.push_back(name.substr(0, 64));
      cells.push_back(value);
    }
    table_ = impl_.TableOf(path_, columns, true);
    if (table_) AddRow(cells);
  }

  void AddRow(const std::vector<std::string_view>& cells) {
    ++table_rows_;
    impl_.AddRow(*table_, cells, ++number_);
  }

  LeakIndexBuilder::Impl& impl_;
  std::string path_;
  Winnower winnower_;
  TextNormaliser normaliser_;
  std::string pending_, normal_, first_;
  bool decided_ = false, text_ = false, json_ = false;
  std::optional<char> delimiter_;
  std::optional<uint32_t> table_;
  size_t width_ = 0, line_ = 0, table_rows_ = 0;
  uint32_t number_ = 0;
};

}  // namespace

std::optional<uint32_t> LeakIndexBuilder::Impl::TableOf(const std::string& path,
                                                        const std::vector<std::string>& columns,
                                                        bool named) {
  std::string header = named ? "" : std::to_string(columns.size()) + " of " + path;
  for (const std::string& c : columns) header += c + '\n';
  const auto at = by_header.find(header);
  if (at != by_header.end()) return at->second;
  if (tables.size() >= kMaxTables) return std::nullopt;
  TableInfo info;
  info.name = path.substr(0, 256);
  info.columns = columns;
  info.first_column = stats.columns;
  stats.columns += static_cast<uint32_t>(columns.size());
  by_header.emplace(std::move(header), static_cast<uint32_t>(tables.size()));
  tables.push_back(std::move(info));
  samples.emplace_back();
  return static_cast<uint32_t>(tables.size() - 1);
}

void LeakIndexBuilder::Impl::AddCell(std::string_view cell, uint32_t row, uint32_t column,
                                     uint8_t& signature) {
  int tokens = 0;
  ForEachToken(cell, [&](std::string_view token) {
    Canon canon;
    if (tokens == 4 || !Canonicalise(token, canon)) return;
    const uint64_t key = hash.Cell(KeyKind::kExact, canon) & kKeyMask;
    if (tokens++ == 0) signature = static_cast<uint8_t>(key);
    row_keys.push_back(key);
    entries.push_back({key, row, column, 1});
    if (!canon.number) return;
    if (canon.digits > 6) {
      entries.push_back({hash.Cell(KeyKind::kSix, Rounded(canon, 6)) & kKeyMask, row, column, 0});
    }
    if (canon.digits > 3) {
      entries.push_back({hash.Cell(KeyKind::kThree, Rounded(canon, 3)) & kKeyMask, row, column, 0});
    }
  });
}

void LeakIndexBuilder::Impl::AddRow(uint32_t table, const std::vector<std::string_view>& row,
                                    uint32_t number) {
  ++stats.rows;
  TableInfo& info = tables[table];
  ++info.all_rows;
  const uint64_t lot = Scramble(++row_counter);
  if ((lot & ((uint64_t{1} << stats.row_thinning) - 1)) != 0) return;
  const auto id = static_cast<uint32_t>(rows.size());
  rows.push_back({table, info.rows++, number});
  row_keys.clear();
  const size_t at = info.signature.size();
  info.signature.resize(at + info.columns.size());
  for (size_t c = 0; c < row.size() && c < info.columns.size(); ++c) {
    uint8_t signature = 0;
    AddCell(row[c], id, info.first_column + static_cast<uint32_t>(c), signature);
    tables[table].signature[at + c] = signature;
  }
  if (row_keys.size() >= 3) whole.push_back({hash.Row(row_keys) & kKeyMask, id});
  if (samples[table].size() < kSampleRows && sampled < 16 * kSampleRows) {
    ++sampled;
    auto& kept = samples[table].emplace_back();
    for (size_t c = 0; c < row.size() && c < kMaxFactorColumns; ++c) {
      kept.emplace_back(row[c].substr(0, 32));
    }
  }
  if (entries.size() * sizeof(Entry) > options.max_memory / 2) ThinRows();
}

// Keeps every second row, evenly; all that points to rows follows.
void LeakIndexBuilder::Impl::ThinRows() {
  ++stats.row_thinning;
  const uint32_t bit = uint32_t{1} << (stats.row_thinning % 31);
  std::vector<uint32_t> moved(rows.size(), UINT32_MAX);
  std::vector<RowInfo> kept;
  std::vector<uint32_t> counts(tables.size(), 0);
  std::vector<std::vector<uint8_t>> signatures(tables.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if ((Scramble(i * 2 + 1) & bit) != 0) continue;
    moved[i] = static_cast<uint32_t>(kept.size());
    RowInfo row = rows[i];
    const auto& old = tables[row.table].signature;
    const size_t width = tables[row.table].columns.size();
    const auto from = old.begin() + static_cast<ptrdiff_t>(row.local * width);
    signatures[row.table].insert(signatures[row.table].end(), from,
                                 from + static_cast<ptrdiff_t>(width));
    row.local = counts[row.table]++;
    kept.push_back(row);
  }
  rows = std::move(kept);
  for (size_t t = 0; t < tables.size(); ++t) {
    tables[t].rows = counts[t];
    tables[t].signature = std::move(signatures[t]);
  }
  std::erase_if(entries, [&](Entry& e) { return (e.row = moved[e.row]) == UINT32_MAX; });
  std::erase_if(whole, [&](Hashed& h) { return (h.row = moved[h.row]) == UINT32_MAX; });
}

void LeakIndexBuilder::Impl::AddShingle(uint64_t fingerprint) {
  const uint64_t mask = (uint64_t{1} << stats.shingle_thinning) - 1;
  if ((fingerprint & mask) != 0) return;
  shingles.push_back(fingerprint & kKeyMask);
  if (shingles.size() * 8 > options.max_memory / 4) {
    ++stats.shingle_thinning;
    const uint64_t more = (uint64_t{1} << stats.shingle_thinning) - 1;
    std::erase_if(shingles, [&](uint64_t f) { return (f & more) != 0; });
  }
}

void LeakIndexBuilder::Impl::BuildValues(LeakIndex::Data& data,
                                         std::vector<std::vector<float>>& common_share) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.key, a.column, a.row) < std::tie(b.key, b.column, b.row);
  });
  std::vector<Entry> rare, common;  // `row` of a common entry is its frequency
  std::vector<std::vector<double>> bits(tables.size());
  common_share.resize(tables.size());
  for (size_t t = 0; t < tables.size(); ++t) {
    bits[t].assign(tables[t].columns.size(), 0);
    common_share[t].assign(tables[t].columns.size(), 0);
  }
  for (size_t i = 0; i < entries.size();) {
    size_t end = i;
    while (end < entries.size() && entries[end].key == entries[i].key) ++end;
    const bool is_rare = end - i <= kRareRows;
    for (size_t at = i; at < end;) {
      size_t stop = at;
      while (stop < end && entries[stop].column == entries[at].column) ++stop;
      const auto count = static_cast<double>(stop - at);
      const uint32_t table = data.column_table[entries[at].column];
      const uint32_t local = entries[at].column - tables[table].first_column;
      const double rows_here = tables[table].rows;
      if (entries[at].exact != 0 && rows_here > 0) {
        bits[table][local] += count / rows_here * std::log2(std::max(1.0, rows_here / count));
        if (!is_rare) common_share[table][local] += static_cast<float>(count / rows_here);
      }
      if (is_rare) {
        rare.insert(rare.end(), entries.begin() + static_cast<ptrdiff_t>(at),
                    entries.begin() + static_cast<ptrdiff_t>(stop));
      } else {
        common.push_back(
            {entries[at].key, static_cast<uint32_t>(stop - at), entries[at].column, 1});
      }
      at = stop;
    }
    i = end;
  }
  const auto posting = [](const Entry& e) { return Posting{e.row, e.column}; };
  data.rare = Collect(rare.begin(), rare.end(), posting);
  data.common = Collect(common.begin(), common.end(), posting);
  for (size_t t = 0; t < tables.size(); ++t) {
    for (const double b : bits[t]) tables[t].entropy.push_back(static_cast<float>(b));
  }
  std::sort(whole.begin(), whole.end(), [](const Hashed& a, const Hashed& b) {
    return std::tie(a.key, a.row) < std::tie(b.key, b.row);
  });
  data.whole =
      Collect(whole.begin(), whole.end(), [](const Hashed& h) { return Posting{h.row, 0}; });
}

// Pairs of common cells: how rows of tables without rare values are found.
void LeakIndexBuilder::Impl::BuildPairs(LeakIndex::Data& data,
                                        const std::vector<std::vector<float>>& common_share) {
  std::unordered_map<uint32_t, uint8_t> slot;  // column -> place among its table's chosen ones
  for (size_t t = 0; t < tables.size(); ++t) {
    std::vector<std::pair<float, uint32_t>> candidates;
    for (uint32_t c = 0; c < tables[t].columns.size(); ++c) {
      if (common_share[t][c] > 0.5f && tables[t].entropy[c] > 0.8f) {
        candidates.emplace_back(-tables[t].entropy[c], c);
      }
    }
    std::sort(candidates.begin(), candidates.end());
    for (size_t i = 0; i < std::min(candidates.size(), kPairColumns); ++i) {
      slot.emplace(tables[t].first_column + candidates[i].second, static_cast<uint8_t>(i));
    }
  }
  if (slot.empty()) return;
  std::vector<std::array<uint64_t, kPairColumns>> keys(rows.size());
  for (const Entry& e : entries) {
    const auto at = slot.find(e.column);
    if (e.exact != 0 && at != slot.end()) keys[e.row][at->second] = e.key;
  }
  std::vector<Hashed> pairs;
  for (uint32_t row = 0; row < keys.size(); ++row) {
    for (size_t a = 0; a < kPairColumns; ++a) {
      for (size_t b = a + 1; b < std::min(kPairColumns, a + 4); ++b) {
        if (keys[row][a] == 0 || keys[row][b] == 0) continue;
        pairs.push_back({hash.Pair(keys[row][a], keys[row][b]) & kKeyMask, row});
      }
    }
  }
  std::sort(pairs.begin(), pairs.end(), [](const Hashed& a, const Hashed& b) {
    return std::tie(a.key, a.row) < std::tie(b.key, b.row);
  });
  std::vector<Hashed> kept;
  for (size_t i = 0; i < pairs.size();) {
    size_t end = i;
    while (end < pairs.size() && pairs[end].key == pairs[i].key) ++end;
    if (end - i <= kRareRows)
      kept.insert(kept.end(), pairs.begin() + static_cast<ptrdiff_t>(i),
                  pairs.begin() + static_cast<ptrdiff_t>(end));
    i = end;
  }
  data.pairs = Collect(kept.begin(), kept.end(), [](const Hashed& h) { return Posting{h.row, 0}; });
}

void LeakIndexBuilder::Impl::BuildFactors() {
  for (size_t t = 0; t < tables.size(); ++t) {
    EstimateDependence(samples[t], tables[t]);
    samples[t].clear();
  }
}

void LeakIndexBuilder::Impl::BuildShingles(LeakIndex::Data& data) {
  std::sort(shingles.begin(), shingles.end());
  std::vector<uint64_t> kept;
  for (size_t i = 0; i < shingles.size();) {
    size_t end = i;
    while (end < shingles.size() && shingles[end] == shingles[i]) ++end;
    if (end - i <= kShinglePlaces) kept.push_back(shingles[i]);
    i = end;
  }
  data.shingles.Assign(std::move(kept));
}

LeakIndexBuilder::LeakIndexBuilder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LeakIndexBuilder::LeakIndexBuilder(LeakIndexBuilder&&) noexcept = default;
LeakIndexBuilder& LeakIndexBuilder::operator=(LeakIndexBuilder&&) noexcept = default;
LeakIndexBuilder::~LeakIndexBuilder() = default;

Result<LeakIndexBuilder> LeakIndexBuilder::New(ByteView key, const LeakIndexOptions& options) {
  if (key.size() != kLeakKeySize) return Fail("crypto.bad_key", "an index key has 32 bytes");
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(impl->hash, KeyedHash::New(key));
  impl->check_key = ToBytes(key.subspan(16));
  impl->options = options;
  return LeakIndexBuilder(std::move(impl));
}

Result<> LeakIndexBuilder::AddFile(std::string_view path, const ByteSource& source) {
  FileFeed feed(*impl_, std::string(path));
  Bytes buffer(size_t{64} << 10);
  for (;;) {
    ASSIGN_OR_RETURN(const size_t n, source(buffer));
    impl_->stats.bytes += n;
    feed.Feed(ByteView(buffer).first(n), n == 0);
    if (n == 0) break;
  }
  ++impl_->stats.files;
  impl_->stats.tables += feed.is_table();
  return {};
}

Result<LeakIndex> LeakIndexBuilder::Finish() {
  auto data = std::make_unique<LeakIndex::Data>();
  data->hash = impl_->hash;
  data->check = impl_->hash(KeyKind::kCheck, impl_->check_key);
  for (uint32_t t = 0; t < impl_->tables.size(); ++t) {
    data->column_table.insert(data->column_table.end(), impl_->tables[t].columns.size(), t);
  }
  std::vector<std::vector<float>> common_share;
  impl_->BuildValues(*data, common_share);
  impl_->BuildPairs(*data, common_share);
  impl_->BuildFactors();
  impl_->BuildShingles(*data);
  data->tables = std::move(impl_->tables);
  data->rows = std::move(impl_->rows);
  data->stats = impl_->stats;
  data->stats.keys = data->rare.keys.size() + data->common.keys.size();
  data->stats.postings = data->rare.postings.size() + data->pairs.postings.size();
  data->stats.shingles = data->shingles.size();
  impl_.reset();
  return LeakIndex(std::move(data));
}

}  // namespace cce::gate
