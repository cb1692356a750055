#include "gate/shape.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/json.h"
#include "gate/svg.h"
#include "gate/table.h"
#include "gate/text.h"

namespace cce::gate {
namespace {

constexpr size_t kOpenPoints =
    250;  // of one curve: a grid has tens, one point a person has hundreds
constexpr size_t kClosedPoints = 500;  // of one band: there and back
constexpr size_t kMarkers = 200;
constexpr size_t kManyLines = 100;

void Put(std::vector<Finding>& findings, const View& view, FindingClass cls, double strength,
         std::string message, uint64_t count = 1) {
  findings.push_back({.cls = cls,
                      .strength = strength,
                      .file = ChainText(view),
                      .message = std::move(message),
                      .count = count});
}

// "csv" of "a/b.CSV"; empty without one.
std::string Ending(std::string_view name) {
  const size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return "";
  std::string out(name.substr(dot + 1));
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool Allowed(const GatePolicy& policy, const std::string& ending) {
  return std::find(policy.allowed_types.begin(), policy.allowed_types.end(), ending) !=
         policy.allowed_types.end();
}

// Binary types that an owner may let through unread, by their first bytes.
bool IsWhatItSays(const View& view, const std::string& ending) {
  const std::string_view b = AsText(view.bytes);
  if (ending == "png") return b.starts_with("\x89PNG\r\n\x1a\n");
  if (ending == "pdf") return b.starts_with("%PDF-");
  if (ending == "jpg" || ending == "jpeg") return b.starts_with("\xff\xd8\xff");
  return false;
}

// Characters that show nothing: a hiding place.
size_t Invisible(std::string_view text) {
  size_t n = 0;
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    const auto a = static_cast<uint8_t>(text[i]), b = static_cast<uint8_t>(text[i + 1]),
               c = static_cast<uint8_t>(text[i + 2]);
    n += a == 0xe2 && b == 0x80 && ((c >= 0x8b && c <= 0x8f) || (c >= 0xaa && c <= 0xae));
    n += a == 0xe2 && b == 0x81 && c >= 0xa0 && c <= 0xaf;
    n += a == 0xef && b == 0xbb && c == 0xbf;
    n += a == 0xef && b == 0xb8 && c >= 0x80 && c <= 0x8f;
    n += a == 0xf3 && b == 0xa0 && (c == 0x80 || c == 0x81);
  }
  return n;
}

// Lines whose end mixes blanks and tabs, as whitespace codes do.
size_t MixedTails(std::string_view text) {
  size_t n = 0;
  ForEachLine(text, [&](std::string_view line, size_t) {
    const size_t last = line.find_last_not_of(" \t");
    const std::string_view tail = line.substr(last == std::string_view::npos ? 0 : last + 1);
    n += tail.find(' ') != std::string_view::npos && tail.find('\t') != std::string_view::npos;
  });
  return n;
}

struct Lines {
  size_t all = 0, numeric = 0, unlabelled = 0;
};

// Lines of numbers; unlabelled: with no word in them.
Lines CountLines(std::string_view text) {
  Lines out;
  Canon canon;
  ForEachLine(text, [&](std::string_view line, size_t) {
    size_t numbers = 0, words = 0;
    ForEachToken(line, [&](std::string_view token) {
      if (!Canonicalise(token, canon)) return;
      (canon.number ? numbers : words) += 1;
    });
    out.all += numbers + words > 0;
    out.numeric += numbers > 0 && numbers >= words;
    out.unlabelled += numbers > 0 && words == 0;
  });
  return out;
}

bool NearTo(uint64_t n, std::span<const uint64_t> table_rows) {
  return std::any_of(table_rows.begin(), table_rows.end(), [&](uint64_t rows) {
    return rows >= 30 && n + rows / 50 + 1 >= rows && n <= rows + rows / 50 + 1;
  });
}

// The longest array of scalars or of like objects.
size_t LongestArray(const json::value& v, int depth) {
  size_t most = 0;
  if (depth > 64) return 0;
  if (v.is_array()) {
    most = v.get_array().size();
    for (const auto& item : v.get_array()) most = std::max(most, LongestArray(item, depth + 1));
  } else if (v.is_object()) {
    most = v.get_object().size();
    for (const auto& [key, item] : v.get_object())
      most = std::max(most, LongestArray(item, depth + 1));
  }
  return most;
}

void LineShape(const View& view, size_t lines, size_t unlabelled, std::span<const uint64_t> rows,
               std::vector<Finding>& findings) {
  if (NearTo(lines, rows) || NearTo(unlabelled, rows)) {
    Put(findings, view, FindingClass::kShape, 0.6, "as many entries as the dataset has rows",
        lines);
  } else if (unlabelled >= kManyLines) {
    Put(findings, view, FindingClass::kShape, 0.5, "many lines of bare numbers", unlabelled);
  } else if (lines >= kManyLines * 5 &&
             std::any_of(rows.begin(), rows.end(), [&](uint64_t n) { return lines >= n / 10; })) {
    Put(findings, view, FindingClass::kShape, 0.55, "lines for a good part of the dataset's rows",
        lines);
  } else if (lines >= kManyLines * 5) {
    Put(findings, view, FindingClass::kShape, 0.25, "many lines of numbers", lines);
  }
}

void SvgShape(const View& view, std::span<const uint64_t> rows, std::vector<Finding>& findings) {
  const SvgFacts facts = ReadSvg(AsText(view.bytes));
  if (facts.most_points > kOpenPoints || facts.most_closed_points > kClosedPoints) {
    Put(findings, view, FindingClass::kShape, 0.55, "a curve with more points than a grid has",
        std::max(facts.most_points, facts.most_closed_points));
  }
  if (facts.markers > kMarkers || NearTo(facts.markers, rows)) {
    Put(findings, view, FindingClass::kShape, 0.6, "as many marks as there could be people",
        facts.markers);
  }
  if (facts.script)
    Put(findings, view, FindingClass::kOpaque, 0.9, "an image with a program in it");
}

}  // namespace

void DetectOpaque(const View& view, const GatePolicy& policy, std::vector<Finding>& findings) {
  const std::string ending = view.chain.empty() ? "" : Ending(view.chain.back());
  if (view.kind == ViewKind::kUnreadable) {
    Put(findings, view, FindingClass::kOpaque, 0.9, std::string(UnreadName(view.why)));
    return;
  }
  if (view.kind == ViewKind::kBinary) {
    if (!(Allowed(policy, ending) && IsWhatItSays(view, ending))) {
      Put(findings, view, FindingClass::kOpaque, 0.9, "bytes that nobody here can read");
    }
    return;
  }
  const std::string_view text = AsText(view.bytes);
  if (view.bytes.size() >= 2048 && ByteEntropy(view.bytes) > 5.7) {
    Put(findings, view, FindingClass::kOpaque, 0.75,
        "text as dense as an encoding of something else");
  }
  const auto high = static_cast<size_t>(
      std::count_if(view.bytes.begin(), view.bytes.end(), [](uint8_t c) { return c >= 0x80; }));
  if (high >= 300 && high * 4 > view.bytes.size()) {
    Put(findings, view, FindingClass::kOpaque, 0.55,
        "text in a script that the detectors do not read", high);
  }
  if (const size_t n = Invisible(text); n > 0) {
    Put(findings, view, FindingClass::kOpaque, n > 2 ? 0.75 : 0.3, "characters that show nothing",
        n);
  }
  if (const size_t n = MixedTails(text); n >= 4) {
    Put(findings, view, FindingClass::kOpaque, 0.6, "lines that end in mixed blanks", n);
  }
}

void DetectShape(const View& view, std::span<const uint64_t> table_rows,
                 std::vector<Finding>& findings) {
  const std::string_view text = AsText(view.bytes);
  switch (view.kind) {
    case ViewKind::kSvg:
      SvgShape(view, table_rows, findings);
      break;
    case ViewKind::kJson:
      if (const auto root = ParseLooseJson(text)) {
        const size_t longest = LongestArray(*root, 0);
        LineShape(view, longest, 0, table_rows, findings);
        break;
      }
      [[fallthrough]];
    case ViewKind::kText:
    case ViewKind::kTable:
    case ViewKind::kXml: {
      const Lines lines = CountLines(text);
      LineShape(view, lines.numeric, lines.unlabelled, table_rows, findings);
      break;
    }
    case ViewKind::kBinary:
    case ViewKind::kUnreadable:
      break;
  }
}

uint32_t CountFiles(std::span<const View> views) {
  std::set<std::string_view> names;
  for (const View& v : views) {
    if (!v.chain.empty()) names.insert(v.chain[0]);
  }
  return static_cast<uint32_t>(names.size());
}

View NamesView(std::span<const View> views) {
  std::set<std::string> names;
  for (const View& v : views) {
    for (const std::string& name : v.chain) names.insert(name);
  }
  View out;
  out.chain = {"(file names)"};
  out.kind = ViewKind::kText;
  for (std::string name : names) {
    // Words joined in a name are words.
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '_' || c == '/' || c == '\n'; }, ' ');
    Append(out.bytes, AsBytes(name));
    out.bytes.push_back('\n');
  }
  return out;
}

