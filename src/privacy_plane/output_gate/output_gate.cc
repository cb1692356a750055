// The module's frame: its thread, and what consumers and owners ask. Taking a result is in take.cc,
// judging and releasing in review.cc.
#include "privacy_plane/output_gate/output_gate.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "chain/eip712.h"
#include "crypto/hpke.h"

namespace cce::privacy_plane {
namespace {

using protocol::JobState;

constexpr std::chrono::seconds kPauseAfterFailure{2};
constexpr std::chrono::milliseconds kPauseForIndex{250};
constexpr size_t kCopyBuffer = size_t{1} << 20;

Error UnknownJob() { return MakeError("job.unknown", "no such job"); }

bool Uses(const JobRecord& job, const DatasetId& dataset) {
  return std::ranges::find(job.spec.datasets, dataset, &protocol::JobDataset::dataset) !=
         job.spec.datasets.end();
}

size_t PlaceOf(const JobRecord& job, const DatasetId& dataset) {
  return static_cast<size_t>(
      std::ranges::find(job.spec.datasets, dataset, &protocol::JobDataset::dataset) -
      job.spec.datasets.begin());
}

json::object Summary(const JobRecord& job, const DatasetId& dataset) {
  const bool decided =
      std::ranges::find(job.decisions, dataset, &DecisionRecord::dataset) != job.decisions.end();
  json::object out{
      {"job", ToHex(job.id)},
      {"state", protocol::JobStateName(job.state)},
      {"wallet", protocol::AddressText(job.spec.wallet)},
      {"image", job.spec.image_digest},
      {"title", job.spec.title},
      {"submitted_at", job.submitted_at},
      {"waits_for_decision", job.state == JobState::kReviewing && job.needs_human && !decided}};
  return out;
}

// What each stage of a job took. The stages up to "keys" add up to the time from credential to key
// release as cced saw it; those of the machine are its own account.
json::array Stages(const JobRecord& job) {
  json::array out;
  const auto add = [&out](std::string_view name, int64_t millis) {
    out.push_back(json::object{{"name", name}, {"millis", std::max<int64_t>(millis, 0)}});
  };
  if (job.credential_ms == 0) return out;
  add("credential", job.credential_ms - job.submitted_ms);
  int64_t measured = 0;
  if (job.result) {
    for (const protocol::Stage& stage : job.result->stages) {
      if (stage.name == "attest" || stage.name == "keys") {
        measured += static_cast<int64_t>(stage.millis);
      }
    }
  }
  const int64_t there = job.keys_ms > 0 ? job.keys_ms : job.machine_ms;
  if (there > 0) add("cvm", there - job.credential_ms - measured);
  if (!job.result) return out;
  for (const protocol::Stage& stage : job.result->stages) {
    add(stage.name, static_cast<int64_t>(stage.millis));
  }
  if (job.decided_ms > 0) add("gate", job.decided_ms - job.result_ms);
  return out;
}

json::array Refusals(const JobRecord& job) {
  json::array out;
  for (const RefusalRecord& refusal : job.refusals) {
    out.push_back(json::object{{"time", refusal.time},
                               {"step", refusal.step},
                               {"code", refusal.error.code},
                               {"message", refusal.error.message},
                               {"expected", refusal.error.expected},
                               {"found", refusal.error.found},
                               {"next", refusal.error.next},
                               {"detail", refusal.error.detail},
                               {"verdict", refusal.verdict}});
  }
  return out;
}

}  // namespace

OutputGate::OutputGate(Core& core, KeyRelease& key_release, ComputeController& controller,
                       LeakIndexes& indexes)
    : core_(core), key_release_(key_release), controller_(controller), indexes_(indexes) {
  AdoptWaiting();
  thread_ = std::thread([this] { RunReviews(); });
}

OutputGate::~OutputGate() {
  waiting_.Stop();
  thread_.join();
}

void OutputGate::AdoptWaiting() {
  core_.state->Read([this](const Tables& tables) {
    for (const auto& [id, job] : tables.jobs) {
      if (job.state == JobState::kReviewing) waiting_.Push(id);
    }
  });
}

void OutputGate::RunReviews() {
  while (const std::optional<JobId> id = waiting_.Pop()) {
    const Result<bool> reviewed = Review(*id);
    if (!reviewed) {
      // What stood in the way (an anchor, a disk) may pass.
      LogError(LogLevel::kError, "review.failed", reviewed.error(), {{"job", ToHex(*id)}});
      waiting_.Push(*id, kPauseAfterFailure);
    } else if (!*reviewed) {
      waiting_.Push(*id, kPauseForIndex);
    }
  }
}

std::string OutputGate::ResultPath(const Digest32& output) const {
  return core_.config.state_folder + "/results/" + ToHex(output);
}

Result<protocol::Delivery> OutputGate::Deliver(const JobId& id) {
  TRY(core_.CheckAnchored());
  ASSIGN_OR_RETURN(const JobRecord job,
                   core_.state->Read([&](const Tables& tables) -> Result<JobRecord> {
                     const auto it = tables.jobs.find(id);
                     if (it == tables.jobs.end()) return Fail(UnknownJob());
                     if (it->second.state != JobState::kReleased) {
                       return Fail("result.not_released", "the job has no released result");
                     }
                     return it->second;
                   }));
  protocol::Delivery delivery{.attempt = job.attempt,
                              .output = job.result->output,
                              .output_size = job.result->output_size,
                              .manifest = job.manifest};
  ASSIGN_OR_RETURN(
      delivery.rek_envelope,
      crypto::HpkeSeal(job.spec.consumer_key, protocol::RekInfo(id, job.attempt, delivery.output),
                       {}, core_.keys->Rek(id, job.attempt).Expose()));
  TRY(core_.state->Record(Delivered(id)));
  return delivery;
}

Result<net::Response> OutputGate::SealedResult(const JobId& id) const {
  ASSIGN_OR_RETURN(const ResultRecord result,
                   core_.state->Read([&](const Tables& tables) -> Result<ResultRecord> {
                     const auto it = tables.jobs.find(id);
                     if (it == tables.jobs.end()) return Fail(UnknownJob());
                     if (it->second.state != JobState::kReleased) {
                       return Fail("result.not_released", "the job has no released result");
                     }
                     return *it->second.result;
                   }));
  const std::string path = ResultPath(result.output);
  auto fd = std::make_shared<UniqueFd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd->valid()) return FailErrno("the sealed result", errno);
  net::Response response;
  response.headers["content-type"] = "application/octet-stream";
  response.stream_size = result.output_size;
  response.stream = [fd](const net::Sink& sink) -> Result<> {
    Bytes buffer(kCopyBuffer);
    while (true) {
      const ssize_t n = ::read(fd->get(), buffer.data(), buffer.size());
      if (n < 0) return FailErrno("the sealed result", errno);
      if (n == 0) return {};
      TRY(sink(ByteView(buffer).first(static_cast<size_t>(n))));
    }
  };
  return response;
}

