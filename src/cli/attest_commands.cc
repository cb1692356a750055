#include "cli/attest_commands.h"

#include <algorithm>
#include <cstdio>

#include "attest/event_log.h"
#include "attest/verify.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/answer.h"
#include "cli/attest_files.h"

namespace cce::cli {
namespace {

constexpr size_t kMaxEvidence = 1 << 20;
constexpr int kRefused = 1;
constexpr int kUnusable = 2;

struct AttestOptions {
  std::string evidence;
  std::string auxblob;
  std::string collateral;
  std::string at;
  std::string report_data;
  bool no_report_data = false;
  std::string mrconfigid;
  std::string host_data;
  std::string policy;
  bool failures_only = false;
  std::string log;
};

Result<attest::ExpectedBinding> ReadBinding(const AttestOptions& o) {
  if (o.no_report_data == !o.report_data.empty()) {
    return Fail(MakeError("input.missing_member", "what REPORTDATA must be has to be said")
                    .Expected("--report-data HEX (64 bytes), or --no-report-data")
                    .Found(o.no_report_data ? "both" : "neither"));
  }
  attest::ExpectedBinding out = attest::ExpectedBinding::WithoutReportData();
  if (!o.report_data.empty()) {
    ASSIGN_OR_RETURN(out.report_data, ArrayFromHex<64>(o.report_data, true));
  }
  if (!o.mrconfigid.empty()) {
    ASSIGN_OR_RETURN(out.mrconfigid, ArrayFromHex<48>(o.mrconfigid, true));
  }
  if (!o.host_data.empty()) {
    ASSIGN_OR_RETURN(out.host_data, ArrayFromHex<32>(o.host_data, true));
  }
  return out;
}

Result<attest::Verdict> Judge(const AttestOptions& o) {
  ASSIGN_OR_RETURN(const attest::ExpectedBinding binding, ReadBinding(o));
  ASSIGN_OR_RETURN(const UnixSeconds time, ReadMoment(o.at));
  ASSIGN_OR_RETURN(const attest::Policy policy, ReadPolicyFile(o.policy));
  ASSIGN_OR_RETURN(const attest::Collateral collateral, ReadCollateral(o.collateral));
  ASSIGN_OR_RETURN(const Bytes bytes, ReadEvidence(o.evidence));
  Result<attest::Evidence> evidence = attest::ParseEvidence(bytes);
  // What does not parse is a refusal with a reason, too.
  if (!evidence) return attest::VerifyBytes(bytes, collateral, policy, time, binding);
  if (!o.auxblob.empty()) {
    ASSIGN_OR_RETURN(const Bytes table, ReadFile(o.auxblob, kMaxEvidence));
    TRY(attest::AttachCertificateTable(*evidence, table));
  }
  return attest::Verify(*evidence, collateral, policy, time, binding);
}

Answer AnswerOf(const attest::Verdict& verdict, std::string text) {
  return {std::move(text), attest::ToJsonObject(verdict), verdict.accepted ? 0 : kRefused};
}

std::string Summary(const attest::Verdict& v) {
  std::string out = v.accepted ? "accepted" : "refused";
  out += " (" + std::string(attest::TeeName(v.tee));
  if (v.tcb_status) out += ", " + std::string(attest::StatusName(*v.tcb_status));
  if (!v.measurement.empty()) out += ", " + v.measurement;
  out += ")\n";
  if (v.development) out += "DEVELOPMENT: the root '" + v.root + "' is not a vendor's\n";
  if (v.first_failure) out += FormatError(attest::ToError(v)) + "\n";
  return out;
}

Result<Answer> Verify(const AttestOptions& o) {
  ASSIGN_OR_RETURN(const attest::Verdict verdict, Judge(o));
  return AnswerOf(verdict, Summary(verdict));
}

Result<Answer> Explain(const AttestOptions& o) {
  ASSIGN_OR_RETURN(const attest::Verdict verdict, Judge(o));
  return AnswerOf(verdict, attest::ToText(verdict, !o.failures_only));
}

std::string FieldText(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : ToJson(value);
}

Result<Answer> Inspect(const AttestOptions& o) {
  ASSIGN_OR_RETURN(const Bytes bytes, ReadEvidence(o.evidence));
  ASSIGN_OR_RETURN(const attest::Evidence evidence, attest::ParseEvidence(bytes));
  Answer out;
  out.data = attest::FieldsOf(evidence);
  for (const auto& member : out.data) {
    std::string name(member.key());
    name.resize(std::max<size_t>(name.size() + 1, 22), ' ');
    out.text += name + FieldText(member.value()) + "\n";
  }
  return out;
}

std::string DescribeEvent(size_t number, const attest::LogEvent& event) {
  std::string type(attest::EventTypeName(event.type));
  if (type.empty()) type = std::to_string(event.type);
  return std::to_string(number) + "\tRTMR" + std::to_string(event.rtmr) + "\t" + type +
         (event.name.empty() ? "" : " " + event.name) +
         (event.extended ? "\t" + ToHex(event.digest) : "\t(not extended)") + "\n";
}

Result<Answer> Replay(const AttestOptions& o) {
  ASSIGN_OR_RETURN(const Bytes bytes, ReadFile(o.log, kMaxEvidence));
  ASSIGN_OR_RETURN(const attest::EventLog log, attest::ParseEventLog(bytes));
  Answer out;
  out.data = attest::ToJsonObject(log);
  for (size_t i = 0; i < log.events.size(); ++i) out.text += DescribeEvent(i, log.events[i]);
  for (size_t i = 0; i < log.rtmr.size(); ++i) {
    out.text += "rtmr" + std::to_string(i) + "  " + ToHex(log.rtmr[i]) + "\n";
  }
  if (o.evidence.empty()) return out;
  ASSIGN_OR_RETURN(const Bytes quote, ReadEvidence(o.evidence));
  ASSIGN_OR_RETURN(const attest::Evidence evidence, attest::ParseEvidence(quote));
  if (!evidence.tdx) return Fail("evidence.unsupported", "an event log goes with a TDX quote");
  json::array differing;
  for (const size_t i : attest::DifferingRtmrs(log, evidence.tdx->body)) {
    out.text += "rtmr" + std::to_string(i) + " differs: the quote has " +
                ToHex(evidence.tdx->body.rtmr[i]) + "\n";
    differing.emplace_back("rtmr" + std::to_string(i));
  }
  if (differing.empty()) out.text += "the log replays to the quote's registers\n";
  out.exit_code = differing.empty() ? 0 : kRefused;
  out.data["differing"] = std::move(differing);
  return out;
}

using AttestCommand = Result<Answer> (*)(const AttestOptions&);

// Unlike other commands these need no settings, and an error of theirs is an unusable input.
void BindAttest(args::Command& app, const GlobalOptions& global, int& exit_code,
                std::shared_ptr<AttestOptions> options, AttestCommand command) {
  app.OnParsed([&global, &exit_code, options = std::move(options), command] {
    const Result<Answer> answer = command(*options);
    if (!answer) {
      std::fprintf(stderr, "%s\n", Clean(FormatError(answer.error())).c_str());
      exit_code = kUnusable;
      return;
    }
    const std::string text = global.json ? ToPrettyJson(answer->data) : Clean(answer->text);
    std::fwrite(text.data(), 1, text.size(), stdout);
    exit_code = answer->exit_code;
  });
}

void AddJudgeOptions(args::Command& app, AttestOptions& o) {
  app.AddOption("--collateral", o.collateral,
                "bundle (JSON), or folder with TCB info, QE identity, CRLs and certificates")
      ->Required();
  app.AddOption("--at", o.at, "moment: Unix seconds or RFC 3339; else now");
  app.AddOption("--report-data", o.report_data, "REPORTDATA that is expected: 64 bytes in hex");
  app.AddFlag("--no-report-data", o.no_report_data, "REPORTDATA may be anything");
  app.AddOption("--mrconfigid", o.mrconfigid, "MRCONFIGID that is expected (TDX): 48 bytes in hex");
  app.AddOption("--host-data", o.host_data, "HOST_DATA that is expected (SNP): 32 bytes in hex");
  app.AddOption("--policy", o.policy, "policy (TOML or JSON); else the strict default");
  app.AddOption("--auxblob", o.auxblob, "certificate table that came with an SNP report");
}

}  // namespace

void AddAttestCommands(args::Command& app, const GlobalOptions& options, int& exit_code) {
  args::Command* const attest =
      app.AddCommand("attest", "verify and explain evidence of TDX and SEV-SNP machines");
  attest->RequireCommand();
  const auto add = [&](const char* name, const char* text, AttestCommand command) {
    args::Command* const sub = attest->AddCommand(name, text);
    auto own = std::make_shared<AttestOptions>();
    BindAttest(*sub, options, exit_code, own, command);
    return std::pair(sub, own.get());
  };
  const auto [verify, verify_options] = add("verify", "exit 0 accepted, 1 refused", Verify);
  verify->AddOption("--evidence", verify_options->evidence, "quote or report, raw or hex")
      ->Required();
  AddJudgeOptions(*verify, *verify_options);
  const auto [explain, explain_options] = add("explain", "show every check of a verdict", Explain);
  explain->AddOption("evidence,--evidence", explain_options->evidence, "quote or report")
      ->Required();
  explain->AddFlag("--failures", explain_options->failures_only, "only what failed");
  AddJudgeOptions(*explain, *explain_options);
  const auto [inspect, inspect_options] = add("inspect", "show all fields, no verdict", Inspect);
  inspect->AddOption("evidence", inspect_options->evidence, "quote or report")->Required();
  const auto [replay, replay_options] = add("replay", "replay an event log into RTMRs", Replay);
  replay->AddOption("log", replay_options->log, "CCEL data, or dstack's JSON")->Required();
  replay->AddOption("--evidence", replay_options->evidence, "quote to compare with");
}

}  // namespace cce::cli
