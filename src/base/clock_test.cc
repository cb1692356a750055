#include "base/clock.h"

#include <gtest/gtest.h>

namespace cce {
namespace {

TEST(Time, FormatsAndParses) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(*ParseTime("2026-11-22T15:52:00Z"), 1795362720);
  EXPECT_EQ(FormatTime(1795362720), "2026-11-22T15:52:00Z");
  EXPECT_EQ(*ParseTime("2026-11-22T16:52:00.123+01:00"), 1795362720);
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2026-11-22", "2026-02-30T00:00:00Z", "2026-11-22T25:00:00Z",
                           "2026-11-22T15:52:00", "2026-11-22T15:52:00.Z", "2026-11-22T15:52:00Zx",
                           "2026-11-22T15:52:00+1:00", "2026-13-01T00:00:00Z"}) {
    EXPECT_FALSE(ParseTime(text)) << text;
  }
}

}  // namespace
}  // namespace cce
