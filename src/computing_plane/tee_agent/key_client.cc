#include "computing_plane/tee_agent/key_client.h"

#include "crypto/hpke.h"

namespace cce::tee_agent {
namespace {

using protocol::CredentialPurpose;
using protocol::JobCredential;
using protocol::KeyBundle;
using protocol::LaunchDocument;

// A challenge may run out while the way to cced is broken.
constexpr int kRounds = 3;

Unexpected Mismatch(std::string_view what) {
  return Fail("keys.mismatch",
              "the key bundle and the Job Credential differ in " + std::string(what));
}

bool IsStaleChallenge(const Error& error) {
  return error.code == "challenge.expired" || error.code == "challenge.unknown";
}

Result<> CheckDatasets(const KeyBundle& bundle, const JobCredential& credential,
                       const protocol::JobSpec& spec) {
  const size_t count = spec.datasets.size();
  if (bundle.datasets.size() != count || credential.inputs.size() != count) {
    return Mismatch("the number of datasets");
  }
  for (size_t i = 0; i < count; ++i) {
    const protocol::JobDataset& wanted = spec.datasets[i];
    const protocol::ReleasedDataset& released = bundle.datasets[i];
    const JobCredential::Input& input = credential.inputs[i];
    if (released.dataset != wanted.dataset || input.dataset != wanted.dataset) {
      return Mismatch("a dataset");
    }
    if (released.snapshot != wanted.snapshot || input.snapshot != wanted.snapshot) {
      return Mismatch("a snapshot");
    }
    if (released.keys.empty()) return Mismatch("a dataset's keys");
  }
  return {};
}

// One challenge, one key, one request.
Result<ReleasedKeys> Round(CcedClient& cced, tsm::Attester& attester, const LaunchDocument& launch,
                           Stages& stages) {
  const StopWatch attest_time;
  ASSIGN_OR_RETURN(const crypto::P256PrivateKey key, crypto::P256PrivateKey::Generate());
  ASSIGN_OR_RETURN(const protocol::ChallengeReply challenge, cced.Challenge(launch.credential));
  protocol::KeysRequest request{.credential = launch.credential,
                                .challenge = challenge.challenge,
                                .request_id = crypto::RandomArray<16>(),
                                .public_key = key.public_key(),
                                .suite = launch.suite};
  const protocol::ReportData report_data = protocol::KeysReportData(
      request.challenge, request.request_id, request.public_key, request.credential, request.suite);
  ASSIGN_OR_RETURN(const tsm::TsmEvidence evidence, attester.Attest(report_data));
  request.evidence = evidence.Whole();
  const uint64_t attest_millis = attest_time.Millis();

  const StopWatch keys_time;
  ASSIGN_OR_RETURN(const protocol::KeysReply reply, cced.Keys(request));
  ReleasedKeys out{.public_key = key.public_key()};
  ASSIGN_OR_RETURN(out.bundle,
                   protocol::OpenKeyBundle(reply, key, report_data, launch.identity_key));
  // Only now is there a key to verify the credential by.
  ASSIGN_OR_RETURN(
      const JobCredential credential,
      protocol::VerifyCredential(launch.credential, reply.identity_key, CredentialPurpose::kKeys));
  ASSIGN_OR_RETURN(out.spec, CheckBundle(out.bundle, credential, launch.limits));
  stages.Add("attest", attest_millis);
  stages.Add("keys", keys_time.Millis());
  return out;
}

}  // namespace

Result<protocol::JobSpec> CheckBundle(const KeyBundle& bundle, const JobCredential& credential,
                                      const protocol::JobLimits& limits) {
  if (bundle.job != credential.job) return Mismatch("the job");
  if (bundle.attempt != credential.attempt) return Mismatch("the attempt");
  if (protocol::JobSpecHash(bundle.job_spec) != credential.job_spec)
    return Mismatch("the job spec");
  ASSIGN_OR_RETURN(protocol::JobSpec spec, protocol::DecodeJobSpec(bundle.job_spec));
  if (spec.image_digest != credential.image_digest) return Mismatch("the container image");
  if (spec.wallet != credential.wallet) return Mismatch("the wallet");
  // The measured limits are those that the machine was sized for.
  if (protocol::LimitsToJson(spec.limits) != protocol::LimitsToJson(limits)) {
    return Mismatch("the limits");
  }
  TRY(CheckDatasets(bundle, credential, spec));
  return spec;
}

Result<ReleasedKeys> ObtainKeys(CcedClient& cced, tsm::Attester& attester,
                                const LaunchDocument& launch, Stages& stages) {
  if (launch.suite != crypto::kHpkeSuite) {
    return Fail(MakeError("keys.suite", "the launch document names another suite")
                    .Expected(std::string(crypto::kHpkeSuite))
                    .Found(launch.suite));
  }
  for (int round = 1;; ++round) {
    auto keys = Round(cced, attester, launch, stages);
    if (keys || round >= kRounds || !IsStaleChallenge(keys.error())) return keys;
  }
}

}  // namespace cce::tee_agent
