#include "privacy_plane/state/trusted_time.h"

#include <cstdlib>

namespace cce::privacy_plane {

Result<UnixSeconds> CheckTime(UnixSeconds clock_now, UnixSeconds last_entry,
                              UnixSeconds final_block_time, int64_t max_distance) {
  if (clock_now < last_entry) {
    return Fail(MakeError("time.stepped_back", "the clock runs behind the journal")
                    .Expected(FormatTime(last_entry) + " or later")
                    .Found(FormatTime(clock_now)));
  }
  if (std::llabs(clock_now - final_block_time) > max_distance) {
    return Fail(MakeError("time.far_from_chain", "the clock is far from the final block")
                    .Expected("within " + std::to_string(max_distance) + " s of " +
                              FormatTime(final_block_time))
                    .Found(FormatTime(clock_now)));
  }
  return clock_now;
}

}  // namespace cce::privacy_plane
