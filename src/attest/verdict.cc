#include "attest/verdict.h"

#include <algorithm>

#include "attest/rules.h"

namespace cce::attest {
namespace {

constexpr RuleInfo kRules[] = {
#define CCE_RULE(name, id, title, source, code, mend) {id, title, source, code, mend},
#include "attest/rules.inc"
#undef CCE_RULE
};

Failure ToFailure(const Check& check) {
  const RuleInfo& rule = *check.rule;
  return {std::string(rule.id),
          std::string(rule.title),
          std::string(rule.source),
          check.expected,
          check.actual,
          check.mend.empty() ? std::string(rule.mend) : check.mend,
          std::string(rule.error_code)};
}

void Collect(const std::vector<Check>& checks, std::vector<Failure>& out) {
  for (const Check& check : checks) {
    if (check.state == CheckState::kFail && check.children.empty()) out.push_back(ToFailure(check));
    Collect(check.children, out);
  }
}

json::array TextArray(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::array ChecksJson(const std::vector<Check>& checks) {
  json::array out;
  for (const Check& check : checks) {
    json::object item{{"rule", check.rule->id},
                      {"title", check.rule->title},
                      {"source", check.rule->source},
                      {"state", StateName(check.state)}};
    if (!check.expected.empty()) item["expected"] = check.expected;
    if (!check.actual.empty()) item["actual"] = check.actual;
    if (check.state == CheckState::kFail && check.children.empty()) {
      item["mend"] = check.mend.empty() ? check.rule->mend : std::string_view(check.mend);
    }
    if (!check.children.empty()) item["checks"] = ChecksJson(check.children);
    out.push_back(std::move(item));
  }
  return out;
}

template <typename T, typename Show>
json::value OrNull(const std::optional<T>& value, Show show) {
  return value ? json::value(show(*value)) : json::value(nullptr);
}

json::value FailureJson(const std::optional<Failure>& failure) {
  if (!failure) return nullptr;
  return json::object{{"rule", failure->rule},      {"title", failure->title},
                      {"source", failure->source},  {"expected", failure->expected},
                      {"actual", failure->actual},  {"mend", failure->mend},
                      {"code", failure->error_code}};
}

json::value NearestJson(const std::optional<NearestMeasurement>& nearest) {
  if (!nearest) return nullptr;
  json::array differences;
  for (const RegisterDifference& d : nearest->differences) {
    differences.push_back(
        json::object{{"register", d.name}, {"expected", d.expected}, {"actual", d.actual}});
  }
  return json::object{{"name", nearest->name},
                      {"note", nearest->note},
                      {"expired", nearest->expired},
                      {"differences", std::move(differences)}};
}

void AppendText(std::string& out, const std::vector<Check>& checks, int depth, bool all) {
  for (const Check& check : checks) {
    const bool leaf = check.children.empty();
    if (!all && check.state == CheckState::kPass) continue;
    if (!all && check.state == CheckState::kNotReached && depth > 0) continue;
    const char* mark = check.state == CheckState::kPass   ? "ok  "
                       : check.state == CheckState::kFail ? "FAIL"
                                                          : "-   ";
    const std::string indent(static_cast<size_t>(depth) * 2, ' ');
    out += indent + mark + " " + std::string(check.rule->id) + ": " +
           std::string(check.rule->title) + "\n";
    if (check.state == CheckState::kFail && leaf) {
      const std::string pad = indent + "     ";
      out += pad + "source    " + std::string(check.rule->source) + "\n";
      if (!check.expected.empty()) out += pad + "expected  " + check.expected + "\n";
      if (!check.actual.empty()) out += pad + "actual    " + check.actual + "\n";
      out += pad + "mend      " +
             (check.mend.empty() ? std::string(check.rule->mend) : check.mend) + "\n";
    }
    AppendText(out, check.children, depth + 1, all);
  }
}

std::string Join(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

}  // namespace

std::pair<const RuleInfo*, size_t> AllRules() { return {kRules, std::size(kRules)}; }

const RuleInfo* FindRule(std::string_view id) {
  const auto* found = std::ranges::find(kRules, id, &RuleInfo::id);
  return found == std::end(kRules) ? nullptr : found;
}

const RuleInfo& InfoOf(Rule rule) { return kRules[static_cast<size_t>(rule)]; }

std::string_view StateName(CheckState state) {
  switch (state) {
    case CheckState::kPass:
      return "pass";
    case CheckState::kFail:
      return "fail";
    case CheckState::kNotReached:
      break;
  }
  return "not_reached";
}

std::string_view StageName(Stage stage) {
  switch (stage) {
    case Stage::kNone:
      break;
    case Stage::kEvidence:
      return "evidence";
    case Stage::kCollateral:
      return "collateral";
    case Stage::kQuote:
      return "quote";
    case Stage::kTcb:
      return "tcb";
    case Stage::kPolicy:
      return "policy";
  }
  return "";
}

std::vector<Failure> Failures(const Verdict& verdict) {
  std::vector<Failure> out;
  Collect(verdict.checks, out);
  return out;
}

std::string_view ErrorCode(const Verdict& verdict) {
  return verdict.first_failure ? std::string_view(verdict.first_failure->error_code) : "";
}

Error ToError(const Verdict& verdict) {
  if (!verdict.first_failure) return MakeError("internal.bug", "an accepted verdict has no error");
  const Failure& failure = *verdict.first_failure;
  Error error;
  error.code = failure.error_code;
  error.message = "evidence is refused: not so that " + failure.title + " (" + failure.rule + ")";
  error.expected = failure.expected;
  error.found = failure.actual;
  error.next = failure.mend;
  return error;
}

json::object ToJsonObject(const Verdict& v) {
  const auto status = [](TcbStatus s) { return StatusName(s); };
  const auto time = [](UnixSeconds t) { return FormatTime(t); };
  json::object out{
      {"accepted", v.accepted},
      {"development", v.development},
      {"tee", TeeName(v.tee)},
      {"time", FormatTime(v.time)},
      {"root", v.root},
      {"collateral_ok", v.collateral_ok},
      {"tcb_status", OrNull(v.tcb_status, status)},
      {"advisory_ids", TextArray(v.advisory_ids)},
      {"tcb_date", OrNull(v.tcb_date, time)},
      {"current_tcb_status", OrNull(v.current_tcb_status, status)},
      {"current_advisory_ids", TextArray(v.current_advisory_ids)},
      {"tcb_evaluation_number", OrNull(v.tcb_evaluation_number, [](uint64_t n) { return n; })},
      {"valid_until", OrNull(v.valid_until, time)},
      {"measurement", v.measurement.empty() ? json::value(nullptr) : json::value(v.measurement)},
      {"nearest_measurement", NearestJson(v.nearest)},
      {"reject_stage", v.reject_stage == Stage::kNone ? json::value(nullptr)
                                                      : json::value(StageName(v.reject_stage))},
      {"first_failure", FailureJson(v.first_failure)},
  };
  out["fields"] = v.evidence ? FieldsOf(*v.evidence) : json::object{};
  out["checks"] = ChecksJson(v.checks);
  return out;
}

std::string ToText(const Verdict& v, bool all) {
  std::string out = v.accepted ? "ACCEPTED" : "REFUSED";
  out += " (" + std::string(TeeName(v.tee)) + " evidence, at " + FormatTime(v.time) + ")\n";
  if (v.development) out += "DEVELOPMENT: the root '" + v.root + "' is not a vendor's\n";
  if (v.tcb_status) {
    out += "TCB status " + std::string(StatusName(*v.tcb_status));
    if (v.tcb_date) out += ", of " + FormatTime(*v.tcb_date);
    if (!v.advisory_ids.empty()) out += ", advisories " + Join(v.advisory_ids);
    out += "\n";
  }
  if (!v.measurement.empty()) out += "guest: " + v.measurement + "\n";
  if (v.first_failure) {
    out += "first failure: " + v.first_failure->rule + "\n  expected  " +
           v.first_failure->expected + "\n  actual    " + v.first_failure->actual +
           "\n  mend      " + v.first_failure->mend + "\n";
  }
  if (v.nearest) {
    out +=
        "nearest known guest: " + v.nearest->name + (v.nearest->expired ? " (expired)" : "") + "\n";
    for (const RegisterDifference& d : v.nearest->differences) {
      out += "  " + d.name + " differs\n    expected  " + d.expected + "\n    actual    " +
             d.actual + "\n";
    }
  }
  out += "\n";
  AppendText(out, v.checks, 0, all);
  return out;
}

}  // namespace cce::attest
