// Time for decisions. The host owns the clock, so it is believed only where it agrees with what is
// already known: it never runs behind the newest journal entry, and it stays near the newest final
// block.
#pragma once

#include "base/clock.h"
#include "base/result.h"

namespace cce::privacy_plane {

// `clock_now` if it passes, else time.stepped_back or time.far_from_chain.
Result<UnixSeconds> CheckTime(UnixSeconds clock_now, UnixSeconds last_entry,
                              UnixSeconds final_block_time, int64_t max_distance);

}  // namespace cce::privacy_plane
