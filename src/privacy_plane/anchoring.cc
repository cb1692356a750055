#include "privacy_plane/anchoring.h"

#include "base/log.h"

namespace cce::privacy_plane {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);
constexpr auto kPauseAfterFailure = std::chrono::seconds(15);

}  // namespace

Anchoring::Anchoring(Core& core, tlog::FreshnessSource& freshness)
    : core_(core), freshness_(freshness), thread_([this] { Run(); }) {}

Anchoring::~Anchoring() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool Anchoring::Due() const {
  const std::optional<int64_t> oldest = core_.state->journal().OldestUnanchoredMillis();
  if (!oldest) return false;
  const int64_t age = (core_.clock->NowMillis() - *oldest) / 1000;
  return core_.state->journal().UnanchoredEntries() * 2 >= core_.config.max_unanchored_entries ||
         age * 2 >= static_cast<int64_t>(core_.config.max_unanchored_seconds);
}

Result<> Anchoring::AnchorNow() {
  const tlog::Anchor head = core_.state->journal().Head();
  TRY(freshness_.Publish(head));
  TRY(core_.state->journal().MarkAnchored(head));
  Log(LogLevel::kInfo, "log.anchored", {{"size", std::to_string(head.size)}});
  return {};
}

void Anchoring::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::chrono::milliseconds pause = kInterval;
    lock.unlock();
    if (Due()) {
      if (const Result<> anchored = AnchorNow(); !anchored) {
        LogError(LogLevel::kError, "log.not_anchored", anchored.error());
        pause = kPauseAfterFailure;
      }
    }
    lock.lock();
    wake_.wait_for(lock, pause, [this] { return stopping_; });
  }
}

}  // namespace cce::privacy_plane
