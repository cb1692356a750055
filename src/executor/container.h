// Runs the algorithm's container: runc with a configuration that is written here and nowhere else.
//
// What the container has: a read-only root, /data/<dataset> read-only, /output and /tmp on one
// tmpfs of bounded size, loopback, its limits. What it has not: capabilities, new privileges,
// devices beyond the harmless, any socket family but unix and internet, another namespace's
// anything, the caller's environment or descriptors. docs/executor.md lists each control and its
// test.
//
// Works as real root of a host and as root of a CVM (also where that is a user namespace).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "executor/image.h"
#include "executor/scratch.h"

namespace cce::executor {

struct ContainerLimits {
  uint64_t memory_bytes = uint64_t{1} << 30;  // /output and /tmp count in
  uint32_t cpu_millis = 1000;                 // thousandths of a core
  uint32_t pids = 256;
  uint64_t disk_bytes = uint64_t{512} << 20;  // /output and /tmp together
  std::chrono::milliseconds time{600'000};
  size_t stream_bytes = 64 << 10;  // of stdout and of stderr that are kept
};

struct DatasetMount {
  std::string name;    // shown as /data/<name>: letters, digits, '.', '_', '-'
  std::string source;  // absolute folder (a FUSE mount point)
};

struct ContainerSpec {
  std::string id;                        // letters, digits, '-'; unique on this machine
  std::string rootfs;                    // Image::rootfs
  std::string work_folder;               // absolute; bundle, state and scratch go here; parents o+x
  ImageConfig config;                    // Image::config
  std::vector<std::string> command;      // empty: the image's own entrypoint and command
  std::vector<std::string> environment;  // added after the image's own
  std::vector<DatasetMount> datasets;
  ContainerLimits limits;
  std::vector<int> stop_fds;  // readable (poll): the container is killed at once
  IdRange ids;                // must not hold ids of the caller's own processes
  Tools tools;
};

enum class EndReason {
  kExited,     // by itself; exit_code says how
  kSignalled,  // a signal of its own or unknown making
  kTimeLimit,
  kMemoryLimit,
  kStopped,  // by the caller's stop_fds
};
std::string_view EndReasonName(
    EndReason reason);  // "exited", "signalled", "time_limit", "memory_limit", "stopped"

struct ContainerOutcome {
  EndReason reason = EndReason::kExited;
  int exit_code = -1;                // 0..255; 128 + signal where one ended it
  int64_t first_instruction_ms = 0;  // Unix milliseconds, an upper bound within a few milliseconds
  std::chrono::milliseconds run_time{0};
  Bytes stdout_bytes;
  Bytes stderr_bytes;
  bool stdout_cut = false;
  bool stderr_cut = false;
  std::string output_folder;  // what the container left in /output; lives while `scratch` does
  ScratchFolder scratch;
};

// Runs to the end, whatever end; afterwards no process, mount (but the outcome's) or cgroup of it
// is left. An exit code other than 0 is an outcome, not an error. Errors: container.bad_spec,
// container.start_failed (detail: the runtime's words), io.*.
Result<ContainerOutcome> RunContainer(const ContainerSpec& spec);

// The runtime configuration (config.json) that RunContainer writes: exposed for tests.
struct ContainerUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
};
Result<json::object> RuntimeConfig(const ContainerSpec& spec, const ContainerUser& user,
                                   const std::string& scratch_folder);
// Resolves an image's "user[:group]" against the root file system's own /etc/passwd and /etc/group,
// read without following links out of it. Errors: container.bad_spec.
Result<ContainerUser> ResolveUser(const std::string& user, const std::string& rootfs);

// Removes what an earlier process may have left under `work_folder`: containers, mounts. For `cce
// job try` after a crash; a CVM ends whole.
Result<> RemoveLeftovers(const std::string& work_folder, const Tools& tools);

}  // namespace cce::executor
