#include "computing_plane/tee_agent/init.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace cce::tee_agent {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(fds), 0); }
  ~Pipe() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  template <typename T>
  void Send(T value) const {
    EXPECT_EQ(::write(fds[1], &value, sizeof value), static_cast<ssize_t>(sizeof value));
  }
  template <typename T>
  T Receive() const {
    T value{};
    EXPECT_EQ(::read(fds[0], &value, sizeof value), static_cast<ssize_t>(sizeof value));
    return value;
  }
  int fds[2];
};

// In a process of its own, since it closes descriptors.
pid_t StartInit(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(RunUnderInit(work));
  return pid;
}

int ExitCode(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Init, PassesTheExitCodeOn) {
  EXPECT_EQ(ExitCode(StartInit([] { return 7; })), 7);
  EXPECT_EQ(ExitCode(StartInit([] { return ::raise(SIGKILL); })), 128 + SIGKILL);
}

TEST(Init, ReapsOrphans) {
  const Pipe pipe;
  const pid_t init = StartInit([&] {
    const pid_t middle = ::fork();
    if (middle == 0) {
      if (::fork() == 0) {
        pipe.Send(::getpid());
        ::_exit(0);
      }
      ::_exit(0);
    }
    ::waitpid(middle, nullptr, 0);
    const pid_t orphan = pipe.Receive<pid_t>();
    // Gone, and not a zombie: somebody reaped it.
    while (::kill(orphan, 0) == 0) ::usleep(1000);
    return errno == ESRCH ? 0 : 1;
  });
  EXPECT_EQ(ExitCode(init), 0);
}

TEST(Init, EndsItsChildAtSigterm) {
  const Pipe pipe;
  const pid_t init = StartInit([&] {
    pipe.Send(::getpid());
    while (true) ::pause();
    return 0;
  });
  const pid_t child = pipe.Receive<pid_t>();
  ::kill(init, SIGTERM);
  EXPECT_EQ(ExitCode(init), 128 + SIGTERM);
  while (::kill(child, 0) == 0) ::usleep(1000);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace cce::tee_agent
