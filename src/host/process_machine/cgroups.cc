#include "host/process_machine/cgroups.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/file.h"

namespace cce::process_machine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRoot = "/sys/fs/cgroup";
// What runc looks for on a v1 host, whether or not a limit is set.
constexpr const char* kV1[] = {"memory", "cpu", "cpuacct", "cpuset", "pids", "freezer", "devices"};

bool OnlyV2() {
  struct statfs info{};
  return statfs(kRoot, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

// This process's group in the hierarchy that `controller` is in ("" is the v2 tree).
Result<std::string> OwnGroup(std::string_view controller) {
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile("/proc/self/cgroup", 64 << 10));
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (names == (controller.empty() ? ",," : names) &&
        (controller.empty() ||
         names.find("," + std::string(controller) + ",") != std::string::npos)) {
      return line.substr(second + 1);
    }
  }
  return Fail("io.not_found", "no control group for " + std::string(controller));
}

// Where machines' groups are made. In the v2 tree a group with processes cannot hand controllers
// on, so they stand beside this process's own.
Result<std::vector<std::string>> Parents() {
  std::vector<std::string> out;
  if (OnlyV2()) {
    ASSIGN_OR_RETURN(const std::string own, OwnGroup(""));
    const fs::path parent = fs::path(own).parent_path();
    out.push_back(fs::path(kRoot + parent.string()).lexically_normal().string());
    return out;
  }
  for (const char* controller : kV1) {
    ASSIGN_OR_RETURN(const std::string own, OwnGroup(controller));
    out.push_back(
        (fs::path(kRoot) / controller / fs::path(own).relative_path()).lexically_normal().string());
  }
  return out;
}

Result<> Set(const std::string& file, const std::string& value) {
  UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno("opening " + file, errno);
  if (write(fd.get(), value.data(), value.size()) < 0) return FailErrno("writing " + file, errno);
  return {};
}

Result<> CopyValue(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const std::string value, ReadTextFile(from, 4096));
  return Set(to, value);
}

Result<> SetV1(const std::string& folder, const MachineLimits& limits) {
  const fs::path path(folder);
  const std::string controller = fs::path(folder).lexically_relative(kRoot).begin()->string();
  if (controller == "memory") {
    return Set(folder + "/memory.limit_in_bytes", std::to_string(limits.memory_bytes));
  }
  if (controller == "pids") return Set(folder + "/pids.max", std::to_string(limits.pids));
  if (controller == "cpu") {
    TRY(Set(folder + "/cpu.cfs_period_us", "100000"));
    return Set(folder + "/cpu.cfs_quota_us", std::to_string(uint64_t{limits.cpu_millis} * 100));
  }
  if (controller == "cpuset") {  // empty at first, and then no process can enter
    for (const char* name : {"/cpuset.cpus", "/cpuset.mems"}) {
      TRY(CopyValue(path.parent_path().string() + name, folder + name));
    }
  }
  return {};
}

Result<> SetV2(const std::string& folder, const MachineLimits& limits) {
  // Where the parent hands them on already, the write changes nothing; where it cannot, the limits
  // below fail.
  (void)Set(fs::path(folder).parent_path().string() + "/cgroup.subtree_control",
            "+memory +pids +cpu");
  TRY(Set(folder + "/memory.max", std::to_string(limits.memory_bytes)));
  TRY(Set(folder + "/pids.max", std::to_string(limits.pids)));
  return Set(folder + "/cpu.max", std::to_string(uint64_t{limits.cpu_millis} * 100) + " 100000");
}

// The owner may make groups below and move processes among them; the limits of this one stay
// root's.
Result<> Hand(const std::string& folder, uid_t owner) {
  if (chown(folder.c_str(), owner, owner) != 0) return FailErrno("chown of " + folder, errno);
  for (const char* name :
       {"/cgroup.procs", "/tasks", "/cgroup.threads", "/cgroup.subtree_control"}) {
    if (chown((folder + name).c_str(), owner, owner) != 0 && errno != ENOENT) {
      return FailErrno("chown of " + folder + name, errno);
    }
  }
  return {};
}

void KillAll(const std::string& folder) {
  const auto text = ReadTextFile(folder + "/cgroup.procs", 1 << 20);
  if (!text) return;
  const char* at = text->data();
  const char* const end = at + text->size();
  while (at < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc() && pid > 1) kill(pid, SIGKILL);
    at = next == at ? at + 1 : next;
  }
}

// Deepest first. A killed process leaves its group a moment later, hence the few tries.
void RemoveTree(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) RemoveTree(entry.path().string());
  }
  for (int i = 0; i < 200; ++i) {
    if (rmdir(folder.c_str()) == 0 || errno == ENOENT) return;
    KillAll(folder);
    usleep(5000);
  }
}

}  // namespace

std::vector<std::string> V1Controllers() {
  if (OnlyV2()) return {};
  return {std::begin(kV1), std::end(kV1)};
}

Result<Cgroups> Cgroups::Make(const std::string& name, const MachineLimits& limits, uid_t owner) {
  const bool v2 = OnlyV2();
  ASSIGN_OR_RETURN(const std::vector<std::string> parents, Parents());
  Cgroups out;
  const auto make = [&](const std::string& folder) -> Result<> {
    if (mkdir(folder.c_str(), 0755) != 0) return FailErrno("making " + folder, errno);
    out.folders_.push_back(folder);
    TRY(v2 ? SetV2(folder, limits) : SetV1(folder, limits));
    return Hand(folder, owner);
  };
  for (const std::string& parent : parents) {
    std::string folder = parent;
    folder.append("/").append(name);
    if (auto made = make(folder); !made) {
      out.Remove();
      return Fail(std::move(made).error());
    }
  }
  return out;
}

Result<> Cgroups::Add(pid_t pid) const {
  for (const std::string& folder : folders_) {
    TRY(Set(folder + "/cgroup.procs", std::to_string(pid)));
  }
  return {};
}

void Cgroups::Remove() {
  for (const std::string& folder : folders_) RemoveTree(folder);
  folders_.clear();
}

void RemoveCgroups(const std::string& prefix) {
  const auto parents = Parents();
  if (!parents) return;
  std::error_code error;
  for (const std::string& parent : *parents) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(parent, error)) {
      if (entry.path().filename().string().starts_with(prefix)) {
        found.push_back(entry.path().string());
      }
    }
    for (const std::string& folder : found) RemoveTree(folder);
  }
}

}  // namespace cce::process_machine
