#include "computing_plane/tee_agent/init.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace cce::tee_agent {
namespace {

constexpr int kFailed = 1;

int ExitCode(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Blocked signals are kept for us even where this is a namespace's process 1, for which those
// without a handler would be dropped.
int Wait(pid_t child, const sigset_t& signals) {
  while (true) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal < 0 && errno != EINTR) return kFailed;
    if (signal == SIGTERM || signal == SIGINT) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      return 128 + signal;
    }
    int status = 0;
    for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended == child) return ExitCode(status);
    }
  }
}

}  // namespace

int RunUnderInit(const std::function<int()>& work) {
  sigset_t signals;
  sigset_t before;
  ::sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // where it is not process 1
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return kFailed;
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kFailed);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::_exit(work());
  }
  (void)::close_range(STDERR_FILENO + 1, ~0U, 0);
  const int code = Wait(child, signals);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return code;
}

}  // namespace cce::tee_agent
