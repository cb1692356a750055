#include "store/call_guard.h"

#include <gtest/gtest.h>

#include <future>

namespace cce::store {
namespace {

using std::chrono::milliseconds;

TEST(CallGuard, GivesWhatTheCallReturns) {
  const CallGuard guard(milliseconds(10'000));
  EXPECT_TRUE(guard.Run([]() -> Result<> { return {}; }));
  const auto failed = guard.Run([]() -> Result<> { return Fail("io.failed", "no"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "io.failed");
}

TEST(CallGuard, ACallThatHangsIsATimeoutAndOthersGoOn) {
  const CallGuard guard(milliseconds(10'000), 2);
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  const auto hung = guard.Run(
      [released]() -> Result<> {
        released.wait();
        return {};
      },
      milliseconds(20));
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().code, "store.timeout");
  EXPECT_TRUE(guard.Run([]() -> Result<> { return {}; }));
  release.set_value();
}

TEST(CallGuard, NoMoreThreadsHangThanAllowed) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  const auto hang = [released]() -> Result<> {
    released.wait();
    return {};
  };
  const CallGuard guard(milliseconds(20), 2);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(guard.Run(hang).error().code, "store.timeout");
  EXPECT_EQ(guard.Run([]() -> Result<> { return {}; }).error().code, "store.timeout");
  release.set_value();
  EXPECT_TRUE(guard.Run([]() -> Result<> { return {}; }, milliseconds(10'000)));
}

TEST(CallGuard, EndsWhileACallHangs) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  {
    const CallGuard guard(milliseconds(10));
    EXPECT_FALSE(guard.Run([released]() -> Result<> {
      released.wait();
      return {};
    }));
  }
  release.set_value();
}

}  // namespace
}  // namespace cce::store
