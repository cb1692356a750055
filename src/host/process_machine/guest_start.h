// Starts the guest: its first process, in namespaces of its own, is the agent.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "host/process_machine/cgroups.h"
#include "host/process_machine/plan.h"

namespace cce::process_machine {

struct GuestFiles {
  UniqueFd stream;              // descriptor 3 of the agent
  UniqueFd agent;               // the sealed file that is executed
  std::vector<UniqueFd> tools;  // in the order of plan.tools
  UniqueFd log;                 // takes what the agent prints; invalid: nothing does
};

struct Guest {
  pid_t pid = -1;
  UniqueFd pidfd;
};

// Returns once the agent's program has begun. When this process ends, the kernel ends the guest.
// The calling process must have one thread. Errors: machine.start_failed with the step that failed,
// io.*.
Result<Guest> StartGuest(const MachinePlan& plan, const Cgroups& cgroups, GuestFiles files);

}  // namespace cce::process_machine
