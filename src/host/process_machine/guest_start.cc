#include "host/process_machine/guest_start.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "host/process_machine/guest_root.h"

namespace cce::process_machine {
namespace {

constexpr int kStreamFd = 3;
constexpr size_t kMaxFailure = 4096;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<> WriteFile(const std::string& path, const std::string& text) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) < 0) {
    return FailErrno("writing " + path, errno);
  }
  return {};
}

// The steps of the child, between its clone and the agent's first instruction.
class Child {
 public:
  Child(const MachinePlan& plan, GuestFiles& files, int go) : plan_(plan), files_(files), go_(go) {}

  // Returns only where a step failed.
  Result<> Run() {
    TRY(AwaitGo());  // this process has its control groups and its ids
    TRY(BecomeRoot());
    if (unshare(CLONE_NEWCGROUP) != 0) return FailErrno("a control group namespace", errno);
    if (sethostname("cvm", 3) != 0) return FailErrno("sethostname", errno);
    TRY(StartLoopback());
    const std::vector<std::string> controllers = V1Controllers();
    TRY(EnterGuestRoot(plan_, controllers, files_.tools));
    if (controllers.empty()) TRY(LeaveTopGroup());
    TRY(TieToParent());
    TRY(FilterSockets());
    return Execute();
  }

 private:
  Result<> AwaitGo() {
    uint8_t byte = 0;
    return ReadExact(go_, {&byte, 1});
  }

  static Result<> BecomeRoot() {
    if (setgroups(0, nullptr) != 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) {
      return FailErrno("becoming the guest's root", errno);
    }
    return {};
  }

  // In the v2 tree only a group without processes of its own hands its controllers on.
  static Result<> LeaveTopGroup() {
    const std::string leaf = "/sys/fs/cgroup/agent";
    if (mkdir(leaf.c_str(), 0755) != 0) return FailErrno("making " + leaf, errno);
    TRY(WriteFile(leaf + "/cgroup.procs", "0"));
    return WriteFile("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpu");
  }

  // After the change of ids, which clears the setting.
  Result<> TieToParent() {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return FailErrno("PR_SET_PDEATHSIG", errno);
    // The parent holds the pipe's other end until the agent runs: a hang-up says that it is gone
    // already.
    pollfd parent{go_, POLLIN, 0};
    if (poll(&parent, 1, 0) != 0) return Fail("machine.ended", "the parent is gone");
    return {};
  }

  // A CVM has no network card. The namespace sees to that for the internet families; some others
  // have no namespace (AF_VSOCK), and io_uring would go round the filter.
  static Result<> FilterSockets() {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int bad = filter == nullptr ? -ENOMEM : 0;
    for (unsigned family = 0; bad == 0 && family <= AF_MAX; ++family) {
      if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) {
        continue;
      }
      const scmp_arg_cmp argument{
          .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xffffffff, .datum_b = family};
      bad = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &argument);
    }
    if (bad == 0) {
      bad = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    }
    // The filter needs no no_new_privs here: this process is root of its namespace.
    if (bad == 0) bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (bad == 0) bad = seccomp_load(filter);
    if (filter != nullptr) seccomp_release(filter);
    if (bad != 0) return FailErrno("the socket filter", -bad);
    return {};
  }

  Result<> Execute() {
    UniqueFd none(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!none.valid()) return FailErrno("opening /dev/null", errno);
    const int out = files_.log.valid() ? files_.log.get() : none.get();
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    umask(022);
    setsid();
    // All of ours stand above 3 (StartGuest sees to it), so that none is overwritten.
    if (dup2(none.get(), 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        dup2(files_.stream.get(), kStreamFd) < 0 ||
        close_range(kStreamFd + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
      return FailErrno("setting descriptors", errno);
    }
    sigset_t none_blocked;
    sigemptyset(&none_blocked);
    sigprocmask(SIG_SETMASK, &none_blocked, nullptr);
    char name[] = "tee-agent";
    char* const argv[] = {name, nullptr};
    char* const envp[] = {nullptr};
    syscall(SYS_execveat, files_.agent.get(), "", argv, envp, AT_EMPTY_PATH);
    return FailErrno("executing the agent", errno);
  }

  const MachinePlan& plan_;
  GuestFiles& files_;
  int go_;
};

[[noreturn]] void RunChild(const MachinePlan& plan, GuestFiles& files, int go, int failure) {
  const Result<> result = Child(plan, files, go).Run();
  const std::string text =
      result ? "ended early" : result.error().message + ": " + result.error().found;
  (void)!write(failure, text.data(), std::min(text.size(), kMaxFailure));
  _exit(1);
}

Result<> MapIds(pid_t pid, const MachinePlan& plan) {
  const std::string map =
      "0 " + std::to_string(plan.first_id) + " " + std::to_string(plan.id_count) + "\n";
  const std::string folder = "/proc/" + std::to_string(pid);
  TRY(WriteFile(folder + "/uid_map", map));
  return WriteFile(folder + "/gid_map", map);
}

// Above the numbers that the agent gets.
Result<> MoveUp(UniqueFd& fd) {
  if (!fd.valid() || fd.get() > kStreamFd) return {};
  UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, kStreamFd + 1));
  if (!copy.valid()) return FailErrno("copying a descriptor", errno);
  fd = std::move(copy);
  return {};
}

// Gives the child what only its parent can, then waits for the execve (the pipe closes) or a
// failure's text.
Result<> Launch(const MachinePlan& plan, const Cgroups& cgroups, pid_t pid, const UniqueFd& go,
                const UniqueFd& failure) {
  TRY(cgroups.Add(pid));
  TRY(MapIds(pid, plan));
  const uint8_t byte = 1;
  TRY(WriteAll(go.get(), {&byte, 1}));
  ASSIGN_OR_RETURN(const Bytes text, ReadToEnd(failure.get(), kMaxFailure));
  if (text.empty()) return {};
  return Fail(MakeError("machine.start_failed", "the guest could not be started")
                  .Detail(std::string(AsText(text))));
}

}  // namespace

Result<Guest> StartGuest(const MachinePlan& plan, const Cgroups& cgroups, GuestFiles files) {
  TRY(MoveUp(files.stream));
  TRY(MoveUp(files.agent));
  TRY(MoveUp(files.log));
  ASSIGN_OR_RETURN(Pipe go, MakePipe());
  ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
               CLONE_NEWUTS | CLONE_NEWNET;
  args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return FailErrno("starting a process in new namespaces", errno);
  if (pid == 0) {
    go.write_end.Reset();
    RunChild(plan, files, go.read_end.get(), failure.write_end.get());
  }
  Guest guest{.pid = static_cast<pid_t>(pid), .pidfd = UniqueFd(pidfd)};
  go.read_end.Reset();
  failure.write_end.Reset();
  if (auto launched = Launch(plan, cgroups, guest.pid, go.write_end, failure.read_end); !launched) {
    kill(guest.pid, SIGKILL);
    waitpid(guest.pid, nullptr, 0);
    return Fail(std::move(launched).error());
  }
  return guest;
}

}  // namespace cce::process_machine
