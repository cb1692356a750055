// The `process` provider: a CVM of namespaces on this host, measured by the simulated chip. For
// development and quick tests; its evidence says so. Each machine is a cvm-machine process with its
// own range of host ids.
#pragma once

#include <string>

#include "host/launcher/cvm_provider.h"

namespace cce::launcher {

struct ProcessProviderConfig {
  std::string instance;         // distinguishes launchers on one host; part of cgroup names
  std::string state_folder;     // absolute; holds the guests' mount points; parents o+x
  std::string machine_program;  // cvm-machine
  std::string chip_socket;      // tsm-sim's
  std::string tee = "tdx";      // of the machines: "tdx", "snp"
  std::string defect;           // of the chip, for negative tests; empty: none
  // The guest's programs; measured in this order after the agent, before the launch document.
  std::string tee_agent;
  std::string decrypt_fs;
  std::string runc;
  std::string skopeo;
  std::string umoci;
  std::string juicefs;          // for a distributed store; empty: the guest has none
  uint32_t first_id = 300'000;  // host ids from here on belong to guests
  uint32_t ids_per_machine = 131'072;
  uint32_t max_machines = 8;
  uint32_t pids = 1024;  // of one machine, its container included
  std::string
      agent_log_folder;  // development: what agents print goes to <folder>/<id>.log; empty: nowhere
};

// Removes what machines of a launcher with this instance name have left, then is ready. Errors:
// io.*.
Result<std::unique_ptr<CvmProvider>> MakeProcessProvider(ProcessProviderConfig config);

}  // namespace cce::launcher
