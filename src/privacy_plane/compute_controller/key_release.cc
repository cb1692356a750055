#include "privacy_plane/compute_controller/key_release.h"

#include <algorithm>

#include "base/log.h"
#include "crypto/hpke.h"
#include "privacy_plane/datasets/policies.h"
#include "protocol/launch_document.h"

namespace cce::privacy_plane {
namespace {

using protocol::CredentialPurpose;
using protocol::JobState;

constexpr size_t kMaxOpenChallenges = 4;
constexpr size_t kMaxRefusals = 5;
constexpr UnixSeconds kReplayWindow = 600;  // the same request gets the same bytes for so long
// A submit credential lives as long as the machine may.
constexpr int64_t kSubmitSlack = 600;

std::vector<Digest32> PoliciesInForce(const Tables& tables, const protocol::JobSpec& spec) {
  std::vector<Digest32> out;
  out.reserve(spec.datasets.size());
  for (const protocol::JobDataset& dataset : spec.datasets) {
    out.push_back(tables.datasets.at(dataset.dataset).policy().hash);
  }
  return out;
}

Digest32 HashOf(std::string_view token) { return crypto::Sha256(AsBytes(token)); }

}  // namespace

Error CodeOnly(const Error& error) {
  const ErrorInfo* info = FindErrorInfo(error.code);
  return MakeError(error.code, info == nullptr ? "refused" : std::string(info->meaning));
}

Result<protocol::ChallengeReply> Challenges::Issue(const Digest32& credential, UnixSeconds now,
                                                   int64_t lifetime) {
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [now](const auto& item) { return item.second.expires_at < now; });
  const auto count = std::ranges::count_if(
      open_, [&](const auto& item) { return item.second.credential == credential; });
  if (static_cast<size_t>(count) >= kMaxOpenChallenges) {
    return Fail("challenge.too_many", "four challenges are open for this credential");
  }
  const protocol::ChallengeReply reply{crypto::RandomArray<32>(), now + lifetime};
  open_[reply.challenge] = {credential, reply.expires_at};
  return reply;
}

Result<> Challenges::Check(const Digest32& credential, const protocol::Challenge& challenge,
                           UnixSeconds now) {
  const std::lock_guard lock(mutex_);
  const auto it = open_.find(challenge);
  if (it == open_.end() || it->second.credential != credential) {
    return Fail("challenge.unknown",
                "the challenge was not given for this credential, or is spent");
  }
  if (it->second.expires_at < now) {
    return Fail(MakeError("challenge.expired", "the challenge is too old")
                    .Expected("before " + FormatTime(it->second.expires_at))
                    .Found(FormatTime(now)));
  }
  return {};
}

void Challenges::Spend(const protocol::Challenge& challenge) {
  const std::lock_guard lock(mutex_);
  open_.erase(challenge);
}

Result<JobRecord> KeyRelease::FindJob(const protocol::JobCredential& claims,
                                      std::string_view token) const {
  return core_.state->Read([&](const Tables& tables) -> Result<JobRecord> {
    const auto it = tables.jobs.find(claims.job);
    if (it == tables.jobs.end()) return Fail("job.unknown", "no such job");
    const JobRecord& job = it->second;
    const bool keys = claims.purpose == CredentialPurpose::kKeys;
    const bool present =
        keys ? job.credential == token : job.release && job.release->submit_credential == token;
    if (!present || job.attempt != claims.attempt) {
      return Fail("credential.superseded", "the credential is not the present attempt's");
    }
    return job;
  });
}

Result<protocol::ChallengeReply> KeyRelease::Challenge(const protocol::ChallengeRequest& request) {
  ASSIGN_OR_RETURN(const protocol::JobCredential unverified,
                   protocol::ReadCredential(request.credential));
  ASSIGN_OR_RETURN(
      const protocol::JobCredential claims,
      protocol::VerifyCredential(request.credential, core_.keys->identity_key().public_key(),
                                 unverified.purpose));
  const UnixSeconds now = core_.clock->Now();
  if (claims.expires_at < now) return Fail("credential.expired", "the credential has expired");
  ASSIGN_OR_RETURN(const JobRecord job, FindJob(claims, request.credential));
  if (protocol::IsFinal(job.state)) return Fail("job.ended", "the job has ended");
  const bool spent =
      claims.purpose == CredentialPurpose::kKeys ? job.credential_spent : job.result.has_value();
  if (spent) return Fail("credential.spent", "the credential is spent");
  ASSIGN_OR_RETURN(
      const protocol::ChallengeReply reply,
      challenges_.Issue(HashOf(request.credential), now, core_.config.challenge_seconds));
  TRY(core_.state->Record(ChallengeIssued(job.id, reply.challenge, claims.purpose)));
  return reply;
}

