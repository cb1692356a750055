// The launcher's configuration file (deploy/examples/launcher.toml shows each member).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "base/result.h"
#include "host/launcher/process_provider.h"

namespace cce::launcher {

struct LauncherConfig {
  std::string address;  // of the HTTPS listener
  uint16_t port = 0;
  std::string tls_key_file;
  std::vector<ByteArray<32>> clients;  // SHA-256 of the SPKI of each cced that may give orders
  LogLevel log_level = LogLevel::kInfo;

  struct Limits {
    uint32_t max_machines = 8;
    uint32_t memory_mib = 8192;  // of one machine
    uint32_t cpu_millis = 4000;
    uint32_t deadline_seconds = 86'400;
    uint32_t lease_seconds = 300;
  } limits;

  std::string relay_program;
  uint32_t relay_user_id = 65534;
  std::map<std::string, std::string> relay_targets;

  ProcessProviderConfig process;
};

// Errors: config.invalid (with the line), io.*.
Result<LauncherConfig> LoadLauncherConfig(const std::string& path);

}  // namespace cce::launcher
