#include "gate/disclosure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "base/json.h"
#include "gate/table.h"
#include "gate/text.h"

namespace cce::gate {
namespace {

std::vector<std::string> Words(std::string_view name) {
  std::vector<std::string> words(1);
  bool lower_before = false;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = upper || (c >= 'a' && c <= 'z');
    if (!letter || (upper && lower_before)) words.emplace_back();
    if (letter) words.back() += upper ? static_cast<char>(c + 32) : c;
    lower_before = letter && !upper;
  }
  std::erase_if(words, [](const std::string& w) { return w.empty(); });
  return words;
}

template <size_t N>
bool AnyOf(const std::vector<std::string>& words, const std::array<std::string_view, N>& list) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& w) {
    return std::find(list.begin(), list.end(), w) != list.end();
  });
}

constexpr std::array<std::string_view, 31> kCounts = {
    "n",       "count",        "counts",   "freq",     "frequency",    "frequencies",
    "num",     "cases",        "case",     "controls", "events",       "deaths",
    "died",    "dead",         "patients", "subjects", "participants", "individuals",
    "persons", "people",       "risk",     "observed", "censored",     "obs",
    "nobs",    "observations", "size",     "members",  "failures",     "survivors",
    "relapses"};
// Words that make a name no count of people.
constexpr std::array<std::string_view, 41> kNotCounts = {
    "bin",        "bins",      "estimator", "estimators", "feature",    "features",    "iter",
    "iterations", "iteration", "param",     "params",     "parameters", "column",      "columns",
    "step",       "steps",     "grid",      "fold",       "folds",      "jobs",        "threads",
    "seed",       "time",      "rate",      "ratio",      "percent",    "pct",         "prop",
    "proportion", "se",        "mean",      "median",     "std",        "probability", "hazard",
    "score",      "width",     "font",      "sample",     "day",        "days"};
constexpr std::array<std::string_view, 8> kExtremes = {"min",    "max",     "minimum",  "maximum",
                                                       "lowest", "highest", "smallest", "largest"};
constexpr std::array<std::string_view, 14> kNotExtremes = {
    "iter",  "iterations", "count", "cell", "depth",   "steps", "features",
    "width", "height",     "size",  "leaf", "samples", "bins",  "rounds"};

// A whole number that stands alone.
std::optional<uint64_t> Whole(std::string_view cell) {
  Canon c;
  if (!Canonicalise(TrimToken(cell), c) || !c.number || c.negative) return std::nullopt;
  const double v = ValueOf(c);
  if (v != std::floor(v) || v > 1e15) return std::nullopt;
  return static_cast<uint64_t>(v);
}

// How often something was seen, and where first.
struct Seen {
  uint64_t n = 0;
  std::string place;
  void Add(const std::string& where) {
    if (n++ == 0) place = where;
  }
};

// The cells under one count-like name.
struct Counts {
  uint64_t numbers = 0, fractions = 0, nonzero = 0, fives = 0, most = 0;
  Seen small, unrounded;
};

class Disclosure {
 public:
  Disclosure(const View& view, const GatePolicy& policy) : view_(view), policy_(policy) {}

  // A cell under the count-like `name`; cells that are no numbers are passed over.
  void Count(const std::string& name, std::string_view cell, const std::string& where) {
    Canon canon;
    if (!Canonicalise(TrimToken(cell), canon) || !canon.number) return;
    Counts& counts = counts_[name];
    ++counts.numbers;
    const auto value = Whole(cell);
    counts.fractions += !value;
    if (!value || *value == 0) return;
    ++counts.nonzero;
    counts.fives += *value % 5 == 0;
    counts.most = std::max(counts.most, *value);
    if (*value < policy_.min_cell) counts.small.Add(where);
    if (policy_.rounding_base > 1 && *value % policy_.rounding_base != 0) {
      counts.unrounded.Add(where);
    }
  }
  void Extreme(const std::string& where) { extremes_.Add(where); }
  void Freedom(std::string_view cell, const std::string& where) {
    const auto value = Whole(cell);
    if (value && *value < policy_.min_cell) freedom_.Add(where);
  }

