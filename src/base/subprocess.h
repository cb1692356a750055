// Child programs: started by posix_spawn with exactly the descriptors and environment that are
// named, with a deadline and bounded capture of what they print. Nothing of this process leaks into
// them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"

namespace cce {

struct SpawnOptions {
  std::vector<std::string> environment;  // "NAME=value"; empty: an empty environment
  std::string working_folder;            // empty: this process's own
  // Descriptor i of the child is fds[i] of ours; all others are closed there. Negative: /dev/null.
  std::vector<int> fds = {-1, -1, -1};
  int program_fd =
      -1;  // set: the program is this descriptor (a sealed memfd, say), not argv[0]'s path
};

// A running child, the leader of a process group of its own. Destroying it kills the group and
// reaps the child. Not thread-safe; move only.
class Subprocess {
 public:
  // argv[0] is an absolute path. Errors: io.not_found, io.failed.
  static Result<Subprocess> Start(const std::vector<std::string>& argv,
                                  const SpawnOptions& options);
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();

  pid_t pid() const { return pid_; }
  // Readable (poll) once the child has ended.
  int pidfd() const { return pidfd_.get(); }
  // Sends `signal` to the group.
  void Signal(int signal);
  // The wait status once the child has ended within `timeout` (negative: no limit), else nothing.
  std::optional<int> Wait(std::chrono::milliseconds timeout);

 private:
  Subprocess() = default;
  void End();
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<int> status_;
};

struct RunOptions {
  std::vector<std::string> environment;
  std::string working_folder;
  Bytes input;                   // the child's standard input
  size_t max_stdout = 64 << 10;  // bytes kept; the rest is read and dropped
  size_t max_stderr = 64 << 10;
  std::chrono::milliseconds deadline{60'000};
  std::vector<int> more_fds;  // descriptors 3, 4, ... of the child
  // Readable (poll): the child is ended at once, as at the deadline.
  std::vector<int> stop_fds;
  // Called in place of the kill, which then comes `grace` later: for a child that must be ended in
  // a way of its own. False: that is not possible yet; it is called again.
  std::function<bool()> end_child;
  std::chrono::milliseconds grace{10'000};
};

struct RunOutcome {
  int exit_code = -1;      // 0..255, or -1 where a signal ended it
  int signal = 0;          // the signal, else 0
  bool timed_out = false;  // ended at the deadline
  bool stopped = false;    // ended over one of the stop_fds
  Bytes stdout_bytes;
  Bytes stderr_bytes;
  bool stdout_cut = false;  // more was printed than kept
  bool stderr_cut = false;
  bool ok() const { return exit_code == 0 && !timed_out && !stopped; }
};

// Runs a child to its end. An exit code other than 0 is not an error here. Errors: io.*.
Result<RunOutcome> RunProgram(const std::vector<std::string>& argv, const RunOptions& options);
// The same, but everything other than exit code 0 is an error ("subprocess.failed",
// "subprocess.timed_out") that holds the last line of what it printed on standard error as detail.
Result<RunOutcome> RunProgramOk(const std::vector<std::string>& argv, const RunOptions& options);

}  // namespace cce
