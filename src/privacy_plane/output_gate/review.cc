// Judging a result and letting it out: opened in memory, decoded by a key-less process, reviewed
// against the leak indexes, decided by the gate or by the owners, released with its manifest on a
// tick.
#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "crypto/hpke.h"
#include "crypto/signed.h"
#include "crypto/stream.h"
#include "gate/decode.h"
#include "privacy_plane/datasets/policies.h"
#include "privacy_plane/output_gate/output_gate.h"

namespace cce::privacy_plane {
namespace {

using protocol::JobState;
using protocol::Outcome;

// Building goes on beside jobs; what it takes grows with the dataset.
constexpr UnixSeconds kPatienceForIndex = 600;

// How far a job that waits for people has come.
enum class OwnersSay { kWaiting, kApproved, kRejected };

OwnersSay Ask(const JobRecord& job) {
  for (const DecisionRecord& decision : job.decisions) {
    if (!decision.approved) return OwnersSay::kRejected;
  }
  return job.decisions.size() == job.spec.datasets.size() ? OwnersSay::kApproved
                                                          : OwnersSay::kWaiting;
}

struct Policies {
  std::vector<gate::GatePolicy> gate;
  bool release_failed_output = true;
};

Result<Policies> PoliciesOf(const Tables& tables, const JobRecord& job) {
  Policies out;
  for (const protocol::JobDataset& used : job.spec.datasets) {
    const protocol::DatasetPolicy& policy = tables.datasets.at(used.dataset).policy().policy;
    ASSIGN_OR_RETURN(gate::GatePolicy typed, GatePolicyOf(policy));
    out.gate.push_back(std::move(typed));
    out.release_failed_output = out.release_failed_output && policy.release_failed_output;
  }
  return out;
}

}  // namespace

Result<OutputGate::Opened> OutputGate::Open(const JobRecord& job) const {
  ASSIGN_OR_RETURN(const Bytes sealed,
                   ReadFile(ResultPath(job.result->output), core_.config.max_output_bytes));
  Opened opened;
  ASSIGN_OR_RETURN(opened.tar, crypto::OpenStream(
                                   core_.keys->Rek(job.id, job.attempt).Expose(),
                                   protocol::OutputContext(job.id, job.attempt, job.spec.datasets),
                                   sealed, core_.config.max_output_bytes));
  opened.digest = crypto::Sha256(opened.tar.Expose());
  return opened;
}

void OutputGate::WaitForTick() {
  const auto tick = static_cast<int64_t>(core_.config.tick_millis);
  const int64_t rest = tick - core_.clock->NowMillis() % tick;
  waiting_.Sleep(std::chrono::milliseconds(rest));
}

bool OutputGate::AwaitsIndex(const JobRecord& job) const {
  return core_.clock->Now() < job.result->time + kPatienceForIndex &&
         std::ranges::any_of(
             job.spec.datasets,
             [&](const protocol::JobDataset& used) {
               return indexes_.Awaited(used.dataset, used.snapshot);
             });
}

Result<bool> OutputGate::Review(const JobId& id) {
  const auto job_now = [&] {
    return core_.state->Read([&](const Tables& tables) { return tables.jobs.at(id); });
  };
  JobRecord job = job_now();
  if (job.state != JobState::kReviewing) return true;
  ASSIGN_OR_RETURN(const Policies policies, core_.state->Read([&](const Tables& tables) {
    return PoliciesOf(tables, job);
  }));
  if (job.result->outcome != Outcome::kSucceeded && !policies.release_failed_output) {
    WaitForTick();
    TRY(controller_.Abort(id, JobState::kFailed, job.result->outcome));
    return true;
  }
  if (job.gate_report.empty()) {
    if (AwaitsIndex(job)) return false;
    TRY(Judge(job, policies.gate));
    job = job_now();
  }
  const OwnersSay say = Ask(job);
  if (!job.needs_human || say == OwnersSay::kApproved) {
    TRY(Release(id, job.needs_human ? "approved" : "auto_approved"));
  } else if (say == OwnersSay::kRejected) {
    WaitForTick();
    TRY(controller_.Abort(id, JobState::kRejected, job.result->outcome));
  }
  return true;
}

Result<> OutputGate::Judge(const JobRecord& job, const std::vector<gate::GatePolicy>& policies) {
  const Result<Opened> opened = Open(job);
  if (!opened) {
    RefusalRecord refusal{core_.clock->Now(), "gate", opened.error(), nullptr};
    TRY(core_.state->Record(StepRefused(job.id, refusal)));
    return controller_.Abort(job.id, JobState::kFailed, Outcome::kInternal);
  }
  const auto views = gate::DecodeOutput(core_.config.decoder_path, opened->tar.Expose());
  if (!views) LogError(LogLevel::kWarn, "gate.not_decoded", views.error());
  std::vector<std::shared_ptr<const gate::LeakIndex>> indexes;
  std::vector<gate::ReviewedDataset> datasets;
  for (const protocol::JobDataset& used : job.spec.datasets) {
    auto index = indexes_.Find(used.dataset, used.snapshot);
    if (!index) LogError(LogLevel::kWarn, "gate.no_index", index.error());
    indexes.push_back(index.value_or(nullptr));
    datasets.push_back({protocol::AddressText(used.dataset), indexes.back().get()});
  }
  const gate::GateReport report = gate::Review(views, opened->tar.size(), datasets, policies);
  std::vector<json::object> owner_reports;
  owner_reports.reserve(datasets.size());
  for (size_t i = 0; i < datasets.size(); ++i) {
    owner_reports.push_back(gate::ToOwnerJson(report, i));
  }
  TRY(core_.state->Record(GateReported(job.id, gate::ToManifestJson(report), owner_reports,
                                       report.decision == gate::Decision::kNeedsHuman)));
  Log(LogLevel::kInfo, "gate.reported",
      {{"job", ToHex(job.id)},
       {"decision", std::string(gate::DecisionName(report.decision))},
       {"score", std::to_string(report.score)}});
  return {};
}

Result<manifest::Statement> OutputGate::MakeStatement(const JobRecord& job, const Opened& opened,
                                                      std::string_view decision) const {
  manifest::Statement s{.output = opened.digest,
                        .job = job.id,
                        .attempt = job.attempt,
                        .job_spec = protocol::JobSpecHash(job.spec_bytes),
                        .wallet = job.spec.wallet,
                        .chain_id = job.spec.chain_id,
                        .image_repository = job.spec.image_repository,
                        .image_digest = job.spec.image_digest,
                        .source_digest = job.spec.source_digest,
                        .command = job.spec.command,
                        .rentals = job.rentals,
                        .measurement = job.release->measurement,
                        .machine = job.release->tee,
                        .keys_evidence = crypto::Sha256(job.release->evidence),
                        .result_evidence = crypto::Sha256(job.result->evidence),
                        .sealed_output = job.result->output,
                        .outcome = std::string(protocol::OutcomeName(job.result->outcome)),
                        .decision = std::string(decision),
                        .gate = job.gate_report,
                        .development = core_.identity.development,
                        .submitted_at = job.submitted_at,
                        .keys_at = job.release->time,
                        .result_at = job.result->time,
                        .decided_at = core_.clock->Now()};
  ASSIGN_OR_RETURN(const std::vector<gate::OutputFile> files,
                   gate::ListOutput(core_.config.decoder_path, opened.tar.Expose()));
  for (const gate::OutputFile& file : files) s.files.push_back({file.path, file.sha256});
  for (const DecisionRecord& record : job.decisions) s.decided_by.push_back(record.signer);
  core_.state->Read([&](const Tables& tables) {
    for (const protocol::JobDataset& used : job.spec.datasets) {
      const PolicyRecord& policy = PolicyAtRelease(tables, job, used.dataset);
      s.datasets.push_back({used.dataset, used.snapshot, policy.hash, policy.policy.version,
                            policy.policy.access_mode});
    }
  });
  return s;
}

const PolicyRecord& OutputGate::PolicyAtRelease(const Tables& tables, const JobRecord& job,
                                                const DatasetId& dataset) {
  // The last policy that the journal took before the keys left.
  const std::vector<PolicyRecord>& policies = tables.datasets.at(dataset).policies;
  const auto later = std::ranges::find_if(
      policies, [&](const PolicyRecord& p) { return p.entry > job.release->entry; });
  return *std::prev(later == policies.begin() ? std::next(later) : later);
}

Result<std::string> OutputGate::MakeBundle(const JobRecord& job,
                                           const manifest::Statement& statement,
                                           uint64_t approved_entry) const {
  manifest::Bundle bundle;
  ASSIGN_OR_RETURN(bundle.envelope,
                   crypto::DsseSign(core_.keys->identity_key(), manifest::kPayloadType,
                                    AsBytes(manifest::EncodeStatement(statement))));
  const protocol::ReportData report_data =
      protocol::IdentityReportData(crypto::Sha256(AsBytes(bundle.envelope)), core_.identity_bytes);
  ASSIGN_OR_RETURN(TeeVerifier::OwnEvidence own, core_.verifier->AttestSelf(report_data));
  bundle.identity = {core_.identity_bytes, std::move(own.evidence), std::move(own.collateral)};
  bundle.job_spec = job.spec_bytes;
  bundle.launch_document = job.launch_document;
  core_.state->Read([&](const Tables& tables) {
    for (const protocol::JobDataset& used : job.spec.datasets) {
      bundle.policies.push_back(PolicyAtRelease(tables, job, used.dataset).document);
    }
  });
  const ReleaseRecord& release = *job.release;
  bundle.keys = {.evidence = release.evidence,
                 .collateral = release.collateral,
                 .challenge = release.challenge,
                 .request_id = release.request_id,
                 .public_key = release.public_key,
                 .credential = job.credential,
                 .suite = std::string(crypto::kHpkeSuite)};
  bundle.result = {.evidence = job.result->evidence,
                   .collateral = job.result->collateral,
                   .challenge = job.result->challenge,
                   .credential = release.submit_credential};
  ASSIGN_OR_RETURN(bundle.log, core_.state->journal().Prove(approved_entry));
  return manifest::EncodeBundle(bundle);
}

Result<> OutputGate::Release(const JobId& id, std::string_view decision) {
  TRY(core_.CheckAnchored());
  JobRecord job = core_.state->Read([&](const Tables& tables) { return tables.jobs.at(id); });
  ASSIGN_OR_RETURN(const Opened opened, Open(job));
  ASSIGN_OR_RETURN(const manifest::Statement statement, MakeStatement(job, opened, decision));
  uint64_t entry = job.approved_entry.value_or(0);
  if (!job.approved_entry) {
    ASSIGN_OR_RETURN(entry, core_.state->Record(ResultApproved(id, job.attempt, job.result->output,
                                                               opened.digest, decision)));
  }
  ASSIGN_OR_RETURN(const std::string bundle, MakeBundle(job, statement, entry));
  WaitForTick();
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    if (tables.jobs.at(id).state != JobState::kReviewing) {
      return Fail("job.ended", "the job ended meanwhile");
    }
    return std::vector<Entry>{JobReleased(id, bundle)};
  }));
  Log(LogLevel::kInfo, "job.released", {{"job", ToHex(id)}});
  return {};
}

}  // namespace cce::privacy_plane
