// What was run, on which data, under whose policy, and in which measured machine.
#include <algorithm>

#include "crypto/signed.h"
#include "manifest/examiner.h"
#include "manifest/malformed.h"

namespace cce::manifest {
namespace {

constexpr std::string_view kJobCode = "manifest.job";
constexpr std::string_view kPolicyCode = "manifest.policy";
constexpr std::string_view kMachineCode = "manifest.machine_evidence";

Result<> Same(std::string_view code, std::string_view where, std::string_view name,
              const std::string& expected, const std::string& found) {
  if (expected == found) return {};
  return Differs(code, std::string(where) + " is not the one expected: " + std::string(name),
                 expected, found);
}

template <typename Container>
std::string InputsText(const Container& inputs) {
  std::string out;
  for (const auto& input : inputs) {
    out += (out.empty() ? "" : ", ") + protocol::AddressText(input.dataset) + " at " +
           ToHex(input.snapshot);
  }
  return out;
}

std::string CommandText(const std::vector<std::string>& command) {
  return ToJson(json::array(command.begin(), command.end()));
}

}  // namespace

Result<> Examiner::CheckJobSpec() {
  constexpr std::string_view kWhat = "the job spec";
  const Statement& s = statement();
  const auto same = [&](std::string_view name, const std::string& expected,
                        const std::string& found) {
    return Same(kJobCode, kWhat, name, expected, found);
  };
  TRY(same("sha256", ToHex(s.job_spec), ToHex(protocol::JobSpecHash(bundle_.job_spec))));
  Result<protocol::JobSpec> spec = protocol::DecodeJobSpec(bundle_.job_spec);
  if (!spec) return Fail(Malformed(kWhat, spec.error()));
  spec_ = std::move(*spec);
  TRY(same("wallet", protocol::AddressText(s.wallet), protocol::AddressText(spec_.wallet)));
  TRY(same("chain", std::to_string(s.chain_id), std::to_string(spec_.chain_id)));
  TRY(same("image", s.image_repository + "@" + s.image_digest,
           spec_.image_repository + "@" + spec_.image_digest));
  TRY(same("source", s.source_digest, spec_.source_digest));
  TRY(same("command", CommandText(s.command), CommandText(spec_.command)));
  return same("datasets", InputsText(s.datasets), InputsText(spec_.datasets));
}

Result<> Examiner::CheckLaunchDocument() {
  constexpr std::string_view kWhat = "the launch document";
  const auto same = [&](std::string_view name, const std::string& expected,
                        const std::string& found) {
    return Same(kJobCode, kWhat, name, expected, found);
  };
  const Result<protocol::LaunchDocument> launch =
      protocol::DecodeLaunchDocument(bundle_.launch_document);
  if (!launch) return Fail(Malformed(kWhat, launch.error()));
  TRY(same("identity key", ToHex(crypto::KeyId(identity_.identity_key)),
           ToHex(launch->identity_key)));
  TRY(same("credential", bundle_.keys.credential, launch->credential));
  TRY(same("suite", launch->suite, bundle_.keys.suite));
  return same("limits", ToJson(protocol::LimitsToJson(spec_.limits)),
              ToJson(protocol::LimitsToJson(launch->limits)));
}

Result<> Examiner::CheckCredential(std::string_view token, protocol::CredentialPurpose purpose,
                                   const Digest32& release_key) {
  const bool keys = purpose == protocol::CredentialPurpose::kKeys;
  const std::string what = keys ? "the credential for keys" : "the credential for the result";
  const Result<protocol::JobCredential> claims =
      protocol::VerifyCredential(token, identity_.identity_key, purpose);
  if (!claims) return Fail(Because(kJobCode, what, claims.error()));
  const Statement& s = statement();
  const auto same = [&](std::string_view name, const std::string& expected,
                        const std::string& found) {
    return Same(kJobCode, what, name, expected, found);
  };
  TRY(same("job", ToHex(s.job), ToHex(claims->job)));
  TRY(same("attempt", std::to_string(s.attempt), std::to_string(claims->attempt)));
  TRY(same("wallet", protocol::AddressText(s.wallet), protocol::AddressText(claims->wallet)));
  TRY(same("job spec", ToHex(s.job_spec), ToHex(claims->job_spec)));
  TRY(same("image", s.image_digest, claims->image_digest));
  TRY(same("datasets", InputsText(s.datasets), InputsText(claims->inputs)));
  return same("key of the release", ToHex(release_key), ToHex(claims->release_key));
}

Examiner::Said Examiner::CheckJob() {
  TRY(CheckJobSpec());
  TRY(CheckLaunchDocument());
  TRY(CheckCredential(bundle_.keys.credential, protocol::CredentialPurpose::kKeys, {}));
  TRY(CheckCredential(bundle_.result.credential, protocol::CredentialPurpose::kSubmit,
                      crypto::Sha256(bundle_.keys.public_key)));
  const Statement& s = statement();
  // People decide for each dataset, or the gate decided alone.
  const size_t signers = s.decision == "approved" ? s.datasets.size() : 0;
  TRY(Same(kJobCode, "the decision '" + s.decision + "'", "number of signers",
           std::to_string(signers), std::to_string(s.decided_by.size())));
  if (s.keys_at < s.submitted_at || s.result_at < s.keys_at) {
    return Differs(
        kJobCode, "the statement's moments are out of order", "submitted, keys, result",
        FormatTime(s.submitted_at) + ", " + FormatTime(s.keys_at) + ", " + FormatTime(s.result_at));
  }
  return "job " + ToHex(s.job) + ", attempt " + std::to_string(s.attempt) + ": " +
         s.image_repository + "@" + s.image_digest + " for " + protocol::AddressText(s.wallet);
}

Examiner::Said Examiner::CheckPolicy(size_t index) {
  constexpr std::string_view kWhat = "the policy";
  const DatasetUse& use = statement().datasets[index];
  const auto same = [&](std::string_view name, const std::string& expected,
                        const std::string& found) {
    return Same(kPolicyCode, kWhat, name, expected, found);
  };
  TRY(same("number of policies", std::to_string(statement().datasets.size()),
           std::to_string(bundle_.policies.size())));
  const Bytes& document = bundle_.policies[index];
  TRY(same("sha256", ToHex(use.policy), ToHex(protocol::PolicyHash(document))));
  Result<protocol::DatasetPolicy> policy = protocol::DecodePolicy(document);
  if (!policy) return Fail(Malformed(kWhat, policy.error()));
  TRY(same("dataset", protocol::AddressText(use.dataset), protocol::AddressText(policy->dataset)));
  TRY(same("version", std::to_string(use.policy_version), std::to_string(policy->version)));
  TRY(same("chain", std::to_string(statement().chain_id), std::to_string(policy->chain_id)));
  TRY(same("access mode", use.access_mode, policy->access_mode));
  const std::string& image = statement().image_digest;
  if (!policy->images.empty() && std::ranges::find(policy->images, image) == policy->images.end()) {
    return Differs(kPolicyCode, "the policy does not allow the container image",
                   policy->images.front() + (policy->images.size() > 1 ? " or another listed" : ""),
                   image);
  }
  Result<attest::Policy> typed = attest::ReadPolicy(policy->attestation, "policy.attestation");
  if (!typed) return Fail(Because(kPolicyCode, kWhat, typed.error()));
  if (typed->any_measurement) {
    return Differs(kPolicyCode, "the policy would let any guest open the data",
                   "measurements by name", "any_measurement");
  }
  const std::string version = "version " + std::to_string(policy->version);
  policies_.push_back({std::move(*policy), std::move(*typed)});
  return version + " allows this image, access mode " + use.access_mode + ", snapshot " +
         ToHex(use.snapshot);
}

Result<Examiner::Judged> Examiner::JudgeMachine(ByteView evidence, std::string_view collateral,
                                                const protocol::ReportData& report_data,
                                                UnixSeconds time) {
  attest::ExpectedBinding binding(report_data);
  binding.mrconfigid = protocol::LaunchDocumentMrConfigId(bundle_.launch_document);
  binding.host_data = protocol::LaunchDocumentHostData(bundle_.launch_document);
  Result<Judged> last =
      Fail(kMachineCode, "no owner's policy stands against the machine's evidence");
  for (const OwnersPolicy& policy : policies_) {
    const std::string what = "the machine's evidence, under the policy of " +
                             protocol::AddressText(policy.document.dataset);
    Result<attest::Verdict> verdict =
        judge_(evidence, collateral, policy.attestation, time, binding);
    if (!verdict) return Fail(Because(kMachineCode, what, verdict.error()));
    if (!verdict->accepted) return Fail(Because(kMachineCode, what, attest::ToError(*verdict)));
    if (!verdict->evidence) return Fail(kMachineCode, what + ": nothing was read");
    attest::Evidence parsed = *verdict->evidence;
    last = Judged{std::move(*verdict), std::move(parsed)};
  }
  return last;
}

Examiner::Said Examiner::CheckKeysMachine() {
  const Statement& s = statement();
  const KeysProof& keys = bundle_.keys;
  TRY(Same(kMachineCode, "the evidence for keys", "sha256", ToHex(s.keys_evidence),
           ToHex(crypto::Sha256(keys.evidence))));
  ASSIGN_OR_RETURN(
      const Judged judged,
      JudgeMachine(keys.evidence, keys.collateral,
                   protocol::KeysReportData(keys.challenge, keys.request_id, keys.public_key,
                                            keys.credential, keys.suite),
                   s.keys_at));
  TRY(Same(kMachineCode, "the evidence for keys", "measurement", s.measurement,
           judged.verdict.measurement));
  if (attest::FieldsOf(judged.evidence) != s.machine) {
    return Differs(kMachineCode, "the statement's fields of the machine are not its evidence's",
                   ToJson(attest::FieldsOf(judged.evidence)), ToJson(s.machine));
  }
  keys_registers_ = attest::MeasurementOf(judged.evidence, "");
  NoteDevelopment("machine", judged.verdict);
  return std::string(attest::TeeName(judged.verdict.tee)) + " machine '" +
         judged.verdict.measurement + "', which every owner's policy lists, got the keys at " +
         FormatTime(s.keys_at);
}

Examiner::Said Examiner::CheckResultMachine() {
  const Statement& s = statement();
  const ResultProof& result = bundle_.result;
  TRY(Same(kMachineCode, "the evidence for the result", "sha256", ToHex(s.result_evidence),
           ToHex(crypto::Sha256(result.evidence))));
  ASSIGN_OR_RETURN(const Judged judged,
                   JudgeMachine(result.evidence, result.collateral,
                                protocol::ResultReportData({.challenge = result.challenge,
                                                            .job = s.job,
                                                            .attempt = s.attempt,
                                                            .credential = result.credential,
                                                            .public_key = bundle_.keys.public_key,
                                                            .output = s.sealed_output}),
                                s.result_at));
  const attest::Measurement registers = attest::MeasurementOf(judged.evidence, "");
  TRY(Same(kMachineCode, "the evidence for the result", "measurement registers",
           ToJson(attest::ToJsonObject(keys_registers_)), ToJson(attest::ToJsonObject(registers))));
  NoteDevelopment("machine", judged.verdict);
  return "the holder of those keys, measured alike, handed in the sealed output " +
         ToHex(s.sealed_output) + " at " + FormatTime(s.result_at);
}

}  // namespace cce::manifest
