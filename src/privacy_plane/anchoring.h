// Keeps the audit log anchored: a thread publishes the log's head through the freshness source
// whenever half of an allowance (entries or age) is used up. Stops with its destructor.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "privacy_plane/core.h"
#include "tlog/freshness.h"

namespace cce::privacy_plane {

class Anchoring {
 public:
  Anchoring(Core& core, tlog::FreshnessSource& freshness);
  ~Anchoring();

 private:
  bool Due() const;
  Result<> AnchorNow();
  void Run();

  Core& core_;
  tlog::FreshnessSource& freshness_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cce::privacy_plane
