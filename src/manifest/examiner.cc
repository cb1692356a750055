// Who says it, whether the result is the one meant, whether the log holds it, and with which
// development parts.
#include "manifest/examiner.h"

#include <algorithm>

#include "crypto/signed.h"
#include "manifest/malformed.h"
#include "manifest/output_listing.h"

namespace cce::manifest {
namespace {

std::string Joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out.empty() ? "none" : out;
}

// The members of the journal's entry result.approved.
struct ApprovedEntry {
  protocol::JobId job{};
  uint64_t attempt = 0;
  Digest32 output{};
  Digest32 result{};
  std::string decision;
};

Result<ApprovedEntry> ReadApproved(const json::object& data) {
  Fields f(data, "result.approved");
  ApprovedEntry out;
  out.job = protocol::HexField<16>(f, "job");
  out.attempt = f.Uint("attempt", {.min = 1, .max = UINT32_MAX});
  out.output = protocol::HexField<32>(f, "output");
  out.result = protocol::HexField<32>(f, "result");
  out.decision = f.String("decision", {.max = 32});
  TRY(f.Finish());
  return out;
}

}  // namespace

Unexpected Differs(std::string_view code, std::string message, std::string expected,
                   std::string found) {
  return Fail(
      MakeError(code, std::move(message)).Expected(std::move(expected)).Found(std::move(found)));
}

EvidenceJudge AttestJudge() {
  // Shared, since a std::function may be copied.
  return [verifier = std::make_shared<const attest::Verifier>()](
             ByteView evidence, std::string_view collateral, const attest::Policy& policy,
             UnixSeconds time, const attest::ExpectedBinding& binding) -> Result<attest::Verdict> {
    ASSIGN_OR_RETURN(const attest::Collateral parsed, attest::ParseBundle(collateral));
    ASSIGN_OR_RETURN(const attest::Evidence typed, attest::ParseEvidence(evidence));
    return verifier->Verify(typed, parsed, policy, time, binding);
  };
}

bool Examiner::Run(std::string name, const std::function<Said()>& step) {
  Said said = step();
  Step& entry = report_.steps.emplace_back(std::move(name), said.has_value());
  entry.says = said ? std::move(*said) : said.error().message;
  if (!said) report_.error = std::move(said).error();
  return entry.passed;
}

bool Examiner::RunPolicies() {
  for (size_t i = 0; i < statement().datasets.size(); ++i) {
    const std::string name = "policy " + protocol::AddressText(statement().datasets[i].dataset);
    if (!Run(name, [this, i] { return CheckPolicy(i); })) return false;
  }
  return true;
}

Report Examiner::Examine(bool allow_development) {
  (void)(Run("signature", [this] { return CheckSignature(); }) &&
         Run("cced", [this] { return CheckCced(); }) &&
         Run("result", [this] { return CheckResult(); }) &&
         Run("job", [this] { return CheckJob(); }) && RunPolicies() &&
         Run("machine: keys", [this] { return CheckKeysMachine(); }) &&
         Run("machine: result", [this] { return CheckResultMachine(); }) &&
         Run("audit log", [this] { return CheckLog(); }) &&
         Run("development",
             [this, allow_development] { return CheckDevelopment(allow_development); }));
  return std::move(report_);
}

Examiner::Said Examiner::CheckSignature() {
  const Digest32 hash = protocol::IdentityHash(bundle_.identity.document);
  const auto known = std::ranges::find(trust_.engines, hash, &TrustedCced::identity);
  if (known == trust_.engines.end()) {
    std::vector<std::string> names;
    names.reserve(trust_.engines.size());
    for (const TrustedCced& cced : trust_.engines) {
      names.push_back(cced.name + " " + ToHex(cced.identity));
    }
    return Differs("manifest.unknown_cced", "the trust file names no engine with this identity",
                   Joined(names), ToHex(hash));
  }
  trusted_ = &*known;
  report_.cced = known->name;
  Result<protocol::IdentityDocument> identity = protocol::DecodeIdentity(bundle_.identity.document);
  if (!identity) return Fail(Malformed("the identity document", identity.error()));
  identity_ = std::move(*identity);
  if (identity_.identity_key != known->identity_key) {
    return Differs("manifest.unknown_cced", "the trust file names another key for this identity",
                   ToHex(known->identity_key), ToHex(identity_.identity_key));
  }
  const Result<Bytes> payload =
      crypto::DsseVerify(bundle_.envelope, kPayloadType, identity_.identity_key);
  if (!payload) {
    const bool signature = payload.error().code == "crypto.bad_signature";
    return Fail(Because(signature ? "manifest.bad_signature" : "manifest.malformed",
                        "the signed envelope", payload.error()));
  }
  ASSIGN_OR_RETURN(report_.statement, DecodeStatement(AsText(*payload)));
  return "signed by the identity key of " + known->name + " (" +
         ToHex(crypto::KeyId(identity_.identity_key)).substr(0, 16) + "..)";
}

void Examiner::NoteDevelopment(std::string_view whose, const attest::Verdict& verdict) {
  if (!verdict.development) return;
  std::string part =
      std::string(whose) + ": the attestation root '" + verdict.root + "' is no vendor's";
  if (std::ranges::find(report_.development, part) != report_.development.end()) return;
  report_.development.push_back(std::move(part));
}

