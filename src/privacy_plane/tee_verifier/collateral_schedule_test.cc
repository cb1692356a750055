// When documents are asked for: ahead of their end, less and less often while they fail.
#include "privacy_plane/tee_verifier/collateral_schedule.h"

#include <gtest/gtest.h>

namespace cce::privacy_plane {
namespace {

using attest::DocumentKey;
using attest::DocumentKind;
using collateral::FetchFailure;
using collateral::Kept;
using collateral::Vendor;

constexpr int64_t kDay = 86400;
constexpr int64_t kNow = 1'790'000'000;
constexpr int64_t kNowMs = kNow * 1000;
const DocumentKey kInfo{DocumentKind::kTcbInfo, "b0c06f000000"};
const DocumentKey kCrl{DocumentKind::kRootCrl, "root"};
const DocumentKey kVek{DocumentKind::kVek, "Milan/0004001800/aa"};

Kept Until(int64_t until) {
  Kept out;
  out.facts.from = kNow - kDay;
  out.facts.until = until;
  out.taken_at = kNow;
  return out;
}

class ScheduleTest : public testing::Test {
 protected:
  double jitter_ = 1;
  CollateralSchedule schedule_{{.refresh_seconds = kDay,
                                .refresh_ahead_seconds = 7 * kDay,
                                .max_backoff_seconds = 600,
                                .max_documents = 3},
                               [this] { return jitter_; }};
  int64_t InMs(const DocumentKey& key) { return *schedule_.MayBeAskedAt(key) - kNowMs; }
};

TEST_F(ScheduleTest, WhatIsMissingIsDueAtOnceAndRootsFirst) {
  schedule_.Want(kInfo, std::nullopt, {}, kNowMs);
  schedule_.Want(kCrl, std::nullopt, {}, kNowMs);
  schedule_.Want(kVek, std::nullopt, {}, kNowMs);
  EXPECT_EQ(schedule_.Due(Vendor::kIntel, kNowMs), (std::vector<DocumentKey>{kCrl, kInfo}));
  EXPECT_EQ(schedule_.Due(Vendor::kAmd, kNowMs), std::vector<DocumentKey>{kVek});
}

TEST_F(ScheduleTest, RefreshesDailyAndAheadOfTheEnd) {
  schedule_.Want(kInfo, Until(kNow + 30 * kDay), {}, kNowMs);
  EXPECT_EQ(InMs(kInfo), kDay * 1000);
  jitter_ = 0;
  schedule_.Succeeded(kInfo, Until(kNow + 30 * kDay), kNowMs);
  EXPECT_EQ(InMs(kInfo), kDay * 900);
  // Ends in a week and an hour: asked for in that hour.
  schedule_.Succeeded(kInfo, Until(kNow + 7 * kDay + 7200), kNowMs);
  EXPECT_EQ(InMs(kInfo), 7200 * 1000);
  // The source has nothing newer: not at once again.
  schedule_.Succeeded(kInfo, Until(kNow + kDay), kNowMs);
  EXPECT_EQ(InMs(kInfo), 3600 * 1000);
  // A VEK never changes.
  schedule_.Want(kVek, Until(kNow + 1000 * kDay), {}, kNowMs);
  EXPECT_EQ(InMs(kVek), 993 * kDay * 1000);
}

TEST_F(ScheduleTest, PausesGrowToTheirCap) {
  schedule_.Want(kInfo, std::nullopt, {}, kNowMs);
  const FetchFailure refused{MakeError("evidence.signature", "x"), false, std::nullopt};
  for (const int64_t seconds : {1, 2, 4, 8}) {
    schedule_.Failed(kInfo, refused, kNowMs);
    EXPECT_EQ(InMs(kInfo), seconds * 1000);
  }
  for (int i = 0; i < 40; ++i) schedule_.Failed(kInfo, refused, kNowMs);
  EXPECT_EQ(InMs(kInfo), 600 * 1000);
  jitter_ = 0;
  schedule_.Failed(kInfo, refused, kNowMs);
  EXPECT_EQ(InMs(kInfo), 300 * 1000);
  // Wanting it does not shorten the pause; others of the source are not held up.
  schedule_.Want(kInfo, std::nullopt, {}, kNowMs);
  EXPECT_EQ(InMs(kInfo), 300 * 1000);
  schedule_.Want(kCrl, std::nullopt, {}, kNowMs);
  EXPECT_EQ(InMs(kCrl), 0);
}

TEST_F(ScheduleTest, ASourceIsLeftAloneAsLongAsItAsks) {
  schedule_.Want(kInfo, std::nullopt, {}, kNowMs);
  schedule_.Want(kCrl, std::nullopt, {}, kNowMs);
  schedule_.Want(kVek, std::nullopt, {}, kNowMs);
  schedule_.Failed(kCrl, {MakeError("net.http_status", "429"), true, 120}, kNowMs);
  EXPECT_EQ(InMs(kInfo), 120'000);
  EXPECT_EQ(InMs(kCrl), 120'000);
  EXPECT_EQ(InMs(kVek), 0) << "another vendor's";
  EXPECT_TRUE(schedule_.Due(Vendor::kIntel, kNowMs + 119'999).empty());
  EXPECT_EQ(schedule_.Due(Vendor::kIntel, kNowMs + 120'000).size(), 2u);
  // An absurd wish is capped.
  schedule_.Failed(kCrl, {MakeError("net.http_status", "429"), true, 1'000'000'000}, kNowMs);
  EXPECT_EQ(InMs(kInfo), 600'000);
  // Success ends it for good: the next failure begins anew.
  schedule_.Succeeded(kCrl, Until(kNow + 30 * kDay), kNowMs);
  schedule_.Failed(kInfo, {MakeError("net.unreachable", "x"), true, std::nullopt},
                   kNowMs + 600'000);
  EXPECT_EQ(InMs(kInfo), 601'000);
}

TEST_F(ScheduleTest, PlansAreBoundedAndForgotten) {
  for (int i = 0; i < 9; ++i) {
    schedule_.Want({DocumentKind::kVek, std::to_string(i)}, std::nullopt, {}, kNowMs + i);
  }
  EXPECT_EQ(schedule_.plans().size(), 3u);
  EXPECT_NE(schedule_.Find({DocumentKind::kVek, "8"}), nullptr);
  const auto kept = [](const DocumentKey& key) { return key.subject == "7"; };
  schedule_.Forget(kNowMs + kDay * 1000, kept);
  EXPECT_EQ(schedule_.plans().size(), 3u);
  schedule_.Forget(kNowMs + 2 * kDay * 1000, kept);
  EXPECT_EQ(schedule_.plans().size(), 1u);
}

}  // namespace
}  // namespace cce::privacy_plane