Result<> KeyRelease::CheckChallenge(std::string_view credential,
                                    const protocol::Challenge& challenge) {
  return challenges_.Check(HashOf(credential), challenge, core_.clock->Now());
}

Result<> KeyRelease::ClaimChallenge(std::string_view credential,
                                    const protocol::Challenge& challenge) {
  TRY(CheckChallenge(credential, challenge));
  challenges_.Spend(challenge);
  return {};
}

Result<GuestJudgement> KeyRelease::JudgeGuest(const JobRecord& job, ByteView evidence,
                                              const protocol::ReportData& report_data,
                                              UnixSeconds now) {
  std::vector<NamedPolicy> policies;
  TRY(core_.state->Read([&](const Tables& tables) -> Result<> {
    for (const protocol::JobDataset& dataset : job.spec.datasets) {
      ASSIGN_OR_RETURN(attest::Policy policy,
                       AttestationPolicy(tables.datasets.at(dataset.dataset).policy().policy));
      policies.push_back({protocol::AddressText(dataset.dataset), std::move(policy)});
    }
    return {};
  }));
  attest::ExpectedBinding binding(report_data);
  binding.mrconfigid = protocol::LaunchDocumentMrConfigId(job.launch_document);
  binding.host_data = protocol::LaunchDocumentHostData(job.launch_document);
  return core_.verifier->Judge(evidence, policies, now, binding);
}

Result<protocol::KeyBundle> KeyRelease::MakeBundle(const JobRecord& job, ByteView public_key,
                                                   UnixSeconds now) const {
  protocol::KeyBundle bundle;
  bundle.job = job.id;
  bundle.attempt = job.attempt;
  bundle.job_spec = job.spec_bytes;
  bundle.rek = core_.keys->Rek(job.id, job.attempt);
  bundle.storage_token = core_.keys->StorageToken(job.id, job.attempt);
  protocol::JobCredential submit;
  submit.purpose = CredentialPurpose::kSubmit;
  submit.nonce = crypto::RandomArray<16>();
  submit.issued_at = now;
  submit.expires_at = now + job.spec.limits.seconds + kSubmitSlack;
  submit.wallet = job.spec.wallet;
  submit.job = job.id;
  submit.attempt = job.attempt;
  submit.job_spec = protocol::JobSpecHash(job.spec_bytes);
  submit.image_digest = job.spec.image_digest;
  submit.release_key = crypto::Sha256(public_key);
  for (const protocol::JobDataset& wanted : job.spec.datasets) {
    submit.inputs.push_back({wanted.dataset, wanted.snapshot});
    protocol::ReleasedDataset& dataset = bundle.datasets.emplace_back();
    dataset.dataset = wanted.dataset;
    dataset.snapshot = wanted.snapshot;
    dataset.access_mode = core_.state->Read([&](const Tables& tables) {
      return tables.datasets.at(wanted.dataset).policy().policy.access_mode;
    });
    ASSIGN_OR_RETURN(dataset.keys, datasets_.Keys(wanted.dataset, wanted.snapshot));
  }
  ASSIGN_OR_RETURN(bundle.submit_credential,
                   protocol::SignCredential(submit, core_.keys->identity_key()));
  return bundle;
}

