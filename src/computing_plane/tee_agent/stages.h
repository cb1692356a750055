// How long each stage of a job took, in the order in which they are reported.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "protocol/result_submission.h"

namespace cce::tee_agent {

class StopWatch {
 public:
  uint64_t Millis() const {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::steady_clock::now() - start_)
                                     .count());
  }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Not thread-safe.
class Stages {
 public:
  void Add(std::string name, uint64_t millis) { list_.push_back({std::move(name), millis}); }
  const std::vector<protocol::Stage>& list() const { return list_; }

 private:
  std::vector<protocol::Stage> list_;
};

}  // namespace cce::tee_agent
