// How a host starts CVMs. The launcher talks to this alone; `process`, `qemu` and others stand
// behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"

namespace cce::launcher {

struct MachineSpec {
  std::string machine_id;  // letters, digits, '-', at most 64
  std::string tee;         // "tdx" or "snp"
  Bytes launch_document;   // measured, and the first message on the stream
  uint32_t memory_mib = 2048;
  uint32_t cpu_millis = 1000;
  uint32_t pids = 1024;
  std::chrono::seconds deadline{900};  // from the start; nothing extends it
  std::chrono::seconds lease{60};      // until the next renewal
};

enum class MachineEnd {
  kEnded,  // its agent ended by itself
  kDeadline,
  kLease,      // not renewed
  kRequested,  // Kill
  kFailed,     // could not be started
};
std::string_view MachineEndName(
    MachineEnd end);  // "ended", "deadline", "lease", "requested", "failed"

// A started machine. Destroying it kills it and waits for its end. Thread-safe.
class Machine {
 public:
  virtual ~Machine() = default;
  // From now for `lease`. Errors: machine.ended.
  virtual Result<> RenewLease(std::chrono::seconds lease) = 0;
  virtual void Kill() = 0;
  // How it ended, once it has within `timeout` (negative: no limit) and nothing of it is left on
  // the host.
  virtual std::optional<MachineEnd> Wait(std::chrono::milliseconds timeout) = 0;
};

class CvmProvider {
 public:
  virtual ~CvmProvider() = default;
  virtual std::string_view Name() const = 0;
  // Starts a machine whose only way out is `stream` (the guest's end of a byte stream).
  // Errors: machine.start_failed, machine.chip_refused, io.*.
  virtual Result<std::unique_ptr<Machine>> Start(const MachineSpec& spec, UniqueFd stream) = 0;
  // Removes what machines of a launcher that crashed have left. Called before the first Start.
  virtual Result<> RemoveLeftovers() = 0;
};

}  // namespace cce::launcher
