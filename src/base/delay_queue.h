// A queue between threads whose items come due. Thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace cce {

template <typename T>
class DelayQueue {
 public:
  using Clock = std::chrono::steady_clock;

  // `after`: from now until the item is due.
  void Push(T item, Clock::duration after = {}) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({std::move(item), Clock::now() + after});
    }
    wake_.notify_all();
  }

  // The item that came due first; waits until there is one. Nothing after Stop().
  std::optional<T> Pop() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      const auto first = std::ranges::min_element(waiting_, {}, &Waiting::due);
      if (first == waiting_.end()) {
        wake_.wait(lock);
      } else if (const Clock::time_point due = first->due; due > Clock::now()) {
        wake_.wait_until(lock, due);
      } else {
        std::optional<T> item(std::move(first->item));
        waiting_.erase(first);
        return item;
      }
    }
    return std::nullopt;
  }

  // For good: what waits is dropped, and who waits is woken.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
  }

  bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  // Waits for `time`, and less where the queue is stopped.
  void Sleep(Clock::duration time) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, time, [this] { return stopped_; });
  }

 private:
  struct Waiting {
    T item;
    Clock::time_point due;
  };
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;
  bool stopped_ = false;
};

}  // namespace cce
