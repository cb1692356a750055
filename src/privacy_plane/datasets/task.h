// A piece of work in the background, done in small steps so that many share one thread and a bound
// on their rate. A task keeps nothing that the journal does not: after any error, or a restart, a
// new one goes on from the tables.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace cce::privacy_plane {

struct Step {
  enum class Next { kMore, kWait, kDone } next = Next::kMore;
  uint64_t bytes = 0;  // moved by this step: paid for with time at `rate`
  uint64_t rate = 0;   // bytes a second; 0: unbounded
};

class Task {
 public:
  virtual ~Task() = default;
  virtual Result<Step> Run() = 0;
};

}  // namespace cce::privacy_plane
