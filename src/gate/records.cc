#include "gate/records.h"

#include <algorithm>

#include "base/json.h"
#include "gate/table.h"
#include "gate/text.h"

namespace cce::gate {
namespace {

constexpr size_t kBlock = size_t{1} << 21;  // text is taken in blocks of so many bytes
constexpr size_t kMaxTable = size_t{16} << 20;

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

}  // namespace

RecordDetector::RecordDetector(LeakLookup& lookup) : lookup_(lookup), matcher_(lookup) {
  size_t widest = 8;
  for (const TableInfo& t : lookup.data().tables) widest = std::max(widest, t.columns.size());
  span_ = std::clamp<size_t>(2 * widest + 8, 24, 512);
}

void RecordDetector::Tokenise(std::string_view text, std::vector<OutToken>& out) const {
  Canon canon;
  ForEachToken(text, [&](std::string_view token) {
    if (!Canonicalise(token, canon)) return;
    OutToken t;
    t.exact = lookup_.hash().Cell(KeyKind::kExact, canon) & kKeyMask;
    if (canon.number) {
      t.mantissa = canon.mantissa;
      t.exponent = canon.exponent;
      t.negative = canon.negative;
      t.digits = canon.digits;
      const Canon six = Rounded(canon, 6);
      if (canon.digits > 3) t.six = lookup_.hash().Cell(KeyKind::kSix, six) & kKeyMask;
      t.three = lookup_.hash().Cell(KeyKind::kThree, Rounded(canon, 3)) & kKeyMask;
      if (canon.digits > 6) t.exact_of_six = lookup_.hash().Cell(KeyKind::kExact, six) & kKeyMask;
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
        matcher_.Match(std::span(tokens).subspan(at, n), first_line + static_cast<uint64_t>(line),
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
    if (columns[c].size() >= 3) WindowsOf(columns[c], c + 1, evidence);
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
    matcher_.Match(tokens.subspan(at, n), place, evidence);
    if (at + n >= tokens.size()) return;
  }
}

void RecordDetector::MatchWhole(std::span<const OutToken> tokens, FileEvidence& evidence) {
  if (tokens.size() < 3 || tokens.size() > 2 * kMaxColumns) return;
  // A data frame's own row number often stands first.
  for (const size_t skip : {size_t{0}, size_t{1}}) {
    cells_.clear();
    for (const OutToken& t : tokens.subspan(skip)) cells_.push_back(t.exact);
    if (cells_.size() < 3) return;
    lookup_.Trim();
    const std::optional<uint32_t> found = lookup_.Whole(lookup_.hash().Row(cells_));
    if (!found) continue;
    ++evidence.whole_lines;
    const float bits = lookup_.data().tables[lookup_.Row(*found).table].row_bits;
    if (bits >= evidence.whole_bits) {
      evidence.whole_bits = bits;
      evidence.whole_row = *found;
    }
    return;
  }
}

// Numbers of four and more digits: how many are the dataset's own, and how many of their neighbours
// are (which is how many would be by chance, there).
void RecordDetector::CountValues(std::span<const OutToken> tokens, FileEvidence& evidence) {
  const auto holds = [&](uint64_t key) {
    lookup_.Trim();
    return !lookup_.Rare(key).empty() || !lookup_.Common(key).empty();
  };
  const auto known = [&](const Canon& c) { return holds(lookup_.hash().Cell(KeyKind::kExact, c)); };
  for (const OutToken& t : tokens) {
    if (t.digits < 4 || evidence.precise.size() > 100'000 || !evidence.precise.Insert(t.exact)) {
      continue;
    }
    evidence.contained += holds(t.exact);
    for (const int64_t step : {-7, -3, 3, 7}) {
      Canon c{.number = true, .negative = t.negative, .digits = t.digits, .exponent = t.exponent};
      c.mantissa = static_cast<uint64_t>(static_cast<int64_t>(t.mantissa) + step);
      evidence.near += known(Rounded(c, 13));
    }
  }
}

void RecordDetector::Finish(int dataset, std::vector<Finding>& findings) {
  for (const FileEvidence& evidence : files_) {
    ReportEvidence(lookup_, evidence, matcher_.windows(), dataset, findings);
  }
  files_.clear();
}

}  // namespace cce::gate
