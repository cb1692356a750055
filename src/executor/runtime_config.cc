// The OCI runtime configuration, and who runs in it.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/file.h"
#include "executor/container.h"
#include "executor/seccomp_profile.h"

namespace cce::executor {
namespace {

constexpr size_t kMaxUserFile = 1 << 20;
constexpr size_t kMaxArguments = 1024;
constexpr size_t kMaxArgumentBytes = 128 << 10;

Unexpected BadSpec(std::string message) { return Fail("container.bad_spec", std::move(message)); }

bool IsName(std::string_view text, std::string_view more) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  more.find(c) != std::string_view::npos;
         });
}

Result<> CheckTexts(const std::vector<std::string>& texts, std::string_view what) {
  size_t total = 0;
  for (const std::string& text : texts) {
    total += text.size() + 1;
    if (text.find('\0') != std::string::npos) return BadSpec(std::string(what) + " holds a NUL");
  }
  if (texts.size() > kMaxArguments || total > kMaxArgumentBytes) {
    return BadSpec(std::string(what) + " is too long");
  }
  return {};
}

Result<> CheckSpec(const ContainerSpec& spec) {
  if (!IsName(spec.id, "-")) return BadSpec("the container's id is malformed");
  for (const std::string* path : {&spec.rootfs, &spec.work_folder}) {
    if (path->empty() || path->front() != '/') return BadSpec("a folder's path is not absolute");
  }
  if (spec.config.working_folder.empty() || spec.config.working_folder.front() != '/') {
    return BadSpec("the image's working folder is not absolute");
  }
  std::set<std::string> names;
  for (const DatasetMount& mount : spec.datasets) {
    if (!IsName(mount.name, "._-") || !names.insert(mount.name).second || mount.source.empty() ||
        mount.source.front() != '/') {
      return BadSpec("a dataset's name or folder is malformed, or stands twice");
    }
  }
  if (spec.ids.first == 0 || spec.ids.count < 1000) {
    return BadSpec("the container's ids must not begin at the caller's root, and be 1000 at least");
  }
  TRY(CheckTexts(spec.command, "the command"));
  TRY(CheckTexts(spec.environment, "the environment"));
  return CheckTexts(spec.config.environment, "the image's environment");
}

std::vector<std::string> Arguments(const ContainerSpec& spec) {
  if (!spec.command.empty()) return spec.command;
  std::vector<std::string> out = spec.config.entrypoint;
  out.insert(out.end(), spec.config.command.begin(), spec.config.command.end());
  return out;
}

json::array Environment(const ContainerSpec& spec) {
  json::array out;
  bool path = false;
  for (const auto* list : {&spec.config.environment, &spec.environment}) {
    for (const std::string& entry : *list) {
      if (entry.find('=') == std::string::npos || entry.front() == '=') continue;
      path = path || entry.starts_with("PATH=");
      out.emplace_back(entry);
    }
  }
  if (!path) out.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return out;
}

json::object MountEntry(std::string_view destination, std::string_view type,
                        std::string_view source, json::array options) {
  return {{"destination", destination},
          {"type", type},
          {"source", source},
          {"options", std::move(options)}};
}

