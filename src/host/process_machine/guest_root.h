// The guest's view of files: built inside its own namespaces, from little.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "host/process_machine/plan.h"

namespace cce::process_machine {

// On the host's side, before the guest's namespaces exist: what only real root can give, in a mount
// namespace of this process's own on plan.mount_point: `usr`, the host's /usr, whose read-only
// state the guest cannot lift; and `dev`, device nodes that the guest may open whatever modes the
// host's have. Errors: io.*.
Result<> PrepareHostParts(const MachinePlan& plan);

// To be called as root of fresh user, mount, pid, network and cgroup namespaces. Makes the root, a
// small tmpfs that is read-only in the end: the parts above, fresh /proc, /sys and cgroups, /run
// and /tmp, the chip's front at /sys/kernel/config/tsm, `tools` copied from their sealed files to
// /opt/cce/bin; then changes to it and lets go of the host's tree. Errors: io.*.
Result<> EnterGuestRoot(const MachinePlan& plan, const std::vector<std::string>& v1_controllers,
                        const std::vector<UniqueFd>& tools);

// Brings `lo` up. Errors: io.*.
Result<> StartLoopback();

}  // namespace cce::process_machine