void DetectBudget(std::span<const View> views, uint64_t output_bytes, const GatePolicy& policy,
                  std::vector<Finding>& findings) {
  uint64_t bytes = 0, name_bytes = 0, long_names = 0;
  std::set<std::string> types, names;
  for (const View& v : views) {
    bytes += v.bytes.size();
    if (v.chain.empty()) continue;
    if (!names.insert(v.chain[0]).second) continue;
    name_bytes += v.chain[0].size();
    long_names += v.chain[0].size() > 100;
    const std::string ending = Ending(v.chain[0]);
    if (!ending.empty() && !Allowed(policy, ending) && !v.chain[0].ends_with('/'))
      types.insert(ending);
  }
  const auto put = [&](FindingClass cls, double strength, std::string message, uint64_t count) {
    findings.push_back(
        {.cls = cls, .strength = strength, .message = std::move(message), .count = count});
  };
  if (std::max(output_bytes, bytes) > policy.max_output_bytes) {
    put(FindingClass::kSize, 0.6, "more bytes than the policy allows",
        std::max(output_bytes, bytes));
  }
  if (CountFiles(views) > policy.max_files) {
    put(FindingClass::kSize, 0.6, "more files than the policy allows", CountFiles(views));
  }
  if (long_names > 0 || name_bytes > 1000 + 64 * names.size()) {
    put(FindingClass::kName, 0.55, "file names long enough to carry content",
        std::max<uint64_t>(long_names, 1));
  }
  for (const std::string& type : types) {
    put(FindingClass::kType, 0.6,
        "a type that the policy does not release unseen: " + type.substr(0, 16), 1);
  }
}

}  // namespace cce::gate
