// cvm-machine: one machine of the `process` provider, from its start to the removal of its last
// trace. Started by cvm-launcher with a control socket as descriptor 3; it has no arguments. The
// machine ends with its agent, at its deadline, when its lease runs out, and when the launcher is
// gone.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "host/process_machine/cgroups.h"
#include "host/process_machine/guest_root.h"
#include "host/process_machine/guest_start.h"
#include "host/process_machine/plan.h"
#include "protocol/simulated_chip.h"

namespace cce::process_machine {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kControlFd = 3;

struct Order {
  MachinePlan plan;
  GuestFiles files;
  UniqueFd chip;  // open for the machine's life
};

Result<Order> ReceiveOrder(int control) {
  ASSIGN_OR_RETURN(protocol::FdMessage message, protocol::ReceiveFdMessage(control));
  Order order;
  ASSIGN_OR_RETURN(order.plan, DecodePlan(message.text));
  if (message.fds.size() != 3 + order.plan.tools.size()) {
    return Fail("input.malformed", "the plan came with another number of descriptors");
  }
  order.files.stream = std::move(message.fds[0]);
  order.chip = std::move(message.fds[1]);
  order.files.agent = std::move(message.fds[2]);
  for (size_t i = 3; i < message.fds.size(); ++i) {
    order.files.tools.push_back(std::move(message.fds[i]));
  }
  if (!order.plan.agent_log.empty()) {
    order.files.log = UniqueFd(open(order.plan.agent_log.c_str(),
                                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!order.files.log.valid()) return FailErrno("opening " + order.plan.agent_log, errno);
  }
  return order;
}

// Waits for the first reason to end.
Report Supervise(int control, const Guest& guest, const MachinePlan& plan,
                 SteadyClock::time_point start) {
  const SteadyClock::time_point deadline = start + plan.deadline;
  SteadyClock::time_point lease = start + plan.lease;
  while (true) {
    const SteadyClock::time_point now = SteadyClock::now();
    if (now >= deadline) return Report::kDeadline;
    if (now >= lease) return Report::kLease;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(std::min(deadline, lease) - now).count();
    pollfd fds[2] = {{guest.pidfd.get(), POLLIN, 0}, {control, POLLIN, 0}};
    poll(fds, 2, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
    if (fds[0].revents != 0) return Report::kExited;
    if (fds[1].revents == 0) continue;
    const auto message = protocol::ReceiveFdMessage(control);
    if (!message || message->text.empty()) return Report::kDeleted;
    const auto renewal = DecodeLease(message->text);
    if (!renewal) return Report::kDeleted;
    lease = SteadyClock::now() + *renewal;
  }
}

void Send(int control, Report report, const std::string& text = {}) {
  (void)protocol::SendFdMessage(control, EncodeReport({report, text}), {});
}

int Run() {
  UniqueFd control(kControlFd);
  StartLog("cvm-machine", LogLevel::kInfo);
  fcntl(control.get(), F_SETFD, FD_CLOEXEC);
  const SteadyClock::time_point start = SteadyClock::now();
  auto order = ReceiveOrder(control.get());
  if (!order) {
    LogError(LogLevel::kError, "machine.bad_plan", order.error());
    return 1;
  }
  const MachinePlan plan = order->plan;
  auto cgroups = Cgroups::Make(plan.name,
                               {.memory_bytes = uint64_t{plan.memory_mib} << 20,
                                .cpu_millis = plan.cpu_millis,
                                .pids = plan.pids},
                               plan.first_id);
  if (!cgroups) {
    LogError(LogLevel::kError, "machine.start_failed", cgroups.error(), {{"machine", plan.name}});
    Send(control.get(), Report::kFailed, cgroups.error().message);
    return 1;
  }
  auto guest = PrepareHostParts(plan).and_then(
      [&] { return StartGuest(plan, *cgroups, std::move(order->files)); });
  if (!guest) {
    LogError(LogLevel::kError, "machine.start_failed", guest.error(), {{"machine", plan.name}});
    cgroups->Remove();
    Send(control.get(), Report::kFailed, guest.error().message + " " + guest.error().detail);
    return 1;
  }
  Send(control.get(), Report::kRunning);
  const Report end = Supervise(control.get(), *guest, plan, start);
  kill(guest->pid, SIGKILL);  // its first process: the kernel ends all others of its namespace
  waitpid(guest->pid, nullptr, 0);
  cgroups->Remove();
  Send(control.get(), end);
  return 0;
}

}  // namespace
}  // namespace cce::process_machine

int main() { return cce::process_machine::Run(); }
