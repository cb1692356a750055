#include "executor/container.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "base/clock.h"
#include "base/file.h"
#include "base/subprocess.h"

namespace cce::executor {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kRuntimeDeadline{30'000};
constexpr uint64_t kMinDisk = 64 << 10;

// Where things lie below the work folder.
struct Layout {
  explicit Layout(const std::string& work)
      : bundle(work + "/bundle"),
        state(work + "/state"),
        scratch(work + "/scratch"),
        pid_file(work + "/bundle/pid"),
        log_file(work + "/bundle/runc.log") {}
  std::string bundle;
  std::string state;
  std::string scratch;
  std::string pid_file;
  std::string log_file;
};

Result<> MakeOwned(const std::string& path, mode_t mode, uint32_t uid, uint32_t gid) {
  if (mkdir(path.c_str(), 0700) != 0) return FailErrno("making " + path, errno);
  if (chown(path.c_str(), uid, gid) != 0) return FailErrno("chown of " + path, errno);
  if (chmod(path.c_str(), mode) != 0) return FailErrno("chmod of " + path, errno);
  return {};
}

Result<ScratchFolder> MakeScratch(const ContainerSpec& spec, const ContainerUser& user,
                                  const std::string& path) {
  ASSIGN_OR_RETURN(ScratchFolder out,
                   ScratchFolder::Mount(path, std::max(spec.limits.disk_bytes, kMinDisk)));
  const uint32_t root = spec.ids.first;
  TRY(MakeOwned(path + "/output", 0755, root + user.uid, root + user.gid));
  TRY(MakeOwned(path + "/tmp", 01777, root, root));
  TRY(MakeOwned(path + "/shm", 01777, root, root));
  return out;
}

std::vector<std::string> Runtime(const ContainerSpec& spec, const Layout& layout,
                                 std::vector<std::string> arguments) {
  std::vector<std::string> out = {spec.tools.runc, "--root", layout.state, "--log",
                                  layout.log_file};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

std::vector<std::string> RuntimeEnvironment() { return {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}; }

// The container's first process as runc noted it once that was started; 0 before.
pid_t ContainerPid(const Layout& layout) {
  const auto text = ReadTextFile(layout.pid_file, 32);
  if (!text) return 0;
  pid_t pid = 0;
  std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid > 1 ? pid : 0;
}

// runc writes the file when it has let the container's first process go on to its execve.
int64_t StartMoment(const Layout& layout) {
  struct stat info{};
  if (stat(layout.pid_file.c_str(), &info) != 0) return 0;
  return int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

// The path of this process's cgroup for a v1 controller ("memory"), or of the v2 tree ("").
std::string OwnCgroup(std::string_view controller) {
  const auto text = ReadTextFile("/proc/self/cgroup", 64 << 10);
  if (!text) return {};
  const std::string middle = ":" + std::string(controller) + ":";
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    const std::string_view line = std::string_view(*text).substr(at, end - at);
    const size_t found = line.find(middle);
    if (found != std::string_view::npos && found == line.find(':')) {
      return std::string(line.substr(found + middle.size()));
    }
    at = end + 1;
  }
  return {};
}

uint64_t NumberAfter(const Result<std::string>& text, std::string_view word) {
  if (!text) return 0;
  const size_t at = text->find(word);
  if (at == std::string::npos) return 0;
  uint64_t out = 0;
  std::from_chars(text->data() + at + word.size(), text->data() + text->size(), out);
  return out;
}

// How many of its processes the kernel killed for want of memory. The runtime puts a relative path
// below this process's own cgroup (v1) or beside it (v2).
uint64_t OutOfMemoryKills(const ContainerSpec& spec) {
  const std::string name = "/cce-" + spec.id;
  const uint64_t v1 = NumberAfter(
      ReadTextFile("/sys/fs/cgroup/memory" + OwnCgroup("memory") + name + "/memory.oom_control",
                   4096),
      "oom_kill ");
  if (v1 > 0) return v1;
  const std::filesystem::path own = "/sys/fs/cgroup" + OwnCgroup("");
  return NumberAfter(ReadTextFile(own.parent_path().string() + name + "/memory.events", 4096),
                     "oom_kill ");
}

Result<> WriteBundle(const ContainerSpec& spec, const ContainerUser& user, const Layout& layout) {
  ASSIGN_OR_RETURN(const json::object config, RuntimeConfig(spec, user, layout.scratch));
  TRY(MakeFolders(layout.bundle, 0711));
  TRY(MakeFolders(layout.state, 0711));
  std::error_code ignored;
  std::filesystem::remove(layout.pid_file, ignored);
  return WriteFileAtomic(layout.bundle + "/config.json", AsBytes(ToJson(config)));
}

// Ends whatever is left of the container and forgets it.
void Delete(const ContainerSpec& spec, const Layout& layout) {
  (void)RunProgram(Runtime(spec, layout, {"delete", "--force", spec.id}),
                   {.environment = RuntimeEnvironment(), .deadline = kRuntimeDeadline});
}

Result<RunOutcome> RunToEnd(const ContainerSpec& spec, const Layout& layout) {
  RunOptions options{.environment = RuntimeEnvironment(),
                     .working_folder = layout.bundle,
                     .max_stdout = spec.limits.stream_bytes,
                     .max_stderr = spec.limits.stream_bytes,
                     .deadline = spec.limits.time,
                     .stop_fds = spec.stop_fds};
  // runc reaps its child and then ends by itself, so that the number cannot have passed to another
  // process.
  options.end_child = [&] {
    const pid_t pid = ContainerPid(layout);
    if (pid > 0) kill(pid, SIGKILL);
    return pid > 0;
  };
  return RunProgram(
      Runtime(spec, layout,
              {"run", "--keep", "--bundle", layout.bundle, "--pid-file", layout.pid_file, spec.id}),
      options);
}

EndReason Reason(const ContainerSpec& spec, const RunOutcome& run) {
  if (run.timed_out) return EndReason::kTimeLimit;
  if (run.stopped) return EndReason::kStopped;
  if (run.exit_code == 0) return EndReason::kExited;
  if (OutOfMemoryKills(spec) > 0) return EndReason::kMemoryLimit;
  return run.exit_code > 128 && run.exit_code <= 128 + 64 ? EndReason::kSignalled
                                                          : EndReason::kExited;
}

// The runtime's last words, for the operator.
std::string RuntimeWords(const Layout& layout, const RunOutcome& run) {
  std::string text(AsText(run.stderr_bytes));
  if (const auto log = ReadTextFile(layout.log_file, 64 << 10)) text += *log;
  if (text.size() > 1000) text.erase(0, text.size() - 1000);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

}  // namespace

std::string_view EndReasonName(EndReason reason) {
  switch (reason) {
    case EndReason::kExited:
      return "exited";
    case EndReason::kSignalled:
      return "signalled";
    case EndReason::kTimeLimit:
      return "time_limit";
    case EndReason::kMemoryLimit:
      return "memory_limit";
    case EndReason::kStopped:
      return "stopped";
  }
  return "unknown";
}

Result<ContainerOutcome> RunContainer(const ContainerSpec& spec) {
  const Layout layout(spec.work_folder);
  ASSIGN_OR_RETURN(const ContainerUser user, ResolveUser(spec.config.user, spec.rootfs));
  TRY(WriteBundle(spec, user, layout));
  ContainerOutcome outcome;
  ASSIGN_OR_RETURN(outcome.scratch, MakeScratch(spec, user, layout.scratch));
  outcome.output_folder = layout.scratch + "/output";

  const SteadyClock::time_point start = SteadyClock::now();
  auto run = RunToEnd(spec, layout);
  outcome.run_time = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - start);
  if (run) outcome.reason = Reason(spec, *run);
  Delete(spec, layout);
  if (!run) return Fail(std::move(run).error());
  outcome.first_instruction_ms = StartMoment(layout);
  if (outcome.first_instruction_ms == 0 && !run->timed_out && !run->stopped) {
    return Fail(MakeError("container.start_failed", "the container could not be started")
                    .Detail(RuntimeWords(layout, *run)));
  }
  outcome.exit_code = run->signal != 0 ? 128 + run->signal : run->exit_code;
  outcome.stdout_bytes = std::move(run->stdout_bytes);
  outcome.stderr_bytes = std::move(run->stderr_bytes);
  outcome.stdout_cut = run->stdout_cut;
  outcome.stderr_cut = run->stderr_cut;
  return outcome;
}

Result<> RemoveLeftovers(const std::string& work_folder, const Tools& tools) {
  const Layout layout(work_folder);
  std::error_code error;
  ContainerSpec spec;
  spec.tools = tools;
  for (const auto& entry : std::filesystem::directory_iterator(layout.state, error)) {
    spec.id = entry.path().filename().string();
    Delete(spec, layout);
  }
  for (const std::string& path :
       {layout.scratch, work_folder + "/rootfs", work_folder + "/download"}) {
    while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
  }
  std::filesystem::remove_all(layout.bundle, error);
  std::filesystem::remove_all(layout.state, error);
  return {};
}

}  // namespace cce::executor
