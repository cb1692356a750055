#include "host/process_machine/guest_root.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

namespace cce::process_machine {
namespace {

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};
// runc binds `tty` as well; in the guest it leads nowhere.
constexpr Device kDevices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                               {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
                               {"fuse", 10, 229}};
constexpr const char* kUsrLinks[] = {"bin", "sbin", "lib", "lib64"};
constexpr std::string_view kPasswd =
    "root:x:0:0::/:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\n";

Result<> Mount(const std::string& source, const std::string& target, const char* type,
               unsigned long flags, const std::string& data = {}) {
  if (mount(source.c_str(), target.c_str(), type, flags, data.empty() ? nullptr : data.c_str()) !=
      0) {
    return FailErrno("mounting " + source + " on " + target, errno);
  }
  return {};
}

Result<> MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return FailErrno("making " + path, errno);
  return {};
}

Result<> MakeFile(const std::string& path, std::string_view contents) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return FailErrno("making " + path, errno);
  return WriteAll(fd.get(), AsBytes(contents));
}

Result<> MakeLink(const std::string& target, const std::string& path) {
  if (symlink(target.c_str(), path.c_str()) != 0) return FailErrno("linking " + path, errno);
  return {};
}

// A bind keeps the flags of what it binds; a second call adds `flags`.
Result<> Bind(const std::string& source, const std::string& target, unsigned long flags) {
  TRY(Mount(source, target, nullptr, MS_BIND | MS_REC));
  if (flags == 0) return {};
  return Mount("none", target, nullptr, MS_BIND | MS_REMOUNT | flags);
}

Result<> Devices(const std::string& root, const std::string& parts) {
  const std::string dev = root + "/dev";
  TRY(Mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k"));
  for (const Device& device : kDevices) {
    const std::string path = dev + "/" + device.name;
    TRY(MakeFile(path, ""));
    TRY(Bind(parts + "/dev/" + device.name, path, 0));
  }
  return MakeLink("/proc/self/fd", dev + "/fd");
}

// /sys fresh: the inherited one still lists the host's network cards. A tmpfs stands over
// /sys/kernel, since the host may lack configfs and the folder to bind the front on; as the kernel
// lets a container's user namespace mount sysfs only where some sysfs is wholly visible, a second
// one stays at /run/sys.
Result<> SystemFolders(const std::string& root, const MachinePlan& plan,
                       const std::vector<std::string>& v1_controllers) {
  TRY(Mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC));
  TRY(Mount("sysfs", root + "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC));
  const std::string cgroup = root + "/sys/fs/cgroup";
  if (v1_controllers.empty()) {
    TRY(Mount("cgroup2", cgroup, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC));
  } else {
    TRY(Mount("tmpfs", cgroup, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=16k"));
    for (const std::string& controller : v1_controllers) {
      std::string folder = cgroup;
      folder.append("/").append(controller);
      TRY(MakeFolder(folder));
      TRY(Mount("cgroup", folder, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, controller));
    }
  }
  const std::string kernel = root + "/sys/kernel";
  TRY(Mount("tmpfs", kernel, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=16k"));
  TRY(MakeFolder(kernel + "/config"));
  TRY(MakeFolder(kernel + "/config/tsm"));
  TRY(Bind(plan.front, kernel + "/config/tsm", 0));
  TRY(Mount("tmpfs", root + "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=16m"));
  TRY(MakeFolder(root + "/run/sys"));
  TRY(Mount("sysfs", root + "/run/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY));
  return Mount("tmpfs", root + "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m");
}

// A copy of a sealed file: what the chip measured is what stands here.
Result<> CopyTool(int source, const std::string& path) {
  struct stat info{};
  if (fstat(source, &info) != 0) return FailErrno("looking at a sealed file", errno);
  UniqueFd out(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  if (!out.valid()) return FailErrno("making " + path, errno);
  off_t at = 0;
  while (at < info.st_size) {
    const ssize_t n = sendfile(out.get(), source, &at, static_cast<size_t>(info.st_size - at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FailErrno("copying " + path, n == 0 ? EIO : errno);
  }
  return {};
}

Result<> Skeleton(const std::string& root, const MachinePlan& plan,
                  const std::vector<UniqueFd>& tools) {
  TRY(Mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=512m"));
  for (const char* name : {"proc", "sys", "dev", "run", "tmp", "usr", "etc", "opt", "host",
                           "opt/cce", "opt/cce/bin"}) {
    TRY(MakeFolder(root + "/" + name));
  }
  for (const char* name : kUsrLinks) TRY(MakeLink(std::string("usr/") + name, root + "/" + name));
  TRY(MakeFile(root + "/etc/passwd", kPasswd));
  TRY(MakeFile(root + "/etc/group", "root:x:0:\nnogroup:x:65534:\n"));
  TRY(MakeFile(root + "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"));
  TRY(MakeFile(root + "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"));
  for (size_t i = 0; i < tools.size(); ++i) {
    TRY(CopyTool(tools[i].get(), root + "/opt/cce/bin/" + plan.tools[i]));
  }
  return Bind(plan.mount_point + "/usr", root + "/usr", 0);
}

}  // namespace

Result<> PrepareHostParts(const MachinePlan& plan) {
  const std::string& parts = plan.mount_point;
  // A slave hears of the host's unmounts and tells of none of its own.
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return FailErrno("a mount namespace", errno);
  }
  TRY(Mount("tmpfs", parts, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k"));
  for (const char* name : {"/root", "/usr", "/dev"}) TRY(MakeFolder(parts + name));
  for (const Device& device : kDevices) {
    const std::string path = parts + "/dev/" + device.name;
    if (mknod(path.c_str(), S_IFCHR, makedev(device.major, device.minor)) != 0 ||
        chmod(path.c_str(), 0666) != 0) {
      return FailErrno("making " + path, errno);
    }
  }
  return Bind("/usr", parts + "/usr", MS_RDONLY | MS_NOSUID | MS_NODEV);
}

Result<> EnterGuestRoot(const MachinePlan& plan, const std::vector<std::string>& v1_controllers,
                        const std::vector<UniqueFd>& tools) {
  const std::string root = plan.mount_point + "/root";
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return FailErrno("parting from the host's mounts", errno);
  }
  TRY(Skeleton(root, plan, tools));
  TRY(Devices(root, plan.mount_point));
  TRY(SystemFolders(root, plan, v1_controllers));
  if (chdir(root.c_str()) != 0) return FailErrno("entering the guest's root", errno);
  if (syscall(SYS_pivot_root, ".", "host") != 0) return FailErrno("pivot_root", errno);
  if (umount2("/host", MNT_DETACH) != 0) return FailErrno("letting go of the host's tree", errno);
  if (rmdir("/host") != 0 || chdir("/") != 0) return FailErrno("the guest's root", errno);
  return Mount("none", "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV);
}

Result<> StartLoopback() {
  UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd.valid() || ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return FailErrno("starting lo", errno);
  }
  return {};
}

}  // namespace cce::process_machine
