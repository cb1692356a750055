#include "host/launcher/config.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "channel/tunnel_client.h"
#include "host/relay/relay_order.h"

namespace cce::launcher {
namespace {

uint32_t Number(Fields& f, std::string_view key, uint64_t min, uint64_t max, uint64_t fallback) {
  return static_cast<uint32_t>(f.Uint(key, {.min = min, .max = max, .fallback = fallback}));
}

// A program of this build stands beside this one, unless the file says otherwise.
std::string Beside(std::string_view name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

std::string Path(Fields& f, std::string_view key, std::optional<std::string> fallback = {}) {
  std::string path = f.String(key, {.min = 1, .fallback = std::move(fallback)});
  if (!path.empty() && path.front() != '/') f.Reject(key, "the path must be absolute");
  return path;
}

LauncherConfig::Limits ReadLimits(Fields f) {
  LauncherConfig::Limits out;
  out.max_machines = Number(f, "max_machines", 1, 1024, out.max_machines);
  out.memory_mib = Number(f, "memory_mib", 64, 1 << 20, out.memory_mib);
  out.cpu_millis = Number(f, "cpu_millis", 100, 256'000, out.cpu_millis);
  out.deadline_seconds =
      Number(f, "deadline_seconds", 1, uint64_t{8} * 86'400, out.deadline_seconds);
  out.lease_seconds = Number(f, "lease_seconds", 1, 86'400, out.lease_seconds);
  return out;
}

void ReadRelay(Fields f, LauncherConfig& out) {
  out.relay_program = Path(f, "program", Beside("cvm-relay"));
  out.relay_user_id = Number(f, "user_id", 1, UINT32_MAX - 1, 65534);
  Fields targets = f.Object("targets");
  for (const std::string& name : targets.Keys()) {
    const std::string target = targets.String(name, {.min = 1, .max = 256});
    if (!channel::IsChannelName(name)) targets.Reject(name, "a name is [a-z0-9-]{1,32}");
    if (auto parsed = relay::ParseRelayTarget(target); !parsed) {
      targets.Reject(name, "expected host:port, [v6]:port or unix:/path");
    }
    out.relay_targets[name] = target;
  }
}

ProcessProviderConfig ReadProcess(Fields f) {
  ProcessProviderConfig out;
  out.machine_program = Path(f, "program", Beside("cvm-machine"));
  out.chip_socket = Path(f, "chip_socket");
  out.tee = f.Choice("chip_tee", {"tdx", "snp"}, "tdx");
  out.defect = f.String("chip_defect", {.max = 64, .fallback = ""});
  out.tee_agent = Path(f, "tee_agent", Beside("tee-agent"));
  out.decrypt_fs = Path(f, "decrypt_fs", Beside("decrypt-fs"));
  out.runc = Path(f, "runc", "/usr/sbin/runc");
  out.skopeo = Path(f, "skopeo", "/usr/bin/skopeo");
  out.umoci = Path(f, "umoci", "/usr/bin/umoci");
  if (f.Has("juicefs")) out.juicefs = Path(f, "juicefs");
  out.first_id = Number(f, "first_id", 100'000, 4'000'000'000, out.first_id);
  out.ids_per_machine = Number(f, "ids_per_machine", 131'072, 1 << 24, out.ids_per_machine);
  out.pids = Number(f, "pids", 64, 1 << 20, out.pids);
  out.agent_log_folder = f.String("agent_log_folder", {.fallback = ""});
  return out;
}

LogLevel ReadLogLevel(Fields& f) {
  const std::string level = f.Choice("log_level", {"debug", "info", "warn", "error"}, "info");
  if (level == "debug") return LogLevel::kDebug;
  if (level == "warn") return LogLevel::kWarn;
  return level == "error" ? LogLevel::kError : LogLevel::kInfo;
}

}  // namespace

Result<LauncherConfig> LoadLauncherConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const Document document, LoadToml(path));
  Fields f(document);
  LauncherConfig out;
  out.address = f.String("address", {.min = 1, .max = 64, .fallback = "127.0.0.1"});
  out.port = static_cast<uint16_t>(f.Uint("port", {.max = 65535}));
  out.tls_key_file = Path(f, "tls_key_file");
  for (const std::string& text : f.Strings("clients", {.min = 1, .max = 16, .max_item = 64})) {
    auto key = ArrayFromHex<32>(text);
    if (!key) f.Reject("clients", "a client is 64 hex digits: SHA-256 of its key's SPKI");
    if (key) out.clients.push_back(*key);
  }
  out.log_level = ReadLogLevel(f);
  out.limits = ReadLimits(f.Object("limits", /*optional=*/true));
  ReadRelay(f.Object("relay"), out);
  out.process = ReadProcess(f.Object("process"));
  out.process.instance = f.String("instance", {.min = 1, .max = 32, .fallback = "launcher"});
  if (!std::all_of(out.process.instance.begin(), out.process.instance.end(),
                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); })) {
    f.Reject("instance", "lower-case letters and digits only");
  }
  out.process.state_folder = Path(f, "state_folder");
  out.process.max_machines = out.limits.max_machines;
  if (uint64_t{out.process.first_id} +
          uint64_t{out.process.ids_per_machine} * out.limits.max_machines >
      UINT32_MAX) {
    f.Reject("process", "first_id + ids_per_machine * max_machines exceeds the range of ids");
  }
  TRY(f.Finish());
  return out;
}

}  // namespace cce::launcher
