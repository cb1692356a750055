#include "gate/records.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "gate/table.h"
#include "gate/text.h"

namespace cce::gate {
namespace {

constexpr size_t kBlock = size_t{1} << 21;  // text is taken in blocks of so many bytes
constexpr size_t kMaxCandidates = 50'000;   // of one file
constexpr size_t kMaxTable = size_t{16} << 20;
constexpr uint32_t kNoColumn = UINT32_MAX;

// Bits to say which k of n.
double ChoiceBits(size_t k, size_t n) {
  if (k == 0 || k >= n) return 0;
  const double q = static_cast<double>(k) / static_cast<double>(n);
  return static_cast<double>(n) * -(q * std::log2(q) + (1 - q) * std::log2(1 - q));
}

// Text and attribute values of XML or HTML; an element that holds others ends in a line end, so
// that a row is a line.
std::string WithoutTags(std::string_view text) {
  std::string out;
  bool closed_before = false;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '<') {
      const size_t end = std::min(text.find('<', at), text.size());
      for (const char c : text.substr(at, end - at)) out += c == '\n' || c == '\r' ? ' ' : c;
      at = end;
      continue;
    }
    const size_t end = std::min(text.find('>', at), text.size());
    const std::string_view tag = text.substr(at + 1, end - at - 1);
    const bool closes = tag.starts_with('/');
    out += closes && closed_before ? '\n' : ' ';
    closed_before = closes || tag.ends_with('/');
    if (tag.starts_with("!")) {
      out += tag;
    } else {
      const size_t attributes = tag.find_first_of(" \t\r\n");
      if (attributes != std::string_view::npos) out += tag.substr(attributes);
    }
    at = end + 1;
  }
  return out;
}

size_t InformativeColumns(const TableInfo& table) {
  return static_cast<size_t>(
      std::count_if(table.entropy.begin(), table.entropy.end(), [](float e) { return e > 0.05f; }));
}

}  // namespace

RecordDetector::RecordDetector(const LeakIndex::Data& data) : data_(data) {
  size_t widest = 8;
  for (const TableInfo& t : data.tables) widest = std::max(widest, t.columns.size());
  span_ = std::clamp<size_t>(2 * widest + 8, 24, 512);
}

void RecordDetector::Tokenise(std::string_view text, std::vector<OutToken>& out) const {
  Canon canon;
  ForEachToken(text, [&](std::string_view token) {
    if (!Canonicalise(token, canon)) return;
    OutToken t;
    t.exact = data_.hash.Cell(KeyKind::kExact, canon) & kKeyMask;
    if (canon.number) {
      t.mantissa = canon.mantissa;
      t.exponent = canon.exponent;
      t.negative = canon.negative;
      t.digits = canon.digits;
      const Canon six = Rounded(canon, 6);
      if (canon.digits > 3) t.six = data_.hash.Cell(KeyKind::kSix, six) & kKeyMask;
      t.three = data_.hash.Cell(KeyKind::kThree, Rounded(canon, 3)) & kKeyMask;
      if (canon.digits > 6) t.exact_of_six = data_.hash.Cell(KeyKind::kExact, six) & kKeyMask;
    }
    out.push_back(t);
  });
}

void RecordDetector::Add(const View& view) {
  if (view.kind == ViewKind::kBinary || view.kind == ViewKind::kUnreadable) return;
  FileEvidence& evidence = files_.emplace_back();
  evidence.file = ChainText(view);
  const std::string_view text = AsText(view.bytes);
  if (view.kind == ViewKind::kJson && AddJson(text, evidence)) return;
  if (view.kind == ViewKind::kXml) return AddText(WithoutTags(text), evidence, true);
  AddText(text, evidence, view.kind != ViewKind::kTable);
  if (view.kind == ViewKind::kTable && text.size() <= kMaxTable) AddTableColumns(text, evidence);
}

