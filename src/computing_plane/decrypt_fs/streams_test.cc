#include "computing_plane/decrypt_fs/streams.h"

#include <gtest/gtest.h>

#include <thread>

namespace cce::decrypt_fs {
namespace {

constexpr uint64_t kRequest = uint64_t{1} << 20;

TEST(StreamsTest, AReadContinuesTheOneThatEndedWhereItBegins) {
  Streams streams;
  EXPECT_FALSE(streams.Continues(7, 0, kRequest));
  EXPECT_TRUE(streams.Continues(7, kRequest, kRequest));
  EXPECT_TRUE(streams.Continues(7, 2 * kRequest, kRequest));
  EXPECT_FALSE(streams.Continues(7, 9 * kRequest, kRequest));  // elsewhere in the file
  EXPECT_FALSE(streams.Continues(8, 3 * kRequest, kRequest));  // in another one
}

TEST(StreamsTest, ReadersOfManyFilesAreToldApart) {
  Streams streams;
  constexpr uint64_t kFiles = 16;
  for (uint64_t i = 0; i < kFiles; ++i) streams.Continues(i, 0, kRequest);
  uint64_t continued = 0;
  for (uint64_t i = 0; i < kFiles; ++i) continued += streams.Continues(i, kRequest, kRequest);
  EXPECT_GE(continued, kFiles * 3 / 4);  // some may have taken another's place
}

TEST(StreamsTest, OnlyTheCallingThreadIsScheduledAnew) {
  const auto policy = [] {
    int now = -1;
    sched_param unused{};
    EXPECT_EQ(::pthread_getschedparam(::pthread_self(), &now, &unused), 0);
    return now;
  };
  std::thread([&] {
    ScheduleAs(/*ahead=*/true);
    EXPECT_EQ(policy(), SCHED_BATCH);
    ScheduleAs(/*ahead=*/false);
    EXPECT_EQ(policy(), SCHED_OTHER);
    ScheduleAs(/*ahead=*/true);
  }).join();
  EXPECT_EQ(policy(), SCHED_OTHER);
}

}  // namespace
}  // namespace cce::decrypt_fs
