#include "privacy_plane/compute_controller/controller.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "crypto/hpke.h"
#include "crypto/signed.h"
#include "privacy_plane/datasets/snapshots.h"
#include "privacy_plane/volumes/volumes.h"
#include "protocol/credential.h"
#include "protocol/launch_document.h"

namespace cce::privacy_plane {
namespace {

using protocol::JobState;
using protocol::Outcome;

constexpr size_t kStarters = 4;
// What a machine needs beside the job's own time: start, pull, collect, submit.
constexpr uint32_t kDeadlineSlack = 300;

Error UnknownJob() { return MakeError("job.unknown", "no such job"); }

}  // namespace

ComputeController::ComputeController(Core& core, SignIn& sign_in, const LauncherClient& launcher)
    : core_(core), sign_in_(sign_in), launcher_(launcher) {
  AdoptRunning();
  for (size_t i = 0; i < kStarters; ++i) threads_.emplace_back([this] { RunTasks(); });
  threads_.emplace_back([this] { RenewLeases(); });
}

ComputeController::~ComputeController() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ComputeController::AdoptRunning() {
  std::vector<JobId> unstarted;
  core_.state->Read([&](const Tables& tables) {
    for (const auto& [id, job] : tables.jobs) {
      if (job.state == JobState::kQueued && job.machine_ms < job.credential_ms) {
        unstarted.push_back(id);
      } else if (job.state == JobState::kQueued || job.state == JobState::kRunning) {
        machines_.insert(id);
      }
    }
  });
  for (const JobId& job : unstarted) Push([this, job] { StartMachine(job); });
}

Result<protocol::JobCheckReply> ComputeController::Check(ByteView job_spec) {
  ASSIGN_OR_RETURN(const protocol::JobSpec spec, protocol::DecodeJobSpec(job_spec));
  ASSIGN_OR_RETURN(const chain::Block block, core_.chain->FinalBlock());
  ASSIGN_OR_RETURN(const JobChecks checks, CheckJob(core_, spec, block, /*counted=*/true));
  protocol::JobCheckReply reply;
  for (const CheckedItem& item : checks.items) {
    protocol::JobCheck check{.name = item.name, .passed = item.result.has_value()};
    if (!item.result) {
      const Error& error = item.result.error();
      check.code = error.code;
      check.message = error.message;
      check.expected = error.expected;
      check.found = error.found;
      check.next = error.next;
    }
    reply.checks.push_back(std::move(check));
  }
  return reply;
}

Result<ComputeController::Attempt> ComputeController::MakeAttempt(const JobRecord& job,
                                                                  uint32_t number,
                                                                  UnixSeconds now) const {
  protocol::JobCredential credential;
  credential.purpose = protocol::CredentialPurpose::kKeys;
  credential.nonce = crypto::RandomArray<16>();
  credential.issued_at = now;
  credential.expires_at = now + core_.config.credential_seconds;
  credential.wallet = job.spec.wallet;
  credential.job = job.id;
  credential.attempt = number;
  credential.job_spec = protocol::JobSpecHash(job.spec_bytes);
  credential.image_digest = job.spec.image_digest;
  for (const protocol::JobDataset& dataset : job.spec.datasets) {
    credential.inputs.push_back({dataset.dataset, dataset.snapshot});
  }
  Attempt attempt{.expires_at = credential.expires_at};
  ASSIGN_OR_RETURN(attempt.credential,
                   protocol::SignCredential(credential, core_.keys->identity_key()));
  attempt.launch_document = protocol::EncodeLaunchDocument(
      {.suite = std::string(crypto::kHpkeSuite),
       .credential = attempt.credential,
       .identity_key = crypto::KeyId(core_.keys->identity_key().public_key()),
       .tls_key = core_.identity.tls_key,
       .names = {"cced", "objects", "registry"},
       .limits = job.spec.limits});
  return attempt;
}

Result<protocol::SubmitJobReply> ComputeController::Submit(
    const protocol::SubmitJobRequest& request) {
  JobRecord job;
  job.spec_bytes = request.job_spec;
  job.sign_in = request.sign_in;
  ASSIGN_OR_RETURN(job.spec, protocol::DecodeJobSpec(request.job_spec));
  const Digest32 hash = protocol::JobSpecHash(request.job_spec);
  ASSIGN_OR_RETURN(const Wallet wallet,
                   sign_in_.Verify(request.sign_in, protocol::JobResource(hash)));
  if (wallet != job.spec.wallet) {
    return Fail(MakeError("job.wrong_wallet", "the job is another wallet's")
                    .Expected(protocol::AddressText(job.spec.wallet))
                    .Found(protocol::AddressText(wallet)));
  }
  ASSIGN_OR_RETURN(const chain::Block block, core_.chain->FinalBlock());
  ASSIGN_OR_RETURN(const UnixSeconds now, core_.TrustedNow(block));
  ASSIGN_OR_RETURN(const JobChecks checks, CheckJob(core_, job.spec, block, /*counted=*/false));
  TRY(checks.Verdict());
  job.rentals = checks.rentals;
  job.policies = checks.policies;
  job.id = crypto::RandomArray<16>();
  const std::string token = "cce_" + ToBase64Url(crypto::RandomBytes(32));
  job.token_hash = crypto::Sha256(AsBytes(token));
  ASSIGN_OR_RETURN(const Attempt attempt, MakeAttempt(job, 1, now));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    TRY(CheckSnapshotsLive(tables, job.spec));
    TRY(CheckCapacity(tables, core_.config, job.spec));
    return std::vector<Entry>{
        JobSubmitted(job),
        AttemptStarted(job.id, 1, attempt.credential, attempt.expires_at, attempt.launch_document)};
  }));
  Log(LogLevel::kInfo, "job.submitted", {{"job", ToHex(job.id)}});
  Push([this, id = job.id] { StartMachine(id); });
  return protocol::SubmitJobReply{job.id, token};
}