void RecordDetector::AddText(std::string_view text, FileEvidence& evidence, bool slide) {
  std::vector<OutToken> tokens;
  std::vector<size_t> ends;  // of each line among the tokens
  uint64_t first_line = 1;
  const auto flush = [&] {
    size_t begin = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      const auto line = std::span(tokens).subspan(begin, ends[i] - begin);
      if (line.size() >= 3) {
        ++evidence.lines;
        MatchWhole(line, evidence);
        WindowsOf(line, first_line + i, evidence);
      }
      begin = ends[i];
    }
    // Short lines: a record may lie over many of them.
    if ((slide || ends.size() > tokens.size() / 3) && tokens.size() < ends.size() * 12) {
      for (size_t at = 0; at < tokens.size(); at += span_ / 2) {
        const size_t n = std::min(span_, tokens.size() - at);
        const auto line = std::upper_bound(ends.begin(), ends.end(), at) - ends.begin();
        MatchWindow(std::span(tokens).subspan(at, n), first_line + static_cast<uint64_t>(line),
                    evidence);
        if (n < span_) break;
      }
    }
    CountValues(tokens, evidence);
    first_line += ends.size();
    tokens.clear();
    ends.clear();
  };
  size_t bytes = 0;
  ForEachLine(text, [&](std::string_view line, size_t) {
    Tokenise(line, tokens);
    ends.push_back(tokens.size());
    bytes += line.size() + 1;
    if (bytes > kBlock) {
      flush();
      bytes = 0;
    }
  });
  flush();
}

// A table on its side: each column a record.
void RecordDetector::AddTableColumns(std::string_view text, FileEvidence& evidence) {
  const auto delimiter = SniffDelimiter(text);
  if (!delimiter) return;
  std::vector<std::vector<OutToken>> columns;
  std::vector<std::string_view> cells;
  size_t lines = 0;
  ForEachLine(text, [&](std::string_view line, size_t) {
    if (++lines > span_) return;
    SplitCells(line, *delimiter, cells);
    if (columns.size() < cells.size() && columns.size() < 100'000) columns.resize(cells.size());
    for (size_t c = 0; c < cells.size() && c < columns.size(); ++c) Tokenise(cells[c], columns[c]);
  });
  if (lines > span_) return;
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].size() >= 3) MatchWindow(columns[c], c + 1, evidence);
  }
}

bool RecordDetector::AddJson(std::string_view text, FileEvidence& evidence) {
  const auto root = ParseLooseJson(text);
  if (!root) return false;
  uint64_t place = 0;
  std::vector<OutToken> all;
  const auto scalar = [](const json::value& v) {
    return v.is_number() || v.is_string() || v.is_bool();
  };
  const auto tokens_of = [&](const json::value& v, std::vector<OutToken>& out) {
    if (v.is_string()) {
      Tokenise(std::string_view(v.get_string()), out);
    } else if (scalar(v)) {
      Tokenise(ToJson(v), out);
    }
  };
  // Sibling arrays of equal length are columns: read across.
  const auto across = [&](const std::vector<const json::array*>& arrays) {
    std::map<size_t, std::vector<const json::array*>> by_size;
    for (const auto* a : arrays) {
      if (!a->empty() && scalar((*a)[0])) by_size[a->size()].push_back(a);
    }
    for (const auto& [size, group] : by_size) {
      if (group.size() < 2) continue;
      for (size_t i = 0; i < size; ++i) {
        std::vector<OutToken> row;
        for (const auto* a : group) tokens_of((*a)[i], row);
        ++evidence.lines;
        MatchWhole(row, evidence);
        WindowsOf(row, i + 1, evidence);
      }
    }
  };
  const auto visit = [&](auto&& self, const json::value& v, int depth) -> void {
    std::vector<OutToken> own;
    std::vector<const json::array*> arrays;
    const auto member = [&](const json::value& m) {
      if (scalar(m)) {
        tokens_of(m, own);
      } else {
        if (m.is_array()) arrays.push_back(&m.get_array());
        self(self, m, depth + 1);
      }
    };
    if (v.is_object()) {
      for (const auto& [key, m] : v.get_object()) {
        Tokenise(std::string_view(key), all);  // an index or an id may be a member's name
        if (!all.empty() && all.back().digits > 0) own.push_back(all.back());
        member(m);
      }
    } else if (v.is_array()) {
      for (const json::value& m : v.get_array()) member(m);
    } else {
      tokens_of(v, own);
    }
    ++place;
    across(arrays);
    // {"age": {"0": 48, ...}, "wtkg": {"0": 89.8, ...}}: objects of equal size are columns too.
    if (v.is_object() && v.get_object().size() >= 2) {
      std::vector<std::vector<OutToken>> rows;
      bool columns = true;
      for (const auto& [key, m] : v.get_object()) {
        if (!m.is_object() || m.get_object().empty() ||
            (!rows.empty() && m.get_object().size() != rows.size())) {
          columns = false;
          break;
        }
        rows.resize(m.get_object().size());
        size_t i = 0;
        for (const auto& [inner_key, inner] : m.get_object()) tokens_of(inner, rows[i++]);
      }
      for (size_t i = 0; columns && i < rows.size(); ++i) {
        MatchWhole(rows[i], evidence);
        WindowsOf(rows[i], i + 1, evidence);
      }
    }
    if (own.size() >= 3) {
      ++evidence.lines;
      MatchWhole(own, evidence);
      WindowsOf(own, place, evidence);
    }
    all.insert(all.end(), own.begin(), own.end());
    if (all.size() > kBlock / 4) {
      CountValues(all, evidence);
      all.clear();
    }
  };
  visit(visit, *root, 0);
  CountValues(all, evidence);
  return true;
}

