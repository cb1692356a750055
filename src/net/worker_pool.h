// Private to src/net: a fixed number of threads and a bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cce::net {

class WorkerPool {
 public:
  // At most `threads` jobs run and `queue_limit` more wait.
  WorkerPool(size_t threads, size_t queue_limit);
  ~WorkerPool() { Stop(); }
  // False where all threads are busy and the queue is full, or the pool has stopped.
  bool TryPost(std::function<void()> job);
  // Drops what waits, joins what runs.
  void Stop();

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  size_t queue_limit_;
  size_t idle_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cce::net
