#include "privacy_plane/state/trusted_time.h"

#include <gtest/gtest.h>

namespace cce::privacy_plane {
namespace {

constexpr UnixSeconds kNow = 1'790'000'000;

TEST(TrustedTime, IsTheClocksNearJournalAndChain) {
  EXPECT_EQ(CheckTime(kNow, kNow - 1, kNow - 13, 1200).value(), kNow);
  EXPECT_EQ(CheckTime(kNow, kNow, kNow, 0).value(), kNow);
}

TEST(TrustedTime, NeverRunsBehindTheLastEntry) {
  EXPECT_EQ(CheckTime(kNow, kNow + 1, kNow, 1200).error().code, "time.stepped_back");
}

TEST(TrustedTime, StaysNearTheFinalBlockEitherWay) {
  EXPECT_TRUE(CheckTime(kNow, 0, kNow - 1200, 1200));
  EXPECT_EQ(CheckTime(kNow, 0, kNow - 1201, 1200).error().code, "time.far_from_chain");
  EXPECT_TRUE(CheckTime(kNow, 0, kNow + 1200, 1200));
  EXPECT_EQ(CheckTime(kNow, 0, kNow + 1201, 1200).error().code, "time.far_from_chain");
}

}  // namespace
}  // namespace cce::privacy_plane
