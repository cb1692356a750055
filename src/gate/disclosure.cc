#include "gate/disclosure.h"

#include <algorithm>
#include <array>
#include <cmath>
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

struct Tally {
  uint64_t small = 0, extremes = 0, freedom = 0, unrounded = 0, counts = 0;
  std::string small_place, extreme_place, freedom_place, unrounded_place;
  void Add(uint64_t& n, std::string& place, std::string where) {
    if (n++ == 0) place = std::move(where);
  }
};

// A whole number that stands alone.
std::optional<uint64_t> Whole(std::string_view cell) {
  Canon c;
  if (!Canonicalise(TrimToken(cell), c) || !c.number || c.negative) return std::nullopt;
  const double v = ValueOf(c);
  if (v != std::floor(v) || v > 1e15) return std::nullopt;
  return static_cast<uint64_t>(v);
}

class Disclosure {
 public:
  Disclosure(const View& view, const GatePolicy& policy) : view_(view), policy_(policy) {}

  void Count(uint64_t value, const std::string& where) {
    ++tally_.counts;
    if (value == 0) return;
    multiples_of_five_ += value % 5 == 0;
    ++nonzero_;
    if (value < policy_.min_cell) {
      tally_.Add(tally_.small, tally_.small_place, where);
      small_rounded_ += value % 5 == 0;
    }
    if (policy_.rounding_base > 1 && value % policy_.rounding_base != 0) {
      tally_.Add(tally_.unrounded, tally_.unrounded_place, where);
    }
  }
  void Extreme(const std::string& where) {
    tally_.Add(tally_.extremes, tally_.extreme_place, where);
  }
  void Freedom(uint64_t value, const std::string& where) {
    if (value < policy_.min_cell) tally_.Add(tally_.freedom, tally_.freedom_place, where);
  }

  void Report(std::vector<Finding>& findings) const {
    // Counts that are all multiples of five were rounded: a 5 stands for 3 to 7 and names nobody.
    const bool rounded = nonzero_ >= 5 && multiples_of_five_ == nonzero_;
    const bool by_policy = policy_.rounding_base == 5 && rounded;
    if (tally_.small > 0 && !by_policy) {
      Put(findings, FindingClass::kSmallCell, rounded ? 0.2 : 0.6, tally_.small, tally_.small_place,
          rounded ? "rounded counts below the least cell" : "counts below the least cell");
    }
    Put(findings, FindingClass::kExtreme, 0.55, tally_.extremes, tally_.extreme_place,
        "a minimum or maximum is one person's value");
    Put(findings, FindingClass::kFreedom, 0.6, tally_.freedom, tally_.freedom_place,
        "residual degrees of freedom or observations below the least cell");
    Put(findings, FindingClass::kRounding, 0.55, tally_.unrounded, tally_.unrounded_place,
        "counts that are no multiples of " + std::to_string(policy_.rounding_base));
  }

 private:
  void Put(std::vector<Finding>& findings, FindingClass cls, double strength, uint64_t n,
           const std::string& place, std::string message) const {
    if (n == 0) return;
    findings.push_back({.cls = cls,
                        .strength = strength,
                        .file = ChainText(view_),
                        .place = place,
                        .message = std::move(message),
                        .count = n});
  }
  const View& view_;
  const GatePolicy& policy_;
  Tally tally_;
  uint64_t nonzero_ = 0, multiples_of_five_ = 0, small_rounded_ = 0;
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
      const auto value = Whole(cells[c]);
      if (!value) continue;
      const std::string where = "line " + std::to_string(number) + ", " + header[c];
      if (counts[c] != 0 || (row_counts && c > 0)) out.Count(*value, where);
      if (freedom[c] != 0) out.Freedom(*value, where);
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
    const auto value = Whole(ToJson(v));
    if (value && CountLike(name)) out.Count(*value, path);
    if (value && FreedomLike(name)) out.Freedom(*value, path);
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
      const auto value = Whole(line.substr(from, end - from));
      begin = value ? end : from;
      if (!value) continue;
      const size_t cut = name.find_last_of(",;(");
      const std::string_view last = cut == std::string_view::npos ? name : name.substr(cut + 1);
      const std::string where = "line " + std::to_string(number);
      if (last.size() <= 64 && CountLike(last)) out.Count(*value, where);
      if (last.size() <= 64 && FreedomLike(last)) out.Freedom(*value, where);
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
