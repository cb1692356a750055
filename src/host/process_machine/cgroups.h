// A machine's control groups: made below this process's own, given to the guest's root, so that it
// may divide its share (for the container), never enlarge it. Both kernel interfaces: one folder in
// each v1 controller, or one in the v2 tree.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace cce::process_machine {

struct MachineLimits {
  uint64_t memory_bytes = 0;
  uint32_t cpu_millis = 0;
  uint32_t pids = 0;
};

class Cgroups {
 public:
  // `name` has no slash. `owner`: user and group id that gets it. Errors: io.* (what was made is
  // removed).
  static Result<Cgroups> Make(const std::string& name, const MachineLimits& limits, uid_t owner);
  Cgroups() = default;
  Cgroups(Cgroups&&) = default;
  Cgroups& operator=(Cgroups&&) = default;

  // Puts the process, and so all that it starts, in.
  Result<> Add(pid_t pid) const;
  // Kills what is left and removes all folders, the guest's own below too.
  void Remove();

 private:
  std::vector<std::string> folders_;
};

// Removes every machine's control groups below this process's own whose name begins with `prefix`.
void RemoveCgroups(const std::string& prefix);

// The v1 controllers that a guest needs mounted; empty on a host with the v2 tree alone.
std::vector<std::string> V1Controllers();

}  // namespace cce::process_machine
