// tee-agent: the one process of a CVM that talks to cced. It is given one byte stream as descriptor
// 3 and nothing else: no argument, no environment, no file. docs/tee-agent.md tells its steps.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "computing_plane/tee_agent/agent.h"
#include "computing_plane/tee_agent/init.h"
#include "computing_plane/tee_agent/store_jail.h"

namespace cce::tee_agent {
namespace {

constexpr int kStreamFd = 3;

int RunJob() {
  ::signal(SIGPIPE, SIG_IGN);
  (void)::fcntl(kStreamFd, F_SETFD, FD_CLOEXEC);
  StartLog("tee-agent", LogLevel::kInfo);
  const auto attester = tsm::NewConfigfsAttester();
  Agent agent({.on_channel_end =
                   [] {
                     Log(LogLevel::kError, "agent.channel_ended");
                     ::_exit(1);
                   }},
              *attester);
  if (!agent.Run(UniqueFd(kStreamFd))) return 1;  // it has logged why
  Log(LogLevel::kInfo, "agent.done");
  return 0;
}

}  // namespace
}  // namespace cce::tee_agent

int main(int argc, char** argv) {
  using namespace cce::tee_agent;
  // Two parts that this program plays for its own children (store_jail.h).
  if (argc > 0 && IsFusermount(argv[0])) return RunFusermount(argc, argv);
  if (argc == 2 && argv[1] == kJailArgument) return RunStoreJail();
  // Before the fork: both processes keep it.
  if (const auto hardened = cce::HardenProcess(); !hardened) return 1;
  return RunUnderInit(&RunJob);
}