void RecordDetector::WindowsOf(std::span<const OutToken> tokens, uint64_t place,
                               FileEvidence& evidence) {
  for (size_t at = 0;; at += span_ / 2) {
    const size_t n = std::min(span_, tokens.size() - at);
    MatchWindow(tokens.subspan(at, n), place, evidence);
    if (at + n >= tokens.size()) return;
  }
}

void RecordDetector::MatchWhole(std::span<const OutToken> tokens, FileEvidence& evidence) {
  if (tokens.size() < 3 || tokens.size() > 2 * kMaxColumns) return;
  std::vector<uint64_t> cells;
  for (const OutToken& t : tokens) cells.push_back(t.exact);
  // A data frame's own row number often stands first.
  for (const bool skip_first : {false, true}) {
    if (skip_first) {
      cells.clear();
      for (const OutToken& t : tokens.subspan(1)) cells.push_back(t.exact);
      if (cells.size() < 3) return;
    }
    const auto found = data_.whole.Find(data_.hash.Row(cells));
    if (found.empty()) continue;
    ++evidence.whole_lines;
    const float bits = data_.TableOfRow(found[0].value).row_bits;
    if (bits >= evidence.whole_bits) {
      evidence.whole_bits = bits;
      evidence.whole_row = found[0].value;
    }
    return;
  }
}

// How surprising it is that a token equals a cell of this frequency: less for frequent values, for
// long windows, and never more than its digits can say.
double RecordDetector::ChanceBits(uint32_t rows, double frequency, const OutToken& token,
                                  size_t window, size_t columns) const {
  double bits = std::log2(std::max(1.0, rows / frequency));
  if (token.digits > 0) bits = std::min(bits, 3.33 * token.digits + 1);
  if (window > columns)
    bits -= std::log2(static_cast<double>(window) / static_cast<double>(columns));
  return bits;
}

void RecordDetector::CollectHits(size_t window_size) {
  hits_.clear();
  const auto add = [&](uint64_t key, uint32_t u, int digits_at_most) {
    const auto postings = data_.rare.Find(key);
    OutToken token = *unique_[u].token;
    if (token.digits > digits_at_most) token.digits = static_cast<uint8_t>(digits_at_most);
    for (const Posting& p : postings) {
      const TableInfo& table = data_.TableOfRow(p.value);
      const double bits = ChanceBits(table.rows, static_cast<double>(postings.size()), token,
                                     window_size, table.columns.size());
      const double token_bits =
          ChanceBits(table.rows, static_cast<double>(postings.size()), token, 0, 1);
      if (bits > 0.5)
        hits_.push_back(
            {p.value, {p.column, u, static_cast<float>(bits), static_cast<float>(token_bits)}});
    }
  };
  for (uint32_t u = 0; u < unique_.size(); ++u) {
    const OutToken& t = *unique_[u].token;
    unique_[u].common = data_.common.Find(t.exact);
    add(t.exact, u, 13);
    if (t.digits == 0) continue;
    if (t.six != 0) add(t.six, u, 6);
    if (t.exact_of_six != 0) add(t.exact_of_six, u, 6);
    add(t.three, u, 3);
  }
}