tl::expected<std::string, KeyRelease::Refusal> KeyRelease::Decide(
    const protocol::KeysRequest& request, const JobRecord& job,
    const protocol::JobCredential& claims) {
  const auto refuse = [](Error error, json::value verdict = nullptr) {
    return tl::unexpected(Refusal{std::move(error), std::move(verdict)});
  };
  const UnixSeconds clock_now = core_.clock->Now();
  if (claims.expires_at < clock_now) {
    return refuse(MakeError("credential.expired", "the credential has expired")
                      .Expected("before " + FormatTime(claims.expires_at))
                      .Found(FormatTime(clock_now)));
  }
  if (auto fresh = CheckChallenge(request.credential, request.challenge); !fresh) {
    return refuse(fresh.error());
  }
  if (request.suite != crypto::kHpkeSuite) {
    return refuse(MakeError("keys.suite", "the request names another suite")
                      .Expected(std::string(crypto::kHpkeSuite))
                      .Found(request.suite));
  }
  const Result<chain::Block> block = core_.chain->FinalBlock();
  if (!block) return refuse(block.error());
  const Result<UnixSeconds> now = core_.TrustedNow(*block);
  if (!now) return refuse(now.error());
  const protocol::ReportData report_data = protocol::KeysReportData(
      request.challenge, request.request_id, request.public_key, request.credential, request.suite);
  const std::vector<Digest32> policies =
      core_.state->Read([&](const Tables& tables) { return PoliciesInForce(tables, job.spec); });
  const Result<GuestJudgement> guest = JudgeGuest(job, request.evidence, report_data, *now);
  if (!guest) return refuse(guest.error());
  if (!guest->accepted) {
    Error error = attest::ToError(guest->verdict);
    error.detail = "refused by the policy of " + guest->whose;
    return refuse(std::move(error), attest::ToJsonObject(guest->verdict));
  }
  // Policies and rentals may have changed since the job was submitted.
  const Result<JobChecks> checks = CheckJob(core_, job.spec, *block, /*counted=*/false);
  if (!checks) return refuse(checks.error());
  if (auto verdict = checks->Verdict(); !verdict) return refuse(verdict.error());
  if (auto anchored = core_.CheckAnchored(); !anchored) return refuse(anchored.error());

  const Result<protocol::KeyBundle> bundle = MakeBundle(job, request.public_key, *now);
  if (!bundle) return refuse(bundle.error());
  const Result<protocol::KeysReply> reply =
      protocol::SealKeyBundle(*bundle, request.public_key, report_data, core_.keys->identity_key());
  if (!reply) return refuse(reply.error());
  ReleaseRecord release{
      .credential = HashOf(request.credential),
      .request_id = request.request_id,
      .challenge = request.challenge,
      .public_key = request.public_key,
      .reply = ToJson(protocol::ToJsonObject(*reply)),
      .submit_credential = bundle->submit_credential,
      .evidence = request.evidence,
      .collateral = guest->collateral,
      .measurement = guest->verdict.measurement,
      .tee = guest->verdict.evidence ? attest::FieldsOf(*guest->verdict.evidence) : json::object{}};
  // One durable entry spends credential, challenge and request, and holds the reply, before a byte
  // leaves.
  const Result<uint64_t> spent =
      core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
        const JobRecord& present = tables.jobs.at(job.id);
        if (present.state != JobState::kQueued || present.credential_spent) {
          return Fail("credential.spent", "the credential was spent meanwhile");
        }
        TRY(CheckChallenge(request.credential, request.challenge));
        if (PoliciesInForce(tables, job.spec) != policies) {
          return Fail("policy.changed", "an owner's policy changed while the evidence was judged");
        }
        return std::vector<Entry>{KeysReleased(job.id, release)};
      });
  if (!spent) return refuse(spent.error());
  challenges_.Spend(request.challenge);
  return release.reply;
}

Error KeyRelease::Refuse(const JobRecord& job, std::string step, const Error& error,
                         const json::value& verdict) {
  LogError(LogLevel::kWarn, "cvm.refused", error, {{"job", ToHex(job.id)}, {"step", step}});
  RefusalRecord refusal{core_.clock->Now(), step, error, verdict};
  if (const auto recorded = core_.state->Record(StepRefused(job.id, refusal)); !recorded) {
    return CodeOnly(recorded.error());
  }
  const size_t count = core_.state->Read([&](const Tables& tables) {
    return std::ranges::count(tables.jobs.at(job.id).refusals, step, &RefusalRecord::step);
  });
  // Once keys have left, a host that replays the credential it can see must not be able to end the
  // job.
  const bool replay = step == "keys" && job.release.has_value();
  if (count >= kMaxRefusals && !replay) {
    // It may have ended by itself meanwhile: then there is nothing to end.
    (void)controller_.Abort(job.id, JobState::kFailed, protocol::Outcome::kInternal);
  }
  return CodeOnly(error);
}

Result<std::string> KeyRelease::Release(const protocol::KeysRequest& request) {
  const Result<protocol::JobCredential> claims = protocol::VerifyCredential(
      request.credential, core_.keys->identity_key().public_key(), CredentialPurpose::kKeys);
  if (!claims) {
    LogError(LogLevel::kWarn, "cvm.refused", claims.error());
    return Fail(CodeOnly(claims.error()));
  }
  const Result<JobRecord> job = FindJob(*claims, request.credential);
  if (!job) return Fail(CodeOnly(job.error()));
  if (job->release) {
    const bool same = job->release->request_id == request.request_id &&
                      job->release->public_key == request.public_key &&
                      job->release->challenge == request.challenge;
    if (same && core_.clock->Now() - job->release->time <= kReplayWindow) {
      return job->release->reply;
    }
    return Fail(Refuse(*job, "keys",
                       MakeError("credential.spent", "the credential has been used already")
                           .Expected("one release of keys for one credential")
                           .Found(same ? "the same request, too late" : "another request"),
                       nullptr));
  }
  if (job->state != JobState::kQueued) {
    return Fail(CodeOnly(MakeError("job.ended", "the job waits for no keys")));
  }
  auto reply = Decide(request, *job, *claims);
  if (!reply) return Fail(Refuse(*job, "keys", reply.error().error, reply.error().verdict));
  Log(LogLevel::kInfo, "keys.released", {{"job", ToHex(job->id)}});
  return std::move(*reply);
}

}  // namespace cce::privacy_plane
