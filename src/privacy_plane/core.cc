#include "privacy_plane/core.h"

#include "privacy_plane/state/trusted_time.h"

namespace cce::privacy_plane {

Result<UnixSeconds> Core::TrustedNow(const chain::Block& final_block) const {
  const UnixSeconds last = state->Read([](const Tables& tables) { return tables.last_time; });
  return CheckTime(clock->Now(), last, final_block.time, config.max_clock_distance);
}

Result<> Core::CheckAnchored() const {
  if (config.anchor_contract.empty()) return {};  // development: said in the identity document
  const uint64_t entries = state->journal().UnanchoredEntries();
  const std::optional<int64_t> oldest = state->journal().OldestUnanchoredMillis();
  const int64_t age = oldest ? (clock->NowMillis() - *oldest) / 1000 : 0;
  if (entries <= config.max_unanchored_entries &&
      age <= static_cast<int64_t>(config.max_unanchored_seconds)) {
    return {};
  }
  return Fail(MakeError("journal.unanchored", "the audit log is not anchored")
                  .Expected("at most " + std::to_string(config.max_unanchored_entries) +
                            " entries or " + std::to_string(config.max_unanchored_seconds) + " s")
                  .Found(std::to_string(entries) + " entries, " + std::to_string(age) + " s"));
}

}  // namespace cce::privacy_plane