void RecordDetector::CollectPairs() {
  if (data_.pairs.keys.size() == 0) return;
  std::vector<uint32_t> common;
  for (uint32_t u = 0; u < unique_.size() && common.size() < 40; ++u) {
    if (!unique_[u].common.empty()) common.push_back(u);
  }
  for (size_t a = 0; a < common.size(); ++a) {
    for (size_t b = a; b < common.size(); ++b) {
      if (a == b && unique_[common[a]].count < 2) continue;
      const uint64_t key =
          data_.hash.Pair(unique_[common[a]].token->exact, unique_[common[b]].token->exact);
      for (const Posting& p : data_.pairs.Find(key))
        hits_.push_back({p.value, {kNoColumn, 0, 0, 0}});
    }
  }
}

// Adds the row's common cells that stand in the window too, by their signatures.
void RecordDetector::VerifyRow(uint32_t row, std::vector<Match>& matches,
                               size_t window_size) const {
  const RowInfo& info = data_.rows[row];
  const TableInfo& table = data_.tables[info.table];
  const double signature_bits = 8 - std::log2(static_cast<double>(window_size) + 1);
  for (uint32_t u = 0; u < unique_.size(); ++u) {
    double anywhere = 0;  // cells of this value in the table, in whatever column
    for (const Posting& p : unique_[u].common) {
      if (data_.column_table[p.column] == info.table) anywhere += p.value;
    }
    for (const Posting& p : unique_[u].common) {
      if (data_.column_table[p.column] != info.table) continue;
      const uint32_t local = p.column - table.first_column;
      if (table.signature[size_t{info.local} * table.columns.size() + local] !=
          static_cast<uint8_t>(unique_[u].token->exact)) {
        continue;
      }
      const double bits = std::min(
          signature_bits,
          ChanceBits(table.rows, p.value, *unique_[u].token, window_size, table.columns.size()));
      const double token_bits =
          std::min(signature_bits, ChanceBits(table.rows, anywhere, *unique_[u].token, 0, 1));
      matches.push_back({p.column, u, static_cast<float>(std::max(bits, 0.0)),
                         static_cast<float>(std::max(token_bits, 0.0))});
    }
  }
}

// Lets each token and each column count once, the strongest first, and what another column already
// told not at all. Returns the bits.
float RecordDetector::Settle(uint32_t row, std::vector<Match>& matches) const {
  std::sort(matches.begin(), matches.end(),
            [](const Match& a, const Match& b) { return a.bits > b.bits; });
  const TableInfo& table = data_.TableOfRow(row);
  std::vector<uint32_t> used(unique_.size(), 0);
  std::vector<Match> kept;
  float sum = 0;
  for (Match m : matches) {
    if (used[m.token] >= unique_[m.token].count) continue;
    if (std::any_of(kept.begin(), kept.end(), [&](const Match& k) { return k.column == m.column; }))
      continue;
    double left = 1;
    for (const Match& k : kept) {
      left =
          std::min(left, table.Left(m.column - table.first_column, k.column - table.first_column));
    }
    ++used[m.token];
    m.bits *= static_cast<float>(left);
    m.token_bits *= static_cast<float>(left);
    sum += m.bits;
    kept.push_back(m);
  }
  matches = std::move(kept);
  return sum;
}

