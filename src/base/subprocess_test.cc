#include "base/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace cce {
namespace {

using std::chrono::milliseconds;

Result<RunOutcome> Shell(const std::string& script, RunOptions options = {}) {
  return RunProgram({"/bin/sh", "-c", script}, options);
}

TEST(Subprocess, CapturesOutputAndExitCode) {
  auto r = Shell("echo out; echo err >&2; exit 3");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->exit_code, 3);
  EXPECT_EQ(AsText(r->stdout_bytes), "out\n");
  EXPECT_EQ(AsText(r->stderr_bytes), "err\n");
  EXPECT_FALSE(r->ok());
}

TEST(Subprocess, GivesNothingOfOurs) {
  ASSERT_EQ(setenv("CCE_LEAK", "1", 1), 0);
  const int leak = fcntl(0, F_DUPFD, 50);  // not close-on-exec, as a careless library's
  auto r = RunProgram({"/bin/sh", "-c", "/usr/bin/env; ls /proc/self/fd | wc -l"}, {});
  if (leak >= 0) close(leak);
  ASSERT_TRUE(r);
  EXPECT_EQ(AsText(r->stdout_bytes).find("CCE_LEAK"), std::string_view::npos);
  // 0, 1, 2 and the folder that ls reads.
  EXPECT_NE(AsText(r->stdout_bytes).find("\n4\n"), std::string_view::npos)
      << AsText(r->stdout_bytes);
}

TEST(Subprocess, FeedsInputLargerThanAPipe) {
  RunOptions options;
  options.input = Bytes(1 << 20, 'x');
  auto r = Shell("wc -c", options);
  ASSERT_TRUE(r);
  EXPECT_EQ(AsText(r->stdout_bytes), "1048576\n");
}

TEST(Subprocess, SurvivesAChildThatDoesNotReadItsInput) {
  RunOptions options;
  options.input = Bytes(1 << 20, 'x');
  auto r = Shell("exit 0", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->ok());
}

TEST(Subprocess, CutsOutput) {
  RunOptions options;
  options.max_stdout = 10;
  auto r = Shell("head -c 1000000 /dev/zero", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->ok());
  EXPECT_EQ(r->stdout_bytes.size(), 10u);
  EXPECT_TRUE(r->stdout_cut);
  EXPECT_FALSE(r->stderr_cut);
}

TEST(Subprocess, KillsTheGroupAtTheDeadline) {
  RunOptions options;
  options.deadline = milliseconds(50);
  const auto before = std::chrono::steady_clock::now();
  auto r = Shell("sleep 30 & sleep 30", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->timed_out);
  EXPECT_EQ(r->signal, SIGKILL);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST(Subprocess, LetsTheCallerEndTheChildAtTheDeadline) {
  RunOptions options;
  options.deadline = milliseconds(50);
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  options.more_fds = {reader.get()};
  int calls = 0;
  options.end_child = [&] {
    if (++calls < 3) return false;
    EXPECT_EQ(write(writer.get(), "go\n", 3), 3);
    return true;
  };
  auto r = Shell("read word <&3; echo $word; exit 7", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->timed_out);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(r->exit_code, 7);
  EXPECT_EQ(AsText(r->stdout_bytes), "go\n");
}

TEST(Subprocess, EndsTheChildWhenItIsToStop) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  RunOptions options;
  options.stop_fds = {reader.get()};
  auto unharmed = Shell("echo whole", options);
  ASSERT_TRUE(unharmed);
  EXPECT_FALSE(unharmed->stopped);
  EXPECT_EQ(AsText(unharmed->stdout_bytes), "whole\n");
  std::jthread closer([&] {
    std::this_thread::sleep_for(milliseconds(50));
    writer.Reset();
  });
  const auto before = std::chrono::steady_clock::now();
  auto r = Shell("sleep 30", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->stopped);
  EXPECT_FALSE(r->timed_out);
  EXPECT_FALSE(r->ok());
  EXPECT_EQ(r->signal, SIGKILL);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST(Subprocess, KillsAChildThatCannotBeEndedInAWayOfItsOwn) {
  RunOptions options;
  options.deadline = milliseconds(50);
  options.grace = milliseconds(100);
  options.end_child = [] { return false; };
  auto r = Shell("sleep 30", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->timed_out);
  EXPECT_EQ(r->signal, SIGKILL);
}

TEST(Subprocess, DoesNotWaitForGrandchildrenThatHoldThePipe) {
  const auto before = std::chrono::steady_clock::now();
  auto r = Shell("setsid sleep 20 & echo done");
  ASSERT_TRUE(r);
  EXPECT_EQ(AsText(r->stdout_bytes), "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST(Subprocess, PassesMoreDescriptors) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  RunOptions options;
  options.more_fds = {writer.get()};
  auto r = Shell("echo three >&3", options);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->ok());
  char text[16] = {};
  EXPECT_EQ(read(reader.get(), text, sizeof text), 6);
  EXPECT_STREQ(text, "three\n");
}

TEST(Subprocess, SaysWhatFailed) {
  auto r = RunProgramOk({"/bin/sh", "-c", "echo first >&2; echo why >&2; exit 1"}, {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, "subprocess.failed");
  EXPECT_EQ(r.error().found, "exit code 1");
  EXPECT_EQ(r.error().detail, "why");
  auto absent = RunProgram({"/no/such/program"}, {});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, "io.not_found");
}

TEST(Subprocess, EndingTheObjectEndsTheChild) {
  pid_t pid = -1;
  {
    auto child = Subprocess::Start({"/bin/sleep", "30"}, {});
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_FALSE(child->Wait(milliseconds(1)));
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace cce
