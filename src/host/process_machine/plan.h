// What the `process` provider tells cvm-machine, and what it hears back: JSON messages with
// descriptors on a Unix seqpacket socket that cvm-machine inherits as descriptor 3. Closing the
// socket ends the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::process_machine {

// Where the files of a guest of kind "process" go. The agent is started; the rest lies in
// /opt/cce/bin.
constexpr std::string_view kAgentRole = "tee-agent";
constexpr std::string_view kToolRoles[] = {"decrypt-fs", "runc", "skopeo", "umoci"};
constexpr std::string_view kStoreRole = "juicefs";  // the last, where the guest has it

// Descriptors with the plan, in this order: the guest's end of the stream, the chip's connection
// (held open for the machine's life), the agent, then one for each of `tools`.
struct MachinePlan {
  std::string name;   // also of its cgroups: "cce-<instance>-<machine id>"
  std::string front;  // host path of the chip's front
  std::string
      mount_point;  // host folder that the guest's root is mounted on, in the guest's own namespace
  std::vector<std::string> tools;  // file names, as in kToolRoles
  uint32_t first_id = 0;           // the guest's root on the host
  uint32_t id_count = 0;
  uint32_t memory_mib = 0;
  uint32_t cpu_millis = 0;
  uint32_t pids = 0;
  std::chrono::milliseconds deadline{0};
  std::chrono::milliseconds lease{0};
  std::string
      agent_log;  // development: host file that takes what the agent prints; empty: nothing does
};

std::string EncodePlan(const MachinePlan& plan);
Result<MachinePlan> DecodePlan(std::string_view text);

// Launcher to machine: from now on, this long.
std::string EncodeLease(std::chrono::milliseconds lease);
Result<std::chrono::milliseconds> DecodeLease(std::string_view text);

// Machine to launcher. First kRunning or kFailed, in the end one of the others.
enum class Report { kRunning, kExited, kDeadline, kLease, kDeleted, kFailed };
std::string_view ReportName(Report report);
struct ReportMessage {
  Report report = Report::kFailed;
  std::string message;  // of kFailed
};
std::string EncodeReport(const ReportMessage& report);
Result<ReportMessage> DecodeReport(std::string_view text);

}  // namespace cce::process_machine