void RecordDetector::MatchWindow(std::span<const OutToken> tokens, uint64_t place,
                                 FileEvidence& evidence) {
  ++windows_;
  if (tokens.size() < 2 || data_.rows.empty()) return;
  std::vector<const OutToken*> sorted;
  for (const OutToken& t : tokens) sorted.push_back(&t);
  std::sort(sorted.begin(), sorted.end(),
            [](const OutToken* a, const OutToken* b) { return a->exact < b->exact; });
  unique_.clear();
  for (const OutToken* t : sorted) {
    if (unique_.empty() || unique_.back().token->exact != t->exact) unique_.push_back({t, 0, {}});
    ++unique_.back().count;
  }
  CollectHits(tokens.size());
  CollectPairs();
  if (hits_.empty()) return;
  std::sort(hits_.begin(), hits_.end(), [](const Hit& a, const Hit& b) { return a.row < b.row; });
  double possible = 0;  // what common cells could add at most
  for (const Unique& u : unique_) {
    if (u.common.empty()) continue;
    uint32_t least = UINT32_MAX;
    for (const Posting& p : u.common) least = std::min(least, p.value);
    possible += u.count * std::log2(std::max(1.0, static_cast<double>(data_.rows.size()) / least));
  }
  const double floor_bits = std::log2(static_cast<double>(data_.rows.size())) + 3;
  Candidate best;
  bool full = false;
  for (size_t i = 0; i < hits_.size();) {
    size_t end = i;
    double rare = 0;
    std::vector<Match> matches;
    for (; end < hits_.size() && hits_[end].row == hits_[i].row; ++end) {
      rare += static_cast<double>(hits_[end].match.bits);
      if (hits_[end].match.column != kNoColumn) matches.push_back(hits_[end].match);
    }
    const uint32_t row = hits_[i].row;
    i = end;
    if (rare + possible < floor_bits || rare + possible < static_cast<double>(best.bits)) continue;
    VerifyRow(row, matches, tokens.size());
    const float bits = Settle(row, matches);
    const size_t columns = InformativeColumns(data_.TableOfRow(row));
    full = full || (columns >= 4 && matches.size() * 5 >= columns * 4);
    if (bits > best.bits)
      best = {row, place, static_cast<uint32_t>(unique_.size()), bits, std::move(matches)};
  }
  evidence.full_lines += full;
  if (static_cast<double>(best.bits) >= floor_bits && evidence.candidates.size() < kMaxCandidates) {
    evidence.candidates.push_back(std::move(best));
  }
}

// Numbers of four and more digits: how many are the dataset's own, and how many of their neighbours
// are (which is how many would be by chance, there).
void RecordDetector::CountValues(std::span<const OutToken> tokens, FileEvidence& evidence) {
  const auto known = [&](const Canon& c) {
    const uint64_t key = data_.hash.Cell(KeyKind::kExact, c) & kKeyMask;
    return !data_.rare.Find(key).empty() || !data_.common.Find(key).empty();
  };
  for (const OutToken& t : tokens) {
    if (t.digits < 4 || evidence.precise.size() > 100'000 ||
        !evidence.precise.insert(t.exact).second)
      continue;
    evidence.contained += !data_.rare.Find(t.exact).empty() || !data_.common.Find(t.exact).empty();
    for (const int64_t step : {-7, -3, 3, 7}) {
      Canon c{.number = true, .negative = t.negative, .digits = t.digits, .exponent = t.exponent};
      c.mantissa = static_cast<uint64_t>(static_cast<int64_t>(t.mantissa) + step);
      evidence.near += known(Rounded(c, 13));
    }
  }
}

std::string RecordDetector::Describe(const Candidate& candidate, double bits) const {
  const TableInfo& table = data_.TableOfRow(candidate.row);
  std::string out = data_.RowName(candidate.row) + ": " + std::to_string(candidate.matches.size()) +
                    " of " + std::to_string(table.columns.size()) + " cells (";
  for (size_t i = 0; i < std::min<size_t>(candidate.matches.size(), 6); ++i) {
    if (i > 0) out += ", ";
    out += table.columns[candidate.matches[i].column - table.first_column];
  }
  if (candidate.matches.size() > 6) out += ", ...";
  return out + "), " + std::to_string(static_cast<int>(bits)) + " bits";
}