Examiner::Said Examiner::CheckCced() {
  report_.development = statement().development;
  constexpr std::string_view kCode = "manifest.cced_evidence";
  constexpr std::string_view kWhat = "the engine's evidence";
  // The challenge is the envelope's digest: the evidence was made for this very manifest.
  const attest::ExpectedBinding binding(protocol::IdentityReportData(
      crypto::Sha256(AsBytes(bundle_.envelope)), bundle_.identity.document));
  const Result<attest::Verdict> verdict =
      judge_(bundle_.identity.evidence, bundle_.identity.collateral, trusted_->attestation,
             statement().decided_at, binding);
  if (!verdict) return Fail(Because(kCode, kWhat, verdict.error()));
  if (!verdict->accepted) return Fail(Because(kCode, kWhat, attest::ToError(*verdict)));
  NoteDevelopment("engine", *verdict);
  return "its own evidence (" + std::string(attest::TeeName(verdict->tee)) + ", " +
         (verdict->measurement.empty() ? "any measurement" : "'" + verdict->measurement + "'") +
         ") satisfies the trust file's policy at " + FormatTime(statement().decided_at) +
         " and binds this manifest";
}

Examiner::Said Examiner::CheckResult() {
  constexpr std::string_view kCode = "manifest.result_mismatch";
  const Digest32 digest = crypto::Sha256(tar_);
  if (digest != statement().output) {
    return Differs(kCode, "the result is another one than the manifest's",
                   "sha256 " + ToHex(statement().output), "sha256 " + ToHex(digest));
  }
  ASSIGN_OR_RETURN(auto files, ListOutput(tar_));
  for (const FileSubject& subject : statement().files) {
    const auto file = files.find(subject.path);
    if (file == files.end()) {
      return Differs(kCode, "the manifest names a file that the result lacks", subject.path,
                     "none");
    }
    if (file->second != subject.sha256) {
      return Differs(kCode, "a file is another one than the manifest's: " + subject.path,
                     "sha256 " + ToHex(subject.sha256), "sha256 " + ToHex(file->second));
    }
    files.erase(file);
  }
  if (!files.empty()) {
    return Differs(kCode, "the result holds a file that the manifest does not name", "none",
                   files.begin()->first);
  }
  return "sha256 " + ToHex(digest) + ", and each of its " +
         std::to_string(statement().files.size()) + " files";
}

Examiner::Said Examiner::CheckLog() {
  constexpr std::string_view kCode = "manifest.log";
  constexpr std::string_view kWhat = "the audit log's proof";
  const Result<tlog::ProvenEntry> entry =
      tlog::VerifyEntryProof(bundle_.log, {identity_.log_origin, identity_.log_key});
  if (!entry) return Fail(Because(kCode, kWhat, entry.error()));
  if (entry->type != "result.approved") {
    return Differs(kCode, "the log's entry is of another type", "result.approved", entry->type);
  }
  const Result<ApprovedEntry> approved = ReadApproved(entry->data);
  if (!approved) return Fail(Because(kCode, kWhat, approved.error()));
  const Statement& s = statement();
  const auto same = [&](std::string_view name, const std::string& expected,
                        const std::string& found) -> Result<> {
    if (expected == found) return {};
    return Differs(kCode, "the log's entry is of another result: " + std::string(name), expected,
                   found);
  };
  TRY(same("job", ToHex(s.job), ToHex(approved->job)));
  TRY(same("attempt", std::to_string(s.attempt), std::to_string(approved->attempt)));
  TRY(same("sealed output", ToHex(s.sealed_output), ToHex(approved->output)));
  TRY(same("result", ToHex(s.output), ToHex(approved->result)));
  TRY(same("decision", s.decision, approved->decision));
  // The journal's times never run backwards, and the result's entry stands before this one.
  if (entry->millis / 1000 < s.result_at) {
    return Differs(kCode, "the log's entry is older than the result",
                   "not before " + FormatTime(s.result_at), FormatTime(entry->millis / 1000));
  }
  return "the approval is entry " + std::to_string(entry->seq) + " of " +
         std::to_string(entry->checkpoint.size) + " in the log " + entry->checkpoint.origin;
}

Examiner::Said Examiner::CheckDevelopment(bool allowed) {
  if (statement().development != identity_.development) {
    return Differs("manifest.development",
                   "the statement names other development parts than the engine's identity",
                   Joined(identity_.development), Joined(statement().development));
  }
  if (report_.development.empty()) return "no development part had a hand in it";
  const std::string parts = Joined(report_.development);
  for (size_t i = 0; i < policies_.size(); ++i) {
    if (policies_[i].document.allow_development) continue;
    return Differs("manifest.policy",
                   "the owner of " + protocol::AddressText(statement().datasets[i].dataset) +
                       " allowed no development parts",
                   "none", parts);
  }
  if (!allowed) {
    return Differs("manifest.development", "the result was made with development parts", "none",
                   parts);
  }
  return "ALLOWED HERE, though these protect nothing: " + parts;
}

}  // namespace cce::manifest
