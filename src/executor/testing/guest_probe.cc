// An agent for tests of the process provider: runs containers inside the guest and writes what came
// of it to descriptor 3. The root file system is made here, of busybox and of itself as the
// container's program.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/subprocess.h"
#include "executor/container.h"

namespace cce::executor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScript =
    "echo net $(ls /sys/class/net); echo uid $(id -u); "
    "if touch /x 2>/dev/null; then echo root ok; else echo root EROFS; fi; "
    "echo data $(cat /data/d/f); echo fuse $(cat /data/fuse/hello); "
    "if touch /data/d/x 2>/dev/null; then echo data-write ok; else echo data-write EROFS; fi; "
    "touch /output/x && echo output ok; "
    "nc -z 198.51.100.1 53 2>/dev/null && echo egress ok; true";

void MakeRoot(const std::string& root) {
  fs::create_directories(root + "/bin");
  fs::create_directories(root + "/etc");
  fs::copy_file("/usr/bin/busybox", root + "/bin/busybox");
  for (const char* name : {"sh", "ls", "id", "touch", "cat", "nc", "tail"}) {
    fs::create_symlink("busybox", root + "/bin/" + name);
  }
  chmod(root.c_str(), 0755);
  if (chown(root.c_str(), IdRange().first, IdRange().first) != 0) _exit(2);
}

ContainerSpec Spec(const std::string& id, std::vector<std::string> command) {
  ContainerSpec spec;
  spec.id = id;
  spec.rootfs = "/run/job/rootfs";
  spec.work_folder = "/run/job/" + id;
  spec.config.working_folder = "/";
  spec.config.user = "1000";
  spec.command = std::move(command);
  spec.datasets = {{"d", "/run/job/data"}, {"fuse", "/run/job/fuse"}};
  spec.limits.memory_bytes = 32 << 20;
  spec.limits.disk_bytes = 1 << 20;
  return spec;
}

std::string Run(const ContainerSpec& spec) {
  auto outcome = RunContainer(spec);
  if (!outcome) return outcome.error().code + " " + outcome.error().detail + "\n";
  return std::string(EndReasonName(outcome->reason)) + " " + std::to_string(outcome->exit_code) +
         "\n" + std::string(AsText(outcome->stdout_bytes)) +
         std::string(AsText(outcome->stderr_bytes));
}

// Where decrypt-fs would be. The mount is there when its folder is on another device.
Result<Subprocess> StartFuse(const std::string& folder) {
  TRY(MakeFolders(folder));
  struct stat before{};
  stat(folder.c_str(), &before);
  ASSIGN_OR_RETURN(Subprocess fuse, Subprocess::Start({"/opt/cce/bin/decrypt-fs", folder}, {}));
  struct stat now = before;
  while (now.st_dev == before.st_dev && !fuse.Wait(std::chrono::milliseconds(5))) {
    stat(folder.c_str(), &now);
  }
  return fuse;
}

std::string Report() {
  const auto scratch = ScratchFolder::Mount("/run/job", 64 << 20);
  if (!scratch) return scratch.error().message;
  MakeRoot("/run/job/rootfs");
  const auto data = ScratchFolder::Mount("/run/job/data", 1 << 20);
  if (!data) return data.error().message;
  chmod("/run/job/data", 0755);
  std::ofstream("/run/job/data/f") << "one\n";
  const auto fuse = StartFuse("/run/job/fuse");
  if (!fuse) return fuse.error().message;
  std::string out = Run(Spec("first", {"/bin/sh", "-c", kScript}));
  out += Run(Spec("second", {"/bin/tail", "/dev/zero"}));
  errno = 0;
  out += "vsock ";
  out += socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? strerrorname_np(errno) : "ok";
  return out + "\n";
}

}  // namespace
}  // namespace cce::executor

int main() {
  const std::string report = cce::executor::Report();
  return write(3, report.c_str(), report.size() + 1) < 0 ? 1 : 0;
}
