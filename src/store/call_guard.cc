#include "store/call_guard.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace cce::store {

struct CallGuard::Shared {
  explicit Shared(size_t most) : max_threads(most) {}
  const size_t max_threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> queue;
  size_t threads = 0;
  size_t idle = 0;
  bool ending = false;

  static void Work(const std::shared_ptr<Shared>& self) {
    std::unique_lock lock(self->mutex);
    while (true) {
      ++self->idle;
      self->wake.wait(lock, [&] { return self->ending || !self->queue.empty(); });
      --self->idle;
      if (self->queue.empty()) return;
      {
        const std::function<void()> call = std::move(self->queue.front());
        self->queue.pop_front();
        lock.unlock();
        call();
      }  // what it held ends outside the lock, too: a descriptor's close may hang
      lock.lock();
    }
  }

  static void Push(const std::shared_ptr<Shared>& self, std::function<void()> call) {
    {
      const std::lock_guard lock(self->mutex);
      self->queue.push_back(std::move(call));
      if (self->idle < self->queue.size() && self->threads < self->max_threads) {
        ++self->threads;
        // Detached: a call may never return.
        std::thread([self] { Work(self); }).detach();
      }
    }
    self->wake.notify_one();
  }
};

CallGuard::CallGuard(std::chrono::milliseconds deadline, size_t max_calls)
    : deadline_(deadline), shared_(std::make_shared<Shared>(max_calls)) {}

CallGuard::~CallGuard() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
  }
  shared_->wake.notify_all();
}

Result<> CallGuard::Run(std::function<Result<>()> call) const {
  return Run(std::move(call), deadline_);
}

Result<> CallGuard::Run(std::function<Result<>()> call, std::chrono::milliseconds deadline) const {
  struct Outcome {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<>> result;
  };
  const auto outcome = std::make_shared<Outcome>();
  Shared::Push(shared_, [outcome, call = std::move(call)] {
    Result<> result = call();
    const std::lock_guard lock(outcome->mutex);
    outcome->result = std::move(result);
    outcome->done.notify_all();
  });
  std::unique_lock lock(outcome->mutex);
  if (!outcome->done.wait_for(lock, deadline, [&] { return outcome->result.has_value(); })) {
    return Fail(MakeError("store.timeout", "the ciphertext store does not answer")
                    .Expected("an answer within " + std::to_string(deadline.count()) + " ms"));
  }
  return std::move(*outcome->result);
}

void CallGuard::Post(std::function<void()> call) const { Shared::Push(shared_, std::move(call)); }

}  // namespace cce::store