Result<JobId> ComputeController::Authorize(const std::map<std::string, std::string>& headers,
                                           std::string_view job) const {
  ASSIGN_OR_RETURN(const std::string token, BearerToken(headers));
  ASSIGN_OR_RETURN(const JobId id, ArrayFromHex<16>(job));
  const Digest32 hash = crypto::Sha256(AsBytes(token));
  const bool good = core_.state->Read([&](const Tables& tables) {
    const auto it = tables.job_tokens.find(hash);
    return it != tables.job_tokens.end() && it->second == id;
  });
  if (!good) return Fail("signin.token", "the token is not this job's");
  return id;
}

Result<protocol::JobStatus> ComputeController::Status(const JobId& id) const {
  return core_.state->Read([&](const Tables& tables) -> Result<protocol::JobStatus> {
    const auto it = tables.jobs.find(id);
    if (it == tables.jobs.end()) return Fail(UnknownJob());
    return protocol::JobStatus{.job = id,
                               .state = it->second.state,
                               .outcome = it->second.outcome,
                               .submitted_at = it->second.submitted_at};
  });
}

Result<protocol::JobStatus> ComputeController::Cancel(const JobId& id) {
  TRY(Abort(id, JobState::kCancelled, Outcome::kInternal));
  return Status(id);
}

Result<> ComputeController::Abort(const JobId& id, JobState state, Outcome outcome) {
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const auto it = tables.jobs.find(id);
    if (it == tables.jobs.end()) return Fail(UnknownJob());
    if (protocol::IsFinal(it->second.state)) {
      return Fail(MakeError("job.ended", "the job has ended")
                      .Found(std::string(protocol::JobStateName(it->second.state))));
    }
    return std::vector<Entry>{JobEnded(id, state, outcome)};
  }));
  EndMachine(id);
  return {};
}

Result<> ComputeController::HandleEnd(const protocol::CvmEnd& end) {
  // Either credential of the present attempt: purpose submit only once keys have left.
  ASSIGN_OR_RETURN(const protocol::JobCredential claims, protocol::ReadCredential(end.credential));
  TRY(protocol::VerifyCredential(end.credential, core_.keys->identity_key().public_key(),
                                 claims.purpose));
  const bool present = core_.state->Read([&](const Tables& tables) {
    const auto it = tables.jobs.find(claims.job);
    return it != tables.jobs.end() && it->second.attempt == claims.attempt &&
           !protocol::IsFinal(it->second.state) && !it->second.result;
  });
  if (!present) return Fail(MakeError("job.ended", "the attempt has ended"));
  RefusalRecord refusal{.time = core_.clock->Now(), .step = "machine"};
  refusal.error.code = FindErrorInfo(end.code) == nullptr ? "job.machine_failed" : end.code;
  refusal.error.message = "the machine reported: " + std::string(OutcomeName(end.outcome));
  refusal.error.detail = end.detail;
  TRY(core_.state->Record(StepRefused(claims.job, refusal)));
  return Abort(claims.job, JobState::kFailed, end.outcome);
}