  void Report(std::vector<Finding>& findings) const {
    uint64_t nonzero = 0, fives = 0;
    for (const auto& [name, c] : counts_) {
      if (IsNoCount(c)) continue;
      nonzero += c.nonzero;
      fives += c.fives;
    }
    // Counts that are all multiples of five were rounded: a 5 stands for 3 to 7 and names nobody.
    const bool rounded = nonzero >= 5 && fives == nonzero;
    const bool by_policy = policy_.rounding_base == 5 && rounded;
    for (const auto& [name, c] : counts_) {
      if (IsNoCount(c)) continue;
      // Noughts and ones alone are rather a mark or a median than counts.
      const double strength = rounded ? 0.2 : c.most == 1 && c.numbers > c.nonzero ? 0.3 : 0.6;
      if (!by_policy) {
        Put(findings, FindingClass::kSmallCell, strength, c.small,
            rounded ? "rounded counts below the least cell" : "counts below the least cell");
      }
      if (strength > 0.3 || c.most > 1) {
        Put(findings, FindingClass::kRounding, 0.55, c.unrounded,
            "counts that are no multiples of " + std::to_string(policy_.rounding_base));
      }
    }
    Put(findings, FindingClass::kExtreme, 0.55, extremes_,
        "a minimum or maximum is one person's value");
    Put(findings, FindingClass::kFreedom, 0.6, freedom_,
        "residual degrees of freedom or observations below the least cell");
  }

 private:
  // A third and more of fractions: means, shares or coefficients of something that is named like a
  // count.
  static bool IsNoCount(const Counts& c) { return c.fractions * 3 >= c.numbers; }

  void Put(std::vector<Finding>& findings, FindingClass cls, double strength, const Seen& seen,
           std::string message) const {
    if (seen.n == 0) return;
    findings.push_back({.cls = cls,
                        .strength = strength,
                        .file = ChainText(view_),
                        .place = seen.place,
                        .message = std::move(message),
                        .count = seen.n});
  }
  const View& view_;
  const GatePolicy& policy_;
  std::map<std::string, Counts> counts_;
  Seen extremes_, freedom_;
};

void ReadTable(std::string_view text, char delimiter, Disclosure& out) {
  std::vector<std::string> header;
  std::vector<char> counts, extremes, freedom;
  std::vector<std::string_view> cells;
  ForEachLine(text, [&](std::string_view line, size_t number) {
    SplitCells(line, delimiter, cells);
    if (header.empty()) {
      for (const std::string_view c : cells) {
        header.emplace_back(c.substr(0, 64));
        counts.push_back(CountLike(c));
        extremes.push_back(ExtremeLike(c));
        freedom.push_back(FreedomLike(c));
        if (extremes.back() != 0) out.Extreme("column " + header.back());
      }
      return;
    }
    // Rows may be labelled as columns are: pandas' describe() has rows "count", "min", "max".
    const bool row_counts = !cells.empty() && CountLike(cells[0]);
    if (!cells.empty() && ExtremeLike(cells[0])) out.Extreme("line " + std::to_string(number));
    for (size_t c = 0; c < cells.size() && c < header.size(); ++c) {
      const bool in_row = row_counts && c > 0;
      if (counts[c] == 0 && freedom[c] == 0 && !in_row) continue;
      const std::string where = "line " + std::to_string(number) + ", " + header[c];
      if (counts[c] != 0) out.Count("column " + header[c], cells[c], where);
      if (in_row) out.Count("row " + std::string(cells[0].substr(0, 64)), cells[c], where);
      if (freedom[c] != 0) out.Freedom(cells[c], where);
    }
  });
}