json::array Mounts(const ContainerSpec& spec, const std::string& scratch_folder) {
  json::array out;
  out.push_back(MountEntry("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  out.push_back(MountEntry("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  out.push_back(MountEntry("/dev", "tmpfs", "tmpfs",
                           {"nosuid", "noexec", "strictatime", "mode=755", "size=64k"}));
  out.push_back(MountEntry("/dev/shm", "bind", scratch_folder + "/shm",
                           {"bind", "rw", "nosuid", "noexec", "nodev"}));
  out.push_back(
      MountEntry("/tmp", "bind", scratch_folder + "/tmp", {"bind", "rw", "nosuid", "nodev"}));
  out.push_back(
      MountEntry("/output", "bind", scratch_folder + "/output", {"bind", "rw", "nosuid", "nodev"}));
  for (const DatasetMount& mount : spec.datasets) {
    // Inside a user namespace the kernel refuses a bind of a FUSE mount that drops its nosuid or
    // nodev.
    out.push_back(
        MountEntry("/data/" + mount.name, "bind", mount.source, {"bind", "ro", "nosuid", "nodev"}));
  }
  return out;
}

// Limits can only fall: this process may lack the right to raise a hard one.
json::array ResourceLimits() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const uint64_t most = std::min<uint64_t>(files.rlim_max, 65536);
  return {json::object{{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 0}},
          json::object{{"type", "RLIMIT_NOFILE"}, {"soft", most}, {"hard", most}}};
}

json::object Resources(const ContainerLimits& limits) {
  const uint64_t quota = std::max<uint64_t>(1000, uint64_t{limits.cpu_millis} * 100);
  return {{"memory", json::object{{"limit", limits.memory_bytes}}},
          {"cpu", json::object{{"quota", quota}, {"period", 100'000}}},
          {"pids", json::object{{"limit", limits.pids}}},
          {"devices", json::array{json::object{{"allow", false}, {"access", "rwm"}}}}};
}

json::object LinuxSection(const ContainerSpec& spec) {
  json::array namespaces;
  for (const char* type : {"user", "pid", "ipc", "network", "mount", "uts", "cgroup"}) {
    namespaces.push_back(json::object{{"type", type}});
  }
  const json::array map = {
      json::object{{"containerID", 0}, {"hostID", spec.ids.first}, {"size", spec.ids.count}}};
  return {{"namespaces", std::move(namespaces)},
          {"uidMappings", map},
          {"gidMappings", map},
          {"cgroupsPath", "cce-" + spec.id},  // relative: below the caller's own cgroup
          {"resources", Resources(spec.limits)},
          {"seccomp", SeccompProfile()},
          {"maskedPaths",
           json::array{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/key-users",
                       "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                       "/proc/sched_debug", "/proc/scsi", "/proc/config.gz", "/sys/firmware",
                       "/sys/kernel", "/sys/devices/virtual/dmi", "/sys/devices/virtual/powercap"}},
          {"readonlyPaths",
           json::array{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
}

// A file of the image, resolved as the container would: links stay inside the root file system.
Result<std::string> ReadInRoot(const std::string& rootfs, const char* path) {
  UniqueFd root(open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return FailErrno("opening the root file system", errno);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, root.get(), path, &how, sizeof how)));
  if (!fd.valid()) return std::string();
  ASSIGN_OR_RETURN(const Bytes bytes, ReadToEnd(fd.get(), kMaxUserFile));
  return std::string(AsText(bytes));
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::optional<uint32_t> Number(std::string_view text) {
  uint32_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return out;
}

// The line whose field 0 is `name`, or whose field 2 is `id`.
std::optional<std::vector<std::string_view>> FindLine(std::string_view file, std::string_view name,
                                                      std::optional<uint32_t> id) {
  for (const std::string_view line : Split(file, '\n')) {
    std::vector<std::string_view> fields = Split(line, ':');
    if (fields.size() < 4) continue;
    if (fields[0] == name || (id && Number(fields[2]) == id)) return fields;
  }
  return {};
}

}  // namespace

Result<ContainerUser> ResolveUser(const std::string& user, const std::string& rootfs) {
  const size_t colon = user.find(':');
  const std::string name = user.substr(0, colon);
  ContainerUser out;
  if (!name.empty()) {
    const std::optional<uint32_t> id = Number(name);
    ASSIGN_OR_RETURN(const std::string passwd, ReadInRoot(rootfs, "etc/passwd"));
    const auto line = FindLine(passwd, name, id);
    if (!id && !line) return BadSpec("the image's user is not in its /etc/passwd");
    const auto line_id = line ? Number((*line)[2]) : std::nullopt;
    if (!id && !line_id) return BadSpec("the image's /etc/passwd is malformed");
    out.uid = id ? *id : *line_id;
    out.gid = line ? Number((*line)[3]).value_or(0) : 0;
  }
  if (colon != std::string::npos) {
    const std::string group = user.substr(colon + 1);
    std::optional<uint32_t> id = Number(group);
    if (!id) {
      ASSIGN_OR_RETURN(const std::string groups, ReadInRoot(rootfs, "etc/group"));
      const auto line = FindLine(groups, group, {});
      id = line ? Number((*line)[2]) : std::nullopt;
      if (!id) return BadSpec("the image's group is not in its /etc/group");
    }
    out.gid = *id;
  }
  return out;
}

Result<json::object> RuntimeConfig(const ContainerSpec& spec, const ContainerUser& user,
                                   const std::string& scratch_folder) {
  TRY(CheckSpec(spec));
  const std::vector<std::string> arguments = Arguments(spec);
  if (arguments.empty() || arguments[0].empty()) {
    return BadSpec("neither the job nor its image names a command");
  }
  TRY(CheckTexts(arguments, "the command"));
  if (user.uid >= spec.ids.count || user.gid >= spec.ids.count) {
    return BadSpec("the image's user id is beyond the container's id range");
  }
  json::array args;
  for (const std::string& argument : arguments) args.emplace_back(argument);
  const json::object no_capabilities = {{"bounding", json::array()},
                                        {"effective", json::array()},
                                        {"inheritable", json::array()},
                                        {"permitted", json::array()},
                                        {"ambient", json::array()}};
  return json::object{
      {"ociVersion", "1.0.2"},
      {"process", json::object{{"terminal", false},
                               {"user", json::object{{"uid", user.uid}, {"gid", user.gid}}},
                               {"args", std::move(args)},
                               {"env", Environment(spec)},
                               {"cwd", spec.config.working_folder},
                               {"capabilities", no_capabilities},
                               {"rlimits", ResourceLimits()},
                               {"noNewPrivileges", true}}},
      {"root", json::object{{"path", spec.rootfs}, {"readonly", true}}},
      {"hostname", "job"},
      {"mounts", Mounts(spec, scratch_folder)},
      {"linux", LinuxSection(spec)}};
}

}  // namespace cce::executor