void ComputeController::Push(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_all();  // one alone might be the lease thread, which takes no task
}

void ComputeController::EndMachine(const JobId& id) {
  {
    const std::lock_guard lock(mutex_);
    if (machines_.erase(id) == 0) return;
  }
  Push([this, id] {
    if (const auto ended = launcher_.End(id); !ended) {
      LogError(LogLevel::kWarn, "machine.end_failed", ended.error(), {{"job", ToHex(id)}});
    }
    if (core_.volumes != nullptr) core_.volumes->End(id);
  });
}

void ComputeController::StartMachine(const JobId& id) {
  protocol::MachineRequest request{.id = id,
                                   .provider = core_.config.provider,
                                   .names = {"cced", "objects", "registry"},
                                   .lease_seconds = core_.config.lease_seconds};
  core_.state->Read([&](const Tables& tables) {
    const JobRecord& job = tables.jobs.at(id);
    request.launch_document = job.launch_document;
    request.memory_mib =
        job.spec.limits.memory_mib + job.spec.limits.disk_mib + core_.config.machine_memory_mib;
    request.cpu_millis = job.spec.limits.cpu_millis;
    request.deadline_seconds = job.spec.limits.seconds + kDeadlineSlack;
  });
  {
    const std::lock_guard lock(mutex_);
    machines_.insert(id);
    starting_.insert(id);
  }
  const Result<protocol::MachineState> started = launcher_.Start(request);
  {
    const std::lock_guard lock(mutex_);
    starting_.erase(id);
  }
  Result<> done;
  if (!started) {
    LogError(LogLevel::kError, "machine.start_failed", started.error(), {{"job", ToHex(id)}});
    done = core_.state
               ->Record(StepRefused(
                   id, {.time = core_.clock->Now(), .step = "launch", .error = started.error()}))
               .transform([](uint64_t) {});
    if (done) done = Abort(id, JobState::kFailed, Outcome::kInternal);
  } else {
    done = core_.state->Record(MachineStarted(id)).transform([](uint64_t) {});
  }
  if (!done) LogError(LogLevel::kError, "machine.not_recorded", done.error());
}

void ComputeController::RunTasks() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void ComputeController::RenewOne(const JobId& id) {
  const Result<protocol::MachineState> state = launcher_.Renew(id);
  if (!state) {
    LogError(LogLevel::kWarn, "machine.lease_failed", state.error(), {{"job", ToHex(id)}});
    if (state.error().code == "launcher.unreachable") return;  // its own lease decides
  } else if (state->state == "running") {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (machines_.erase(id) == 0) return;  // ended by us meanwhile
  }
  const bool waiting = core_.state->Read([&](const Tables& tables) {
    const JobState job = tables.jobs.at(id).state;
    return job == JobState::kQueued || job == JobState::kRunning;
  });
  if (!waiting) return;
  Error error = MakeError("job.machine_lost", "the machine ended without a result");
  if (state) error.found = state->reason;
  const Outcome outcome =
      state && state->reason == "deadline" ? Outcome::kLimitExceeded : Outcome::kInternal;
  Result<> done =
      core_.state
          ->Record(StepRefused(id, {.time = core_.clock->Now(), .step = "machine", .error = error}))
          .transform([](uint64_t) {});
  if (done) done = Abort(id, JobState::kFailed, outcome);
  if (!done) LogError(LogLevel::kError, "machine.not_recorded", done.error());
}

void ComputeController::RenewLeases() {
  const auto interval = std::chrono::milliseconds(core_.config.lease_seconds * 1000 / 4);
  while (true) {
    std::vector<JobId> due;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, interval, [this] { return stopping_; });
      if (stopping_) return;
      // The launcher may not know a starting machine yet, or answers for it only once it runs.
      std::ranges::set_difference(machines_, starting_, std::back_inserter(due));
    }
    for (const JobId& job : due) RenewOne(job);
  }
}

}  // namespace cce::privacy_plane
