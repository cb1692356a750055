// Time. All moments are Unix seconds (UTC) or milliseconds; the clock is handed in, so that tests
// own it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cce {

using UnixSeconds = int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowMillis() const = 0;
  UnixSeconds Now() const { return NowMillis() / 1000; }
};

// The system's real-time clock. Thread-safe.
const Clock& SystemClock();

// RFC 3339 in UTC with seconds ("2026-11-22T15:52:00Z"), and back (fractions and offsets
// understood).
std::string FormatTime(UnixSeconds time);
Result<UnixSeconds> ParseTime(std::string_view text);

}  // namespace cce