// Evidence less what it costs to say which cells were found. Either of the row's cells, each by the
// chance that the window holds it; or of the window's tokens, each by the chance that it equals any
// cell of the row: a short window that is all matched says more by its tokens, a long one by its
// cells.
double RecordDetector::Evidence(const Candidate& candidate) const {
  double tokens = 0;
  size_t k = 0;
  for (const Match& m : candidate.matches) {
    if (m.token_bits <= 0) continue;
    tokens += static_cast<double>(m.token_bits);
    ++k;
  }
  tokens -= ChoiceBits(k, candidate.tokens);
  const double cells =
      static_cast<double>(candidate.bits) -
      ChoiceBits(candidate.matches.size(), InformativeColumns(data_.TableOfRow(candidate.row)));
  return std::max(tokens, cells);
}

// The columns that the whole file seems to be made of: naming them once is cheaper than for each
// row.
std::set<uint32_t> RecordDetector::ColumnsOf(const FileEvidence& evidence) {
  std::map<uint32_t, size_t> votes;
  for (const Candidate& c : evidence.candidates) {
    for (const Match& m : c.matches) ++votes[m.column];
  }
  std::set<uint32_t> columns;
  for (const auto& [column, n] : votes) {
    if (n * 2 >= evidence.candidates.size()) columns.insert(column);
  }
  return columns;
}

// Evidence by cells of these columns alone, less what it costs to say which of them were found.
double RecordDetector::EvidenceWithin(const Candidate& candidate,
                                      const std::set<uint32_t>& columns) {
  double bits = 0;
  size_t k = 0;
  for (const Match& m : candidate.matches) {
    if (columns.count(m.column) == 0) continue;
    bits += static_cast<double>(m.bits);
    ++k;
  }
  return bits - ChoiceBits(k, columns.size());
}

void RecordDetector::ReportRecords(const FileEvidence& evidence, int dataset,
                                   std::vector<Finding>& findings) const {
  if (evidence.candidates.empty()) return;
  const double needed = std::log2(static_cast<double>(std::max<uint64_t>(data_.stats.rows, 2))) +
                        std::log2(static_cast<double>(windows_)) + 8;
  const std::set<uint32_t> mask = ColumnsOf(evidence);
  std::set<uint32_t> rows;
  const Candidate* best = nullptr;
  double best_bits = 0;
  const auto take = [&](const Candidate& c, double bits) {
    rows.insert(c.row);
    if (bits > best_bits) {
      best_bits = bits;
      best = &c;
    }
  };
  std::vector<std::pair<const Candidate*, double>> masked;
  double surplus = 0;
  for (const Candidate& c : evidence.candidates) {
    const double bits = Evidence(c);
    if (bits > needed) take(c, bits);
    const double inside = EvidenceWithin(c, mask);
    if (inside > needed) {
      masked.emplace_back(&c, inside);
      surplus += inside - needed;
    }
  }
  const TableInfo& table = data_.TableOfRow(evidence.candidates[0].row);
  if (masked.size() >= 3 && surplus > ChoiceBits(mask.size(), InformativeColumns(table))) {
    for (const auto& [c, bits] : masked) take(*c, bits);
  }
  if (best == nullptr) return;
  findings.push_back({.cls = FindingClass::kRecords,
                      .strength = std::min(0.99, 0.9 + 0.01 * static_cast<double>(rows.size())),
                      .file = evidence.file,
                      .place = "place " + std::to_string(best->place),
                      .message = std::to_string(rows.size()) + " records; " +
                                 Describe(*best, best_bits) + "; needed " +
                                 std::to_string(static_cast<int>(needed)),
                      .count = rows.size(),
                      .dataset = dataset});
}

