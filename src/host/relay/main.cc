// cvm-relay: the unprivileged child of cvm-launcher that one CVM's stream ends in. It resolves the
// names on the job's list, refuses and logs all others, and sees ciphertext. Standard input: the
// order; descriptor 3: the stream.
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "channel/tunnel_server.h"
#include "host/relay/relay_order.h"

namespace cce::relay {
namespace {

constexpr int kStreamFd = 3;
constexpr size_t kMaxOrder = 64 << 10;
constexpr rlim_t kMaxLog = rlim_t{1} << 30;
constexpr rlim_t kMaxFiles = 256;
constexpr rlim_t kMaxMemory = rlim_t{1} << 30;  // address space

Result<> Limit(int resource, rlim_t most, std::string_view name) {
  const rlimit limit{most, most};
  if (setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) {
    return FailErrno(name, errno);
  }
  return {};
}

// From here on this process can open connections and nothing else of note, whatever the guest makes
// of it.
Result<> DropPrivileges(uint32_t user_id) {
  if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setresgid(user_id, user_id, user_id) != 0 ||
                         setresuid(user_id, user_id, user_id) != 0)) {
    return FailErrno("becoming an unprivileged user", errno);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FailErrno("no_new_privs", errno);
  TRY(Limit(RLIMIT_NOFILE, kMaxFiles, "RLIMIT_NOFILE"));
  TRY(Limit(RLIMIT_AS, kMaxMemory, "RLIMIT_AS"));
  // Room for the log, which may be a file; it opens none of its own.
  TRY(Limit(RLIMIT_FSIZE, kMaxLog, "RLIMIT_FSIZE"));
  return HardenProcess();
}

Result<> ForbidCalls() {
  constexpr int kForbidden[] = {
      SCMP_SYS(execve),
      SCMP_SYS(execveat),
      SCMP_SYS(fork),
      SCMP_SYS(vfork),
      SCMP_SYS(ptrace),
      SCMP_SYS(process_vm_readv),
      SCMP_SYS(process_vm_writev),
      SCMP_SYS(mount),
      SCMP_SYS(umount2),
      SCMP_SYS(unshare),
      SCMP_SYS(setns),
      SCMP_SYS(chroot),
      SCMP_SYS(pivot_root),
      SCMP_SYS(bpf),
      SCMP_SYS(perf_event_open),
      SCMP_SYS(userfaultfd),
      SCMP_SYS(io_uring_setup),
      SCMP_SYS(keyctl),
      SCMP_SYS(add_key),
      SCMP_SYS(request_key),
      SCMP_SYS(unlink),
      SCMP_SYS(unlinkat),
      SCMP_SYS(rename),
      SCMP_SYS(renameat),
      SCMP_SYS(renameat2),
      SCMP_SYS(kill),
      SCMP_SYS(pidfd_open),
  };
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  int bad = filter == nullptr ? -ENOMEM : 0;
  for (const int call : kForbidden) {
    if (bad == 0) bad = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  if (bad == 0) bad = seccomp_load(filter);
  if (filter != nullptr) seccomp_release(filter);
  if (bad != 0) return FailErrno("the system-call filter", -bad);
  return {};
}

std::string_view EventName(channel::TunnelEvent::Kind kind) {
  switch (kind) {
    case channel::TunnelEvent::Kind::kOpened:
      return "relay.opened";
    case channel::TunnelEvent::Kind::kRefused:
      return "relay.refused";
    case channel::TunnelEvent::Kind::kUnreachable:
      return "relay.unreachable";
    case channel::TunnelEvent::Kind::kClosed:
      return "relay.closed";
  }
  return "relay.event";
}

void LogEvent(const std::string& machine, const channel::TunnelEvent& event) {
  using Kind = channel::TunnelEvent::Kind;
  const bool bad = event.kind == Kind::kRefused || event.kind == Kind::kUnreachable;
  Log(bad ? LogLevel::kWarn : LogLevel::kInfo, EventName(event.kind),
      {{"machine", machine},
       {"name", event.name},
       {"reason", event.reason},
       {"from_guest", std::to_string(event.from_guest)},
       {"to_guest", std::to_string(event.to_guest)}});
}

Result<> Serve() {
  UniqueFd stream(kStreamFd);
  fcntl(stream.get(), F_SETFD, FD_CLOEXEC);
  ASSIGN_OR_RETURN(const Bytes text, ReadToEnd(STDIN_FILENO, kMaxOrder));
  ASSIGN_OR_RETURN(const RelayOrder order, DecodeRelayOrder(AsText(text)));
  TRY(DropPrivileges(order.user_id));
  channel::TunnelServerOptions options;
  for (const auto& [name, target_text] : order.targets) {
    ASSIGN_OR_RETURN(const RelayTarget target, ParseRelayTarget(target_text));
    options.targets[name] = {
        .host = target.host, .port = target.port, .unix_path = target.unix_path};
  }
  options.allowed = {order.allowed.begin(), order.allowed.end()};
  options.log = [&order](const channel::TunnelEvent& event) { LogEvent(order.machine, event); };
  channel::TunnelServer server(std::move(stream), std::move(options));  // resolves the names
  TRY(ForbidCalls());
  return server.Run();
}

}  // namespace
}  // namespace cce::relay

int main() {
  cce::StartLog("cvm-relay", cce::LogLevel::kInfo);
  const auto served = cce::relay::Serve();
  if (served) return 0;
  cce::LogError(cce::LogLevel::kError, "relay.ended", served.error());
  return 1;
}