void ReadJson(const json::value& v, const std::string& name, const std::string& path, int depth,
              Disclosure& out) {
  if (depth > 64) return;
  if (v.is_object()) {
    for (const auto& [key, member] : v.get_object()) {
      const std::string at = path.substr(0, 200) + "/" + std::string(key).substr(0, 64);
      if (ExtremeLike(std::string_view(key))) out.Extreme(at);
      // Maps under a count-like name ("n": {"arm 1": 4}) count too.
      ReadJson(member,
               CountLike(std::string_view(key)) || FreedomLike(std::string_view(key))
                   ? std::string(key)
                   : (CountLike(name) ? name : std::string(key)),
               at, depth + 1, out);
    }
  } else if (v.is_array()) {
    for (const json::value& item : v.get_array()) ReadJson(item, name, path, depth + 1, out);
  } else if (v.is_number()) {
    if (CountLike(name)) out.Count(name, ToJson(v), path);
    if (FreedomLike(name)) out.Freedom(ToJson(v), path);
  }
}

// "n = 4", "events: 3" in prose and logs; the name is the words before the sign.
void ReadProse(std::string_view text, Disclosure& out) {
  ForEachLine(text, [&](std::string_view line, size_t number) {
    size_t begin = 0;
    for (size_t at = line.find_first_of("=:"); at != std::string_view::npos;
         at = line.find_first_of("=:", at + 1)) {
      const std::string_view name = line.substr(begin, at - begin);
      size_t from = line.find_first_not_of(" \t=:", at);
      if (from == std::string_view::npos) return;
      const size_t end = std::min(line.find_first_of(" \t,;)", from), line.size());
      const std::string_view cell = line.substr(from, end - from);
      begin = Whole(cell) ? end : from;
      if (begin == from) continue;
      const size_t cut = name.find_last_of(",;(");
      const std::string_view last = cut == std::string_view::npos ? name : name.substr(cut + 1);
      const std::string where = "line " + std::to_string(number);
      if (last.size() <= 64 && CountLike(last)) out.Count(std::string(last), cell, where);
      if (last.size() <= 64 && FreedomLike(last)) out.Freedom(cell, where);
    }
  });
}

}  // namespace

bool CountLike(std::string_view name) {
  const auto words = Words(name);
  return AnyOf(words, kCounts) && !AnyOf(words, kNotCounts);
}

bool ExtremeLike(std::string_view name) {
  const auto words = Words(name);
  return words.size() <= 4 && AnyOf(words, kExtremes) && !AnyOf(words, kNotExtremes);
}

bool FreedomLike(std::string_view name) {
  const auto words = Words(name);
  const auto has = [&](std::string_view w) {
    return std::find(words.begin(), words.end(), w) != words.end();
  };
  return has("dof") ||
         ((has("df") || has("freedom")) && (has("resid") || has("residual") || has("residuals")));
}

void DetectDisclosure(const View& view, const GatePolicy& policy, std::vector<Finding>& findings) {
  Disclosure disclosure(view, policy);
  const std::string_view text = AsText(view.bytes);
  switch (view.kind) {
    case ViewKind::kTable:
      if (const auto delimiter = SniffDelimiter(text)) ReadTable(text, *delimiter, disclosure);
      break;
    case ViewKind::kJson:
      if (const auto root = ParseLooseJson(text)) {
        ReadJson(*root, "", "", 0, disclosure);
      } else {
        ForEachLine(text, [&](std::string_view line, size_t) {
          if (const auto value = ParseLooseJson(line)) ReadJson(*value, "", "", 0, disclosure);
        });
      }
      break;
    case ViewKind::kText:
    case ViewKind::kXml:
      ReadProse(text, disclosure);
      break;
    case ViewKind::kSvg:
    case ViewKind::kBinary:
    case ViewKind::kUnreadable:
      return;
  }
  disclosure.Report(findings);
}

}  // namespace cce::gate
