#include "privacy_plane/datasets/maintenance.h"

#include "base/log.h"
#include "privacy_plane/datasets/rotation.h"
#include "privacy_plane/datasets/verification.h"

namespace cce::privacy_plane {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kPauseAfterFailure = std::chrono::seconds(5);
constexpr auto kIdle = std::chrono::milliseconds(500);  // while tasks wait for others

}  // namespace

Maintenance::Maintenance(Core& core, Datasets& datasets, LeakIndexes& indexes)
    : core_(core), datasets_(datasets), indexes_(indexes) {
  thread_ = std::thread([this] { Run(); });
}

Maintenance::~Maintenance() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Maintenance::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_all();
}

void Maintenance::Collect(const DatasetId& dataset) {
  {
    const std::lock_guard lock(mutex_);
    collect_.insert(dataset);
  }
  Wake();
}

std::optional<Error> Maintenance::Trouble(const DatasetId& dataset) const {
  const std::lock_guard lock(mutex_);
  const auto it = trouble_.find(dataset);
  return it == trouble_.end() ? std::nullopt : std::optional(it->second);
}

bool Maintenance::Pause(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, time, [this] { return stopping_ || woken_; });
  woken_ = false;
  return !stopping_;
}

void Maintenance::AbandonStale() {
  const UnixSeconds before = core_.clock->Now() - core_.config.draft_seconds;
  const auto stale = [before](const DraftRecord& draft) {
    return draft.open() && draft.touched < before;
  };
  std::set<DatasetId> touched;
  const Result<uint64_t> done =
      core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
        std::vector<Entry> entries;
        for (const auto& [id, draft] : tables.drafts) {
          if (!stale(draft)) continue;
          entries.push_back(DraftAbandoned(id));
          touched.insert(draft.dataset);
        }
        return entries;
      });
  if (!done) LogError(LogLevel::kError, "maintenance.failed", done.error());
  for (const DatasetId& dataset : touched) Collect(dataset);
}

void Maintenance::Adopt() {
  std::set<Key> wanted;
  {
    const std::lock_guard lock(mutex_);
    // One that runs already has looked at what was: the next one follows it.
    std::erase_if(collect_, [&](const DatasetId& dataset) {
      return running_.try_emplace({Kind::kCollect, dataset, {}}).second;
    });
  }
  const bool round = SteadyClock::now() >= next_round_;
  if (round) {
    next_round_ = SteadyClock::now() + std::chrono::seconds(core_.config.collect_seconds);
    AbandonStale();
  }
  core_.state->Read([&](const Tables& tables) {
    for (const auto& [id, dataset] : tables.datasets) {
      if (round && !dataset.epochs.empty()) wanted.insert({Kind::kCollect, id, {}});
      if (dataset.rotation) wanted.insert({Kind::kRotate, id, {}});
      for (const auto& [snapshot_id, snapshot] : dataset.snapshots) {
        if (snapshot.verification && snapshot.verification->finished == 0) {
          wanted.insert({Kind::kVerify, id, snapshot_id});
        }
      }
    }
  });
  for (const Key& key : wanted) running_.try_emplace(key);
}

std::unique_ptr<Task> Maintenance::Make(const Key& key) {
  switch (key.kind) {
    case Kind::kVerify:
      return std::make_unique<Verification>(core_, datasets_, key.dataset, key.snapshot);
    case Kind::kRotate:
      return std::make_unique<Rotation>(core_, datasets_, indexes_, key.dataset);
    case Kind::kCollect:
      break;
  }
  return std::make_unique<Collection>(core_, datasets_, key.dataset);
}

void Maintenance::RunOne(const Key& key, Running& running) {
  const auto started = SteadyClock::now();
  if (started < running.not_before) return;
  if (running.task == nullptr) running.task = Make(key);
  const Result<Step> step = running.task->Run();
  if (!step) {
    LogError(LogLevel::kError, "maintenance.failed", step.error(),
             {{"dataset", protocol::AddressText(key.dataset)}});
    running.task.reset();  // a new one goes on from the tables
    running.not_before = SteadyClock::now() + kPauseAfterFailure;
    const std::lock_guard lock(mutex_);
    trouble_.insert_or_assign(key.dataset, step.error());
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    trouble_.erase(key.dataset);
  }
  if (step->next == Step::Next::kDone) {
    running_.erase(key);
    if (key.kind == Kind::kRotate) Collect(key.dataset);
    Wake();  // another one may have waited for this end
    return;
  }
  if (step->next == Step::Next::kWait) running.not_before = SteadyClock::now() + kIdle;
  if (step->rate > 0 && step->bytes > 0) {
    const std::chrono::duration<double> time(static_cast<double>(step->bytes) /
                                             static_cast<double>(step->rate));
    running.not_before = started + std::chrono::duration_cast<SteadyClock::duration>(time);
  }
}

void Maintenance::Run() {
  while (true) {
    Adopt();
    for (auto it = running_.begin(); it != running_.end();) {
      const auto present = it++;  // RunOne may erase it
      RunOne(Key(present->first), present->second);
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    auto next = next_round_;
    for (const auto& [key, running] : running_) next = std::min(next, running.not_before);
    const std::chrono::nanoseconds pause = next - SteadyClock::now();
    if (!Pause(std::max(pause, std::chrono::nanoseconds(0)))) return;
  }
}

}  // namespace cce::privacy_plane
