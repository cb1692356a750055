// Builds one group of a verdict's checks. Internal to src/attest.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "attest/rules.h"
#include "attest/verdict.h"

namespace cce::attest {

class Checks {
 public:
  explicit Checks(Rule group) { group_.rule = &InfoOf(group); }

  bool Pass(Rule rule, std::string expected = {}, std::string actual = {}) {
    return Add(rule, true, std::move(expected), std::move(actual), {});
  }
  bool Fail(Rule rule, std::string expected, std::string actual, std::string mend = {}) {
    return Add(rule, false, std::move(expected), std::move(actual), std::move(mend));
  }
  bool That(bool ok, Rule rule, std::string expected, std::string actual, std::string mend = {}) {
    return Add(rule, ok, std::move(expected), std::move(actual), std::move(mend));
  }
  void NotReached(std::initializer_list<Rule> rules) {
    for (const Rule rule : rules) {
      if (Has(rule)) continue;
      Check& check = group_.children.emplace_back();
      check.rule = &InfoOf(rule);
    }
  }
  bool ok() const { return ok_; }

  // The group: failed when a check failed, not reached when none was made.
  Check Finish() && {
    bool reached = false;
    for (const Check& check : group_.children) reached |= check.state != CheckState::kNotReached;
    group_.state = !ok_ ? CheckState::kFail : reached ? CheckState::kPass : CheckState::kNotReached;
    return std::move(group_);
  }

 private:
  bool Has(Rule rule) const {
    for (const Check& check : group_.children) {
      if (check.rule == &InfoOf(rule)) return true;
    }
    return false;
  }
  bool Add(Rule rule, bool ok, std::string expected, std::string actual, std::string mend) {
    Check& check = group_.children.emplace_back();
    check.rule = &InfoOf(rule);
    check.state = ok ? CheckState::kPass : CheckState::kFail;
    check.expected = std::move(expected);
    check.actual = std::move(actual);
    check.mend = std::move(mend);
    ok_ = ok_ && ok;
    return ok;
  }

  Check group_;
  bool ok_ = true;
};

}  // namespace cce::attest
