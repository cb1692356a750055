#include "attest/verify.h"

#include <utility>

#include "attest/checks.h"
#include "attest/policy_check.h"
#include "attest/snp_report.h"
#include "attest/tdx_quote.h"
#include "attest/trust_source.h"

namespace cce::attest {
namespace {

Check NotReachedGroup(Rule rule) {
  Check out;
  out.rule = &InfoOf(rule);
  return out;
}

// Takes a finished group into the verdict; true where verification goes on.
bool TakeGroup(Verdict& out, Check group, Stage stage) {
  const bool ok = group.state == CheckState::kPass;
  out.checks.push_back(std::move(group));
  if (!ok) out.reject_stage = stage;
  return ok;
}

void Conclude(Verdict& out) {
  std::vector<Failure> failures = Failures(out);
  if (failures.empty() && out.accepted) {
    out.reject_stage = Stage::kNone;
    return;
  }
  out.accepted = false;
  if (!failures.empty()) out.first_failure = std::move(failures.front());
}

void VerifyTdx(const TrustSource& source, const TdxQuote& quote, const Collateral& collateral,
               const Policy& policy, UnixSeconds time, const ExpectedBinding& binding,
               Verdict& out) {
  const std::shared_ptr<const TdxTrust> trust = source.Tdx(
      quote.pck_chain_pem, collateral.tdx ? &*collateral.tdx : nullptr, policy.roots, time);
  out.root = trust->root;
  out.development = trust->development;
  if (!TakeGroup(out, trust->group, Stage::kCollateral) || !trust->ok) {
    for (const Rule rule : {Rule::kTdxQuote, Rule::kTdxTcb, Rule::kPolicy}) {
      out.checks.push_back(NotReachedGroup(rule));
    }
    return;
  }
  out.collateral_ok = true;
  out.valid_until = trust->window.until;
  out.tcb_evaluation_number = std::min(trust->info.evaluation_number, trust->qe.evaluation_number);
  if (!TakeGroup(out, CheckTdxQuote(quote, *trust), Stage::kQuote)) {
    for (const Rule rule : {Rule::kTdxTcb, Rule::kPolicy}) {
      out.checks.push_back(NotReachedGroup(rule));
    }
    return;
  }
  TcbResult tcb;
  if (!TakeGroup(out, EvaluateTdxTcb(quote, *trust, tcb), Stage::kTcb)) {
    out.checks.push_back(NotReachedGroup(Rule::kPolicy));
    return;
  }
  out.tcb_status = tcb.status;
  out.advisory_ids = tcb.advisories;
  out.tcb_date = tcb.date;
  out.current_tcb_status = tcb.current_status;
  out.current_advisory_ids = tcb.current_advisories;
  PolicyOutcome outcome = CheckTdxPolicy(quote, *trust, tcb, policy, time, binding);
  out.measurement = std::move(outcome.measurement);
  out.nearest = std::move(outcome.nearest);
  out.accepted = TakeGroup(out, std::move(outcome.group), Stage::kPolicy);
}

void VerifySnp(const TrustSource& source, const Evidence& evidence, const SnpReport& report,
               const Collateral& collateral, const Policy& policy, UnixSeconds time,
               const ExpectedBinding& binding, Verdict& out) {
  const std::shared_ptr<const SnpTrust> trust =
      source.Snp(CompleteSnp(collateral.snp, evidence.certificates), policy.snp.require_crl,
                 policy.roots, time);
  out.root = trust->root;
  out.development = trust->development;
  if (!TakeGroup(out, trust->group, Stage::kCollateral) || !trust->ok) {
    for (const Rule rule : {Rule::kSnpReport, Rule::kSnpTcb, Rule::kPolicy}) {
      out.checks.push_back(NotReachedGroup(rule));
    }
    return;
  }
  out.collateral_ok = true;
  out.valid_until = trust->window.until;
  if (!TakeGroup(out,
                 CheckSnpReport(report, evidence.azure_runtime_data, *trust,
                                policy.snp.allow_masked_chip_id),
                 Stage::kQuote)) {
    for (const Rule rule : {Rule::kSnpTcb, Rule::kPolicy}) {
      out.checks.push_back(NotReachedGroup(rule));
    }
    return;
  }
  const SnpProduct product = ProductOf(report, *trust);
  if (!TakeGroup(out, CheckSnpTcb(report, product), Stage::kTcb)) {
    out.checks.push_back(NotReachedGroup(Rule::kPolicy));
    return;
  }
  PolicyOutcome outcome = CheckSnpPolicy(report, *trust, product, policy, time, binding);
  out.measurement = std::move(outcome.measurement);
  out.nearest = std::move(outcome.nearest);
  out.accepted = TakeGroup(out, std::move(outcome.group), Stage::kPolicy);
}

Verdict Unreadable(UnixSeconds time, const Error& error) {
  Verdict out;
  out.time = time;
  out.reject_stage = Stage::kEvidence;
  Checks checks(Rule::kEvidence);
  checks.Fail(Rule::kForm, error.expected.empty() ? "a TDX quote or an SNP report" : error.expected,
              error.message + (error.found.empty() ? "" : ": " + error.found));
  out.checks.push_back(std::move(checks).Finish());
  Conclude(out);
  return out;
}

}  // namespace

std::shared_ptr<const TdxTrust> TrustSource::Tdx(ByteView quote_chain_pem,
                                                 const TdxCollateral* collateral,
                                                 const std::vector<TrustedRoot>& roots,
                                                 UnixSeconds time) const {
  return std::make_shared<const TdxTrust>(
      EstablishTdxTrust(quote_chain_pem, collateral, roots, time));
}

std::shared_ptr<const SnpTrust> TrustSource::Snp(const SnpCollateral& collateral, bool require_crl,
                                                 const std::vector<TrustedRoot>& roots,
                                                 UnixSeconds time) const {
  return std::make_shared<const SnpTrust>(EstablishSnpTrust(collateral, require_crl, roots, time));
}

Verdict VerifyWith(const TrustSource& source, const Evidence& evidence,
                   const Collateral& collateral, const Policy& policy, UnixSeconds time,
                   const ExpectedBinding& binding) {
  if (!evidence.tdx && !evidence.snp) {
    return Unreadable(time, MakeError("evidence.malformed", "the evidence is empty"));
  }
  Verdict out;
  out.time = time;
  out.tee = evidence.tdx ? Tee::kTdx : Tee::kSnp;
  out.evidence = evidence;
  Checks form(Rule::kEvidence);
  form.Pass(Rule::kForm, "a known form", std::string(FormName(evidence.form)));
  out.checks.push_back(std::move(form).Finish());
  if (evidence.tdx) {
    VerifyTdx(source, *evidence.tdx, collateral, policy, time, binding, out);
  } else if (evidence.snp) {
    VerifySnp(source, evidence, *evidence.snp, collateral, policy, time, binding, out);
  }
  Conclude(out);
  return out;
}

Verdict Verify(const Evidence& evidence, const Collateral& collateral, const Policy& policy,
               UnixSeconds time, const ExpectedBinding& binding) {
  return VerifyWith(TrustSource(), evidence, collateral, policy, time, binding);
}

Verdict VerifyBytes(ByteView bytes, const Collateral& collateral, const Policy& policy,
                    UnixSeconds time, const ExpectedBinding& binding) {
  const Result<Evidence> evidence = ParseEvidence(bytes);
  if (!evidence) return Unreadable(time, evidence.error());
  return Verify(*evidence, collateral, policy, time, binding);
}

}  // namespace cce::attest