Result<json::object> OutputGate::OwnerJobs(const DatasetId& dataset) const {
  return core_.state->Read([&](const Tables& tables) -> Result<json::object> {
    std::vector<const JobRecord*> jobs;
    for (const auto& [id, job] : tables.jobs) {
      if (Uses(job, dataset)) jobs.push_back(&job);
    }
    std::ranges::sort(jobs, {}, &JobRecord::submitted_ms);
    json::array out;
    for (const JobRecord* job : jobs) out.push_back(Summary(*job, dataset));
    return json::object{{"jobs", std::move(out)}};
  });
}

Result<json::object> OutputGate::OwnerJob(const DatasetId& dataset, const JobId& id) const {
  return core_.state->Read([&](const Tables& tables) -> Result<json::object> {
    const auto it = tables.jobs.find(id);
    if (it == tables.jobs.end() || !Uses(it->second, dataset)) return Fail(UnknownJob());
    const JobRecord& job = it->second;
    json::object out = Summary(job, dataset);
    out["attempt"] = job.attempt;
    out["source_digest"] = job.spec.source_digest;
    out["command"] = json::array(job.spec.command.begin(), job.spec.command.end());
    out["stages"] = Stages(job);
    out["refusals"] = Refusals(job);
    if (job.release) out["measurement"] = job.release->measurement;
    if (job.result) {
      out["output"] = ToHex(job.result->output);
      out["outcome"] = protocol::OutcomeName(job.result->outcome);
    }
    if (protocol::IsFinal(job.state) && !job.result) {
      out["outcome"] = protocol::OutcomeName(job.outcome);
    }
    if (const size_t place = PlaceOf(job, dataset); place < job.owner_reports.size()) {
      out["report"] = job.owner_reports[place];
    }
    return out;
  });
}

Result<> OutputGate::Decide(const DatasetId& dataset, const JobId& id,
                            const protocol::ReviewDecisionRequest& request) {
  ASSIGN_OR_RETURN(const chain::Block block, core_.chain->FinalBlock());
  const chain::ChainWallets wallets(core_.chain, block);
  chain::ReviewDecisionDocument document{.dataset = dataset,
                                         .attempt = request.attempt,
                                         .result = request.output,
                                         .decision = request.decision,
                                         .reason = request.reason};
  std::ranges::copy(id, document.job.begin());  // bytes32: the job id, then zeros
  TRY(chain::VerifyReviewDecision(core_.config.chain_id, document, request.signer,
                                  request.signature, &wallets));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const auto it = tables.jobs.find(id);
    if (it == tables.jobs.end() || !Uses(it->second, dataset)) return Fail(UnknownJob());
    const JobRecord& job = it->second;
    const DatasetRecord& record = tables.datasets.at(dataset);
    const auto& reviewers = record.policy().policy.reviewers;
    if (request.signer != record.owner &&
        std::ranges::find(reviewers, request.signer) == reviewers.end()) {
      return Fail("review.not_reviewer", "the signer reviews nothing of this dataset");
    }
    if (request.signer == job.spec.wallet) {
      return Fail("review.own_job", "nobody reviews a result of his own");
    }
    if (job.state != JobState::kReviewing || !job.needs_human) {
      return Fail("review.not_waiting", "the job waits for no decision");
    }
    if (request.attempt != job.attempt || request.output != job.result->output) {
      return Fail("review.other_result", "the decision is about another result");
    }
    if (std::ranges::find(job.decisions, dataset, &DecisionRecord::dataset) !=
        job.decisions.end()) {
      return Fail("review.decided", "this dataset's side has decided");
    }
    return std::vector<Entry>{
        OwnerDecided(id, {dataset, request.signer, request.decision == "approve", request.reason,
                          request.signature})};
  }));
  waiting_.Push(id);
  return {};
}

}  // namespace cce::privacy_plane