// Rows of little information: none is there beyond doubt, but many together are. Each distinct row
// counts what it has over the best of all rows by chance; and lines that hold nearly all cells of
// some row are a table of people, whoever they are.
void RecordDetector::ReportTogether(const FileEvidence& evidence, int dataset,
                                    std::vector<Finding>& findings) const {
  const double by_chance = std::log2(static_cast<double>(std::max<uint64_t>(data_.stats.rows, 2)));
  const std::set<uint32_t> columns = ColumnsOf(evidence);
  std::map<uint32_t, double> alone, within;
  const auto count = [&](std::map<uint32_t, double>& rows, uint32_t row, double surplus) {
    if (surplus >= 3) rows[row] = std::max(rows[row], surplus);
  };
  for (const Candidate& c : evidence.candidates) {
    count(alone, c.row, Evidence(c) - by_chance);
    count(within, c.row, EvidenceWithin(c, columns) - by_chance);
  }
  const auto sum = [&](const std::map<uint32_t, double>& rows, double cost) {
    double total = -cost - ChoiceBits(rows.size(), std::max<size_t>(evidence.lines, rows.size()));
    for (const auto& [row, surplus] : rows) total += surplus;
    return total;
  };
  const double alone_bits = sum(alone, 0);
  const double within_bits =
      evidence.candidates.empty()
          ? 0
          : sum(within,
                ChoiceBits(columns.size(),
                           InformativeColumns(data_.TableOfRow(evidence.candidates[0].row))));
  const auto& best = alone_bits >= within_bits ? alone : within;
  const double bits = std::max(alone_bits, within_bits);
  const bool together = best.size() >= 3 && bits > 24;
  const bool full = evidence.full_lines >= 10 && evidence.full_lines * 3 >= evidence.lines;
  if (!together && !full) return;
  const size_t rows = std::max<size_t>(together ? best.size() : 0, full ? evidence.full_lines : 0);
  findings.push_back({.cls = FindingClass::kRecords,
                      .strength = std::min(0.95, 0.8 + 0.01 * static_cast<double>(rows)),
                      .file = evidence.file,
                      .message = std::to_string(best.size()) + " rows that together have " +
                                 std::to_string(static_cast<int>(std::max(bits, 0.0))) +
                                 " bits more than chance; " + std::to_string(evidence.full_lines) +
                                 " lines hold nearly all cells of a row",
                      .count = rows,
                      .dataset = dataset});
}

void RecordDetector::ReportWhole(const FileEvidence& evidence, int dataset,
                                 std::vector<Finding>& findings) const {
  if (evidence.whole_lines == 0) return;
  const double needed = std::log2(static_cast<double>(std::max<uint64_t>(data_.stats.rows, 2))) +
                        std::log2(static_cast<double>(std::max<uint64_t>(evidence.lines, 1))) + 8;
  const bool strong = static_cast<double>(evidence.whole_bits) > needed;
  // Rows of little information repeat by chance: then it takes many.
  const bool many = evidence.whole_lines >= 20 && evidence.whole_lines * 2 >= evidence.lines;
  if (!strong && !many) return;
  findings.push_back({.cls = FindingClass::kRecords,
                      .strength = 0.95,
                      .file = evidence.file,
                      .message = std::to_string(evidence.whole_lines) + " whole rows, such as " +
                                 data_.RowName(evidence.whole_row),
                      .count = evidence.whole_lines,
                      .dataset = dataset});
}

void RecordDetector::ReportValues(const FileEvidence& evidence, int dataset,
                                  std::vector<Finding>& findings) const {
  const auto all = static_cast<double>(evidence.precise.size());
  const auto own = static_cast<double>(evidence.contained);
  if (evidence.contained < 10 || own < 0.25 * all) return;
  const double share = own / all;
  const double chance = std::clamp(static_cast<double>(evidence.near) / (4 * all), 0.01, 1.0);
  if (share < 1.5 * chance) return;
  double bits = share * std::log2(share / chance);
  if (share < 1) bits += (1 - share) * std::log2((1 - share) / (1 - std::min(chance, 0.999)));
  if (all * bits < 30) return;
  findings.push_back({.cls = FindingClass::kValues,
                      .strength = 0.85,
                      .file = evidence.file,
                      .message = std::to_string(evidence.contained) + " of " +
                                 std::to_string(evidence.precise.size()) +
                                 " precise numbers are values of the dataset; by chance " +
                                 std::to_string(static_cast<int>(chance * 100)) + " %",
                      .count = evidence.contained,
                      .dataset = dataset});
}

void RecordDetector::Finish(int dataset, std::vector<Finding>& findings) {
  for (const FileEvidence& evidence : files_) {
    ReportRecords(evidence, dataset, findings);
    ReportTogether(evidence, dataset, findings);
    ReportWhole(evidence, dataset, findings);
    ReportValues(evidence, dataset, findings);
  }
  files_.clear();
}

}  // namespace cce::gate
