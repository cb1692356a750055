// What cced asks of a cvm-launcher, over mutual TLS. The launcher is trusted with nothing: the
// launch document is measured by the hardware, and everything else here only costs the operator his
// own resources.
//
//   POST   /v1/machines             MachineRequest -> MachineState
//   GET    /v1/machines/<id>        -> MachineState
//   POST   /v1/machines/<id>/lease  {} -> MachineState: renews the lease
//   DELETE /v1/machines/<id>        -> MachineState: ends it
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace cce::protocol {

struct MachineRequest {
  ByteArray<16> id{};    // chosen by cced; repeats of a request with the same id start nothing new
  std::string provider;  // "process", "qemu"
  Bytes launch_document;
  std::vector<std::string> names;  // what its relay may resolve
  uint32_t memory_mib = 1024;
  uint32_t cpu_millis = 1000;
  uint32_t deadline_seconds = 900;  // ended then, whatever happens
  uint32_t lease_seconds = 30;      // ended when not renewed for so long
};

struct MachineState {
  ByteArray<16> id{};
  std::string state;   // "running", "ended"
  std::string reason;  // of an end: "exited", "deadline", "lease", "deleted", "failed"
};

json::object ToJsonObject(const MachineRequest& request);
Result<MachineRequest> ReadMachineRequest(std::string_view text);
json::object ToJsonObject(const MachineState& state);
Result<MachineState> ReadMachineState(std::string_view text);

}  // namespace cce::protocol
