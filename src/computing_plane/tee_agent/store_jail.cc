#include "computing_plane/tee_agent/store_jail.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstring>

#include "base/file.h"
#include "base/log.h"
#include "protocol/store_access.h"
#include "store/juicefs.h"

namespace cce::tee_agent {
namespace {

constexpr int kHandedFd = 9;  // the client's children inherit it
constexpr rlim_t kMaxFiles = 4096;
constexpr const char* kTmpfs = "mode=0755,size=512m";

Result<JailOrder> ReadJailOrder(int fd) {
  ASSIGN_OR_RETURN(Bytes text, ReadToEnd(fd, protocol::kMaxStoreAccess));
  ASSIGN_OR_RETURN(
      const Document document,
      ParseJsonDocument(AsText(text), "jail order", {.max_bytes = protocol::kMaxStoreAccess}));
  Wipe(text);
  Fields f(document);
  JailOrder order;
  order.program = f.String("program", {.min = 1});
  order.mountpoint = f.String("mountpoint", {.min = 1});
  order.bucket = f.String("bucket", {.min = 1});
  order.user = static_cast<uint32_t>(f.Uint("user", {.min = 1, .max = UINT32_MAX - 1}));
  order.access_key = f.String("access_key", {.min = 1});
  order.secret_key = SecretBytes::CopyOf(AsBytes(f.String("secret_key", {.min = 1})));
  const json::value* metadata = f.Raw("metadata");
  if (metadata == nullptr || !metadata->is_object()) f.Reject("metadata", "must be an object");
  TRY(f.Finish());
  order.metadata = metadata->get_object();
  return order;
}

Result<> MountAt(const char* source, const std::string& target, const char* type,
                 unsigned long flags, const char* data = nullptr) {
  if (::mount(source, target.c_str(), type, flags, data) == 0) return {};
  return FailErrno("mounting " + target, errno);
}

Result<> BindFile(const std::string& source, const std::string& target) {
  const UniqueFd made(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  if (!made.valid()) return FailErrno(target, errno);
  return MountAt(source.c_str(), target, nullptr, MS_BIND);
}

// Libraries alone, for the way to the descriptor.
Result<> BindLibraries(const std::string& root) {
  TRY(MakeFolders(root + "/usr", 0755));
  for (const std::string path : {"/usr/lib", "/usr/lib64"}) {
    const std::string target = root + path;
    TRY(MakeFolders(target, 0755));
    TRY(MountAt(path.c_str(), target, nullptr, MS_BIND));
    TRY(MountAt("none", target, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV));
  }
  if (::symlink("usr/lib", (root + "/lib").c_str()) != 0 ||
      ::symlink("usr/lib64", (root + "/lib64").c_str()) != 0) {
    return FailErrno("the store's libraries", errno);
  }
  return {};
}

// This program itself may be a memory file, which cannot be bound.
Result<> CopySelf(const std::string& target) {
  const UniqueFd in(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const UniqueFd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  struct stat info{};
  if (!in.valid() || !out.valid() || ::fstat(in.get(), &info) != 0) return FailErrno(target, errno);
  for (off_t at = 0; at < info.st_size;) {
    const ssize_t n = ::sendfile(out.get(), in.get(), &at, static_cast<size_t>(info.st_size - at));
    if (n <= 0 && errno != EINTR) return FailErrno(target, n == 0 ? EIO : errno);
  }
  return {};
}

// A root of its own, seen by nobody else: the client, the way to its descriptor, the mount.
Result<> EnterRoot(const JailOrder& order) {
  if (::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) != 0) {
    return FailErrno("namespaces for the store", errno);
  }
  TRY(MountAt("none", "/", nullptr, MS_REC | MS_PRIVATE));
  const std::string root = order.mountpoint + ".jail";
  TRY(MakeFolders(root, 0700));
  TRY(MountAt("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, kTmpfs));
  for (const char* name : {"/bin", "/dev", "/store", "/old", "/tmp", "/proc/sys/kernel"}) {
    TRY(MakeFolders(root + name, 0755));
  }
  TRY(BindFile(order.program, root + "/bin/juicefs"));
  TRY(BindFile("/dev/null", root + "/dev/null"));
  utsname kernel{};
  ::uname(&kernel);
  // The one thing that the client asks of /proc, which is not there.
  TRY(WriteFileAtomic(root + "/proc/sys/kernel/osrelease",
                      AsBytes(std::string(kernel.release) + "\n"), 0444));
  TRY(BindLibraries(root));
  TRY(CopySelf(root + "/bin/fusermount3"));
  TRY(MountAt(order.mountpoint.c_str(), root + "/store", nullptr, MS_BIND));
  TRY(WriteFileAtomic(root + "/tmp/metadata.json", AsBytes(ToJson(order.metadata)), 0444));
  if (::chown((root + "/tmp").c_str(), order.user, order.user) != 0) {
    return FailErrno("the store's folder", errno);
  }
  if (::chdir(root.c_str()) != 0 || ::syscall(SYS_pivot_root, ".", "old") != 0 ||
      ::umount2("/old", MNT_DETACH) != 0 || ::chdir("/") != 0) {
    return FailErrno("the store's root", errno);
  }
  return {};
}

Result<> DropRights(uint32_t user) {
  const rlimit files{kMaxFiles, kMaxFiles};
  const rlimit none{0, 0};
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
      ::setresuid(user, user, user) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::setrlimit(RLIMIT_NOFILE, &files) != 0 || ::setrlimit(RLIMIT_CORE, &none) != 0 ||
      ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return FailErrno("the store's user", errno);
  }
  return {};
}

[[noreturn]] void Execute(const std::vector<std::string>& command,
                          const std::vector<std::string>& environment) {
  std::vector<char*> argv;
  std::vector<char*> envp;
  argv.reserve(command.size() + 1);
  envp.reserve(environment.size() + 1);
  for (const std::string& item : command) argv.push_back(const_cast<char*>(item.c_str()));
  for (const std::string& item : environment) envp.push_back(const_cast<char*>(item.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

std::vector<std::string> Environment(const JailOrder& order) {
  std::vector<std::string> out =
      store::JuicefsEnvironment({order.access_key, &order.secret_key}, "/tmp", /*alone=*/true);
  for (std::string& item : out) {
    if (item.starts_with("PATH=")) item = "PATH=/bin";
  }
  out.insert(out.end(), {"GOMEMLIMIT=512MiB", "GOGC=50"});
  return out;
}

// Process 1 of the jail.
Result<> Serve(const JailOrder& order, const std::vector<std::string>& environment) {
  TRY(DropRights(order.user));
  const std::string metadata = "sqlite3:///tmp/metadata.db";
  const pid_t loader = ::fork();
  if (loader < 0) return FailErrno("fork", errno);
  if (loader == 0) {
    ::close(kHandedFd);
    Execute({"/bin/juicefs", "--no-agent", "load", metadata, "/tmp/metadata.json"}, environment);
  }
  int status = 0;
  while (::waitpid(loader, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return Fail("store.not_mounted", "the volume's metadata could not be loaded");
  Execute(store::JuicefsMountCommand({.program = "/bin/juicefs",
                                      .metadata = metadata,
                                      .mountpoint = "/store",
                                      .bucket = order.bucket,
                                      .read_only = true}),
          environment);
}

Result<int> RunJail() {
  ASSIGN_OR_RETURN(const JailOrder order, ReadJailOrder(kJailOrderFd));
  if (::dup2(kJailFuseFd, kHandedFd) < 0 || ::close(kJailOrderFd) != 0 ||
      ::close(kJailFuseFd) != 0) {
    return FailErrno("the jail's descriptors", errno);
  }
  TRY(EnterRoot(order));
  // Made before the fork: secrets are left out of forked children.
  const std::vector<std::string> environment = Environment(order);
  const pid_t child = ::fork();
  if (child < 0) return FailErrno("fork", errno);
  if (child == 0) {
    const Result<> served = Serve(order, environment);
    LogError(LogLevel::kError, "store.jail_failed", served.error());
    ::_exit(1);
  }
  ::close(kHandedFd);  // the mount ends with the client
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string EncodeJailOrder(const JailOrder& order) {
  return ToJson(json::object{{"program", order.program},
                             {"mountpoint", order.mountpoint},
                             {"bucket", order.bucket},
                             {"user", order.user},
                             {"access_key", order.access_key},
                             {"secret_key", AsText(order.secret_key.Expose())},
                             {"metadata", order.metadata}});
}

int RunStoreJail() {
  StartLog("store-jail", LogLevel::kInfo);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Result<int> ended = RunJail();
  if (ended) return *ended;
  LogError(LogLevel::kError, "store.jail_failed", ended.error());
  return 1;
}

bool IsFusermount(std::string_view program) {
  return program == "fusermount3" || program.ends_with("/fusermount3");
}

// fusermount3 sends the descriptor of the mount it made through the socket that _FUSE_COMMFD names.
// The mount is there already; asked for its version or to unmount, there is nothing to do.
int RunFusermount(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "-V" || argument == "-u") return 0;
  }
  const char* text = std::getenv("_FUSE_COMMFD");
  int socket = -1;
  if (text == nullptr ||
      std::from_chars(text, text + std::strlen(text), socket).ec != std::errc()) {
    return 1;
  }
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &kHandedFd, sizeof(int));
  return ::sendmsg(socket, &message, 0) == 1 ? 0 : 1;
}

}  // namespace cce::tee_agent
