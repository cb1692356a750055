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
  std::string id;         // hex digits
  Bytes launch_document;  // measured; the launcher also sends it as the first message on the stream
  uint32_t memory_mib = 2048;
  uint32_t cpu_millis = 1000;
  std::chrono::milliseconds deadline{900'000};  // from the start; nothing extends it
  std::chrono::milliseconds lease{30'000};      // until the next renewal
};

// As in protocol::MachineState::reason: "exited" (its agent ended by itself), "deadline", "lease",
// "deleted", "failed".
using EndText = std::string;

// A started machine. Destroying it ends it and waits for that. Thread-safe.
class Machine {
 public:
  virtual ~Machine() = default;
  // From now for `lease`. Errors: machine.ended.
  virtual Result<> RenewLease(std::chrono::milliseconds lease) = 0;
  // Begins its end.
  virtual void End() = 0;
  // Why it ended, once it has within `timeout` (negative: no limit) and nothing of it is left on
  // the host.
  virtual std::optional<EndText> Wait(std::chrono::milliseconds timeout) = 0;
};

class CvmProvider {
 public:
  virtual ~CvmProvider() = default;
  virtual std::string_view Name() const = 0;
  // Starts a machine whose only way out is `stream` (the guest's end of a byte stream). Returns
  // when its agent runs. Thread-safe. Errors: machine.start_failed, machine.full, chip.refused,
  // internal.unavailable, io.*.
  virtual Result<std::unique_ptr<Machine>> Start(const MachineSpec& spec, UniqueFd stream) = 0;
};

}  // namespace cce::launcher
