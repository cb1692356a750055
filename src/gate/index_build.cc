// Building: files stream by and become rows, (key, row, column) entries and shingles.
#include <algorithm>
#include <bit>

#include "gate/index_builder.h"
#include "gate/table.h"
#include "gate/text.h"
#include "gate/winnow.h"

namespace cce::gate {
namespace {

constexpr size_t kMaxLine = size_t{1} << 20;  // longer lines are no records
constexpr size_t kSampleRows =
    4096;  // for dependence, all tables together at most 16 times as many
constexpr size_t kSampleBytes = size_t{12} << 20;
constexpr size_t kSampleCell = 32;
constexpr size_t kMaxTables = 4096;

uint64_t Scramble(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
  x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44du;
  return x ^ (x >> 33);
}

}  // namespace

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
    columns.reserve(width_);
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
  if (tables.size() >= kMaxTables || stats.columns + columns.size() > kMaxAllColumns) {
    return std::nullopt;
  }
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
    entries.Add({key, row, column, 1});
    if (!canon.number) return;
    if (canon.digits > 6) {
      entries.Add({hash.Cell(KeyKind::kSix, Rounded(canon, 6)) & kKeyMask, row, column, 0});
    }
    if (canon.digits > 3) {
      entries.Add({hash.Cell(KeyKind::kThree, Rounded(canon, 3)) & kKeyMask, row, column, 0});
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
  const uint32_t id = row_count++;
  ++info.rows;
  row_keys.clear();
  record.clear();
  AppendU32(record, table);
  AppendU32(record, number);
  for (size_t c = 0; c < info.columns.size(); ++c) {
    uint8_t signature = 0;
    if (c < row.size())
      AddCell(row[c], id, info.first_column + static_cast<uint32_t>(c), signature);
    record.push_back(signature);
  }
  rows.Append(record);
  if (row_keys.size() >= 3) whole.Add({hash.Row(row_keys) & kKeyMask, id});
  Sample(table, row);
  const uint64_t most = options.max_index / 2;
  if (entries.size() * sizeof(Entry) > most || row_count * sizeof(Entry) > most) ThinRows();
}

void LeakIndexBuilder::Impl::Sample(uint32_t table, const std::vector<std::string_view>& row) {
  if (samples[table].size() >= kSampleRows || sampled >= 16 * kSampleRows ||
      sampled_bytes >= kSampleBytes) {
    return;
  }
  std::string kept;
  for (size_t c = 0; c < row.size() && c < kMaxFactorColumns; ++c) {
    const std::string_view cell = row[c].substr(0, kSampleCell);
    kept += static_cast<char>(cell.size());
    kept += cell;
  }
  kept.shrink_to_fit();
  ++sampled;
  sampled_bytes += sizeof(std::string) + kept.capacity();
  samples[table].push_back(std::move(kept));
}

// Keeps every second row, evenly; all that points to rows follows.
void LeakIndexBuilder::Impl::ThinRows() {
  ++stats.row_thinning;
  const uint32_t bit = uint32_t{1} << (stats.row_thinning % 31);
  // Which rows stay, a bit each, and how many do before each word of it.
  std::vector<uint64_t> stays(row_count / 64 + 1, 0);
  for (uint64_t i = 0; i < row_count; ++i) {
    if ((Scramble(i * 2 + 1) & bit) == 0) stays[i / 64] |= uint64_t{1} << i % 64;
  }
  std::vector<uint32_t> before(stays.size(), 0);
  for (size_t w = 1; w < stays.size(); ++w) {
    before[w] = before[w - 1] + static_cast<uint32_t>(std::popcount(stays[w - 1]));
  }
  const auto kept = [&](uint32_t row) { return (stays[row / 64] >> row % 64 & 1) != 0; };
  const auto move = [&](auto& item) {
    if (!kept(item.row)) return false;
    const uint64_t below = stays[item.row / 64] & ((uint64_t{1} << item.row % 64) - 1);
    item.row = before[item.row / 64] + static_cast<uint32_t>(std::popcount(below));
    return true;
  };
  for (TableInfo& table : tables) table.rows = 0;
  ScratchFile fewer(*scratch);
  uint32_t row = 0, count = 0;
  const auto thin = [&]() -> Result<> {
    TRY(ForEachRow([&](uint32_t table, ByteView whole_record) -> Result<> {
      if (!kept(row++)) return {};
      fewer.Append(whole_record);
      ++tables[table].rows;
      ++count;
      return {};
    }));
    TRY(entries.Keep(move));
    return whole.Keep(move);
  };
  if (Result<> thinned = thin(); !thinned) failed = std::move(thinned);
  rows = std::move(fewer);
  row_count = count;
}

void LeakIndexBuilder::Impl::AddShingle(uint64_t fingerprint) {
  const uint64_t mask = (uint64_t{1} << stats.shingle_thinning) - 1;
  if ((fingerprint & mask) != 0) return;
  shingles.Add(fingerprint & kKeyMask);
  if (shingles.size() * sizeof(uint64_t) > options.max_index / 4) {
    ++stats.shingle_thinning;
    const uint64_t more = (uint64_t{1} << stats.shingle_thinning) - 1;
    if (Result<> kept = shingles.Keep([&](uint64_t f) { return (f & more) == 0; }); !kept) {
      failed = std::move(kept);
    }
  }
}

LeakIndexBuilder::LeakIndexBuilder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LeakIndexBuilder::LeakIndexBuilder(LeakIndexBuilder&&) noexcept = default;
LeakIndexBuilder& LeakIndexBuilder::operator=(LeakIndexBuilder&&) noexcept = default;
LeakIndexBuilder::~LeakIndexBuilder() = default;

Result<LeakIndexBuilder> LeakIndexBuilder::New(ByteView key, const LeakIndexOptions& options) {
  if (key.size() != kLeakKeySize) return Fail("crypto.bad_key", "an index key has 32 bytes");
  ASSIGN_OR_RETURN(KeyedHash hash, KeyedHash::New(key));
  ASSIGN_OR_RETURN(auto scratch, Scratch::New(options.scratch_folder));
  return LeakIndexBuilder(
      std::make_unique<Impl>(std::move(hash), key.subspan(16), options, std::move(scratch)));
}

Result<> LeakIndexBuilder::AddFile(std::string_view path, const ByteSource& source) {
  FileFeed feed(*impl_, std::string(path));
  Bytes buffer(size_t{64} << 10);
  for (;;) {
    ASSIGN_OR_RETURN(const size_t n, source(buffer));
    impl_->stats.bytes += n;
    feed.Feed(ByteView(buffer).first(n), n == 0);
    TRY(impl_->failed);
    TRY(impl_->scratch->state());
    if (n == 0) break;
  }
  ++impl_->stats.files;
  impl_->stats.tables += feed.is_table();
  return {};
}

Result<LeakIndexStats> LeakIndexBuilder::Finish(const ByteSink& sink) {
  const std::unique_ptr<Impl> impl = std::move(impl_);
  return impl->Finish(sink);
}

}  // namespace cce::gate
