// Calls that the kernel may hold for as long as it likes (a distributed store's mount whose other
// end is gone) run in threads of their own, with a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/result.h"

namespace cce::store {

// Thread-safe. Calls that never return keep a thread each, at most `max_calls`; destroying the
// guard does not wait for them.
class CallGuard {
 public:
  explicit CallGuard(std::chrono::milliseconds deadline, size_t max_calls = 64);
  ~CallGuard();

  // What `call` returns, or store.timeout. A late call goes on by itself: it may use only what it
  // owns.
  Result<> Run(std::function<Result<>()> call) const;
  Result<> Run(std::function<Result<>()> call, std::chrono::milliseconds deadline) const;
  // Nobody waits for it: for closing what may hang while it closes.
  void Post(std::function<void()> call) const;

 private:
  struct Shared;
  const std::chrono::milliseconds deadline_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace cce::store
