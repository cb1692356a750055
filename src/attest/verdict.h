// The explained verdict: a tree of checks, each with its rule, source, expected and actual value,
// and how it ended. Fails closed: a fresh Verdict is a refusal. Plain values; safe to copy and to
// share after it was made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attest/policy.h"
#include "attest/types.h"
#include "base/clock.h"
#include "base/json.h"

namespace cce::attest {

// A row of rules.inc, the one table of rules.
struct RuleInfo {
  std::string_view id;          // "tdx.pck_crl.fresh": stable
  std::string_view title;       // what holds when it passes
  std::string_view source;      // where the rule comes from
  std::string_view error_code;  // evidence.*, a row of base/error_table.inc
  std::string_view mend;        // what to do when it fails
};
std::pair<const RuleInfo*, size_t> AllRules();
const RuleInfo* FindRule(std::string_view id);

enum class CheckState { kPass, kFail, kNotReached };
std::string_view StateName(CheckState state);  // "pass", "fail", "not_reached"

struct Check {
  const RuleInfo* rule = nullptr;  // never null in a finished verdict
  CheckState state = CheckState::kNotReached;
  std::string expected;
  std::string actual;
  std::string mend;             // more exact than the rule's own; may be empty
  std::vector<Check> children;  // a group fails when a child fails
};

enum class Stage { kNone, kEvidence, kCollateral, kQuote, kTcb, kPolicy };
std::string_view StageName(Stage stage);  // "", "evidence", "collateral", "quote", "tcb", "policy"

struct Failure {
  std::string rule;
  std::string title;
  std::string source;
  std::string expected;
  std::string actual;
  std::string mend;
  std::string error_code;
};

// One register that keeps evidence from matching an entry.
struct RegisterDifference {
  std::string name;  // "mrtd", "rtmr0", "mrconfigid", "launch_digest" ...
  std::string expected;
  std::string actual;
};
struct NearestMeasurement {
  std::string name;
  std::string note;
  std::vector<RegisterDifference> differences;
  bool expired = false;  // equal, but past its not_after
};

struct Verdict {
  bool accepted = false;
  bool development = false;  // verified under a root that is not a vendor's
  Tee tee = Tee::kTdx;
  std::string root;  // name of the root that both chains end in
  bool collateral_ok = false;
  std::optional<TcbStatus> tcb_status;          // TDX; nullopt: no level matched, or not reached
  std::vector<std::string> advisory_ids;        // sorted, unique
  std::optional<UnixSeconds> tcb_date;          // the oldest of platform, module and QE
  std::optional<TcbStatus> current_tcb_status;  // TD 1.5: of TEE_TCB_SVN2; else as above
  std::vector<std::string> current_advisory_ids;
  std::optional<uint64_t> tcb_evaluation_number;  // the lower of TCB info and QE identity
  std::optional<UnixSeconds> valid_until;         // collateral holds until then (inclusive)
  std::string measurement;                        // name of the whitelist entry that matched
  std::optional<NearestMeasurement> nearest;
  Stage reject_stage = Stage::kEvidence;
  std::optional<Failure> first_failure;
  std::vector<Check> checks;
  std::optional<Evidence> evidence;  // absent where it did not parse
  UnixSeconds time = 0;              // the moment that it holds for
};

// All leaf checks that failed, in the tree's order.
std::vector<Failure> Failures(const Verdict& verdict);
// The stable code for a refusal ("evidence.tcb_status"), empty when accepted.
std::string_view ErrorCode(const Verdict& verdict);
// The refusal as an Error, for callers that go on with Result.
Error ToError(const Verdict& verdict);

// {"accepted", "tee", "collateral_ok", "tcb_status", "advisory_ids", "tcb_date", "first_failure",
// "fields",
//  "checks", ...}
json::object ToJsonObject(const Verdict& verdict);
// The tree for people, UTF-8; `all` also shows what passed.
std::string ToText(const Verdict& verdict, bool all = true);

}  // namespace cce::attest
