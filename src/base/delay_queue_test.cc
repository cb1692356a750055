#include "base/delay_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace cce {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(DelayQueueTest, GivesWhatCameDueFirst) {
  DelayQueue<std::string> queue;
  queue.Push("later", hours(1));
  queue.Push("second", milliseconds(1));
  queue.Push("first");
  EXPECT_EQ(queue.Pop(), "first");
  EXPECT_EQ(queue.Pop(), "second");
}

TEST(DelayQueueTest, AnItemThatIsDueOvertakesOneThatIsWaitedFor) {
  DelayQueue<std::string> queue;
  queue.Push("later", hours(1));
  std::optional<std::string> popped;
  std::thread waiting([&] { popped = queue.Pop(); });
  queue.Push("now");
  waiting.join();
  EXPECT_EQ(popped, "now");
}

TEST(DelayQueueTest, IsNotGivenBeforeItsTime) {
  DelayQueue<int> queue;
  const auto began = DelayQueue<int>::Clock::now();
  queue.Push(1, milliseconds(20));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_GE(DelayQueue<int>::Clock::now() - began, milliseconds(20));
}

TEST(DelayQueueTest, StopWakesWhoWaitsAndDropsTheRest) {
  DelayQueue<int> queue;
  queue.Push(1, hours(1));
  std::optional<int> popped = 7;
  std::thread waiting([&] { popped = queue.Pop(); });
  std::thread sleeping([&] { queue.Sleep(hours(1)); });
  queue.Stop();
  waiting.join();
  sleeping.join();
  EXPECT_TRUE(queue.stopped());
  EXPECT_EQ(popped, std::nullopt);
  queue.Push(2);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

}  // namespace
}  // namespace cce
