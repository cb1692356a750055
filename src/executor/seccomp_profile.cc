#include "executor/seccomp_profile.h"

#include <sched.h>
#include <sys/socket.h>

#include <cerrno>

namespace cce::executor {
namespace {

// Every call that changes namespaces, mounts, modules, keys, clocks, other processes' memory or the
// machine is absent, and so are bpf, perf, userfaultfd, io_uring and ptrace.
constexpr std::string_view kAllowed[] = {
    // clang-format off
    "accept", "accept4", "access", "alarm", "arch_prctl", "bind", "brk", "capget", "capset", "chdir", "chmod",
    "chown", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "close_range", "connect",
    "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2",
    "execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir",
    "fchmod", "fchmodat", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fork",
    "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futex", "futex_waitv", "futimesat",
    "get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents", "getdents64", "getegid", "geteuid",
    "getgid", "getgroups", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
    "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt",
    "gettid", "gettimeofday", "getuid", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1",
    "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
    "ioctl", "ioprio_get", "ioprio_set", "kill", "lchown", "lgetxattr", "link", "linkat", "listen", "listxattr",
    "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "madvise", "membarrier", "memfd_create",
    "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock", "mlock2", "mlockall", "mmap", "mprotect",
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "mremap", "msgctl",
    "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap", "name_to_handle_at", "nanosleep",
    "newfstatat", "open", "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe", "pipe2",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll", "prctl", "pread64", "preadv", "preadv2",
    "prlimit64", "process_mrelease", "pselect6", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
    "readlink", "readlinkat", "readv", "recvfrom", "recvmmsg", "recvmsg", "remap_file_pages", "removexattr",
    "rename", "renameat", "renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending",
    "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget", "semop", "semtimedop",
    "sendfile", "sendmmsg", "sendmsg", "sendto", "set_robust_list", "set_thread_area", "set_tid_address",
    "setfsgid", "setfsuid", "setgid", "setgroups", "setitimer", "setpgid", "setpriority", "setregid",
    "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "setsockopt", "setuid", "setxattr", "shmat",
    "shmctl", "shmdt", "shmget", "shutdown", "sigaltstack", "signalfd", "signalfd4", "splice", "stat", "statfs",
    "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill", "time",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create",
    "timerfd_gettime", "timerfd_settime", "times", "tkill", "truncate", "umask", "uname", "unlink", "unlinkat",
    "utime", "utimensat", "utimes", "vfork", "vmsplice", "wait4", "waitid", "write", "writev",
    // clang-format on
};

// Calls that a C library tries first and replaces by an older one at ENOSYS (only there, not at
// EPERM).
constexpr std::string_view kAbsent[] = {"clone3", "fchmodat2", "map_shadow_stack", "mseal"};

json::array Names(std::span<const std::string_view> names) {
  json::array out;
  for (const std::string_view name : names) out.emplace_back(name);
  return out;
}

json::object Rule(json::array names, json::array arguments) {
  return {
      {"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}, {"args", std::move(arguments)}};
}

json::object Argument(unsigned index, uint64_t value, std::string_view op) {
  return {{"index", index}, {"value", value}, {"op", op}};
}

// (argument & mask) == 0
json::object NoneOf(unsigned index, uint64_t mask) {
  return {{"index", index}, {"value", mask}, {"valueTwo", 0}, {"op", "SCMP_CMP_MASKED_EQ"}};
}

}  // namespace

std::span<const std::string_view> PlainAllowedCalls() { return kAllowed; }

json::object SeccompProfile() {
  json::array rules;
  rules.push_back(Rule(Names(kAllowed), {}));
  for (const uint64_t family : {AF_UNIX, AF_INET, AF_INET6}) {
    // Equal in all 64 bits, though the kernel looks at 32: the narrower test.
    rules.push_back(Rule({"socket"}, {Argument(0, family, "SCMP_CMP_EQ")}));
  }
  rules.push_back(Rule({"socketpair"}, {Argument(0, AF_UNIX, "SCMP_CMP_EQ")}));
  constexpr uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  rules.push_back(Rule({"clone"}, {NoneOf(0, kNamespaces)}));
  // The persona of ordinary programs; without ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC.
  for (const uint64_t persona : {uint64_t{0}, uint64_t{0xffffffff}}) {
    rules.push_back(Rule({"personality"}, {Argument(0, persona, "SCMP_CMP_EQ")}));
  }
  rules.push_back(
      json::object{{"names", Names(kAbsent)}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"defaultErrnoRet", EPERM},
          {"architectures", json::array{"SCMP_ARCH_X86_64"}},
          {"syscalls", std::move(rules)}};
}

}  // namespace cce::executor
