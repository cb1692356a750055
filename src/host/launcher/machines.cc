#include "host/launcher/machines.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "base/subprocess.h"
#include "channel/launch_message.h"
#include "host/relay/relay_order.h"

namespace cce::launcher {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxEntries = 1024;
constexpr milliseconds kEndWait{15'000};

milliseconds Seconds(uint32_t seconds) { return milliseconds(int64_t{seconds} * 1000); }

struct Stream {
  UniqueFd guest;
  UniqueFd host;
};

Result<Stream> MakeStream() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return FailErrno("socketpair", errno);
  }
  return Stream{UniqueFd(pair[0]), UniqueFd(pair[1])};
}

// Its end comes with the stream's, or with this object.
Result<Subprocess> StartRelay(const LauncherConfig& config, const protocol::MachineRequest& request,
                              const UniqueFd& stream) {
  const std::string order = relay::EncodeRelayOrder({.machine = ToHex(request.id),
                                                     .targets = config.relay_targets,
                                                     .allowed = request.names,
                                                     .user_id = config.relay_user_id});
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  // A pipe takes 4 KiB at the least at once; were the order ever more than fits, this fails and
  // does not hang.
  fcntl(writer.get(), F_SETFL, O_NONBLOCK);
  TRY(WriteAll(writer.get(), AsBytes(order)));
  return Subprocess::Start({config.relay_program},
                           {.fds = {reader.get(), -1, STDERR_FILENO, stream.get()}});
}

}  // namespace

struct Machines::Entry {
  explicit Entry(const protocol::MachineRequest& request)
      : id(request.id), lease(Seconds(request.lease_seconds)) {}

  ~Entry() {
    if (machine) machine->End();
    if (follower.joinable()) follower.join();
  }

  // Sees the machine to its end, so that its relay goes when it goes.
  void Follow() {
    follower = std::thread([this] {
      const EndText end = machine->Wait(milliseconds(-1)).value_or("failed");
      Log(LogLevel::kInfo, "machine.ended", {{"machine", ToHex(id)}, {"reason", end}});
      const std::lock_guard lock(mutex);
      relay.reset();
    });
  }

  const ByteArray<16> id;
  const milliseconds lease;
  uint64_t number = 0;  // in the order of starts

  std::mutex mutex;  // held while it starts, so that a repeat waits for the outcome
  std::unique_ptr<Machine> machine;
  std::optional<Subprocess> relay;
  std::optional<Error> failure;
  std::thread follower;

  // With the mutex held.
  protocol::MachineState State() {
    if (!machine) return {.id = id, .state = "ended", .reason = "failed"};
    const auto end = machine->Wait(milliseconds(0));
    if (!end) return {.id = id, .state = "running"};
    return {.id = id, .state = "ended", .reason = *end};
  }
};

Machines::Machines(const LauncherConfig& config, std::unique_ptr<CvmProvider> provider)
    : config_(config), provider_(std::move(provider)) {}

Machines::~Machines() {
  for (const auto& [id, entry] : entries_) {
    if (entry->machine) entry->machine->End();  // all at once; then each is waited for
  }
}

Result<> Machines::Check(const protocol::MachineRequest& request) const {
  const LauncherConfig::Limits& limits = config_.limits;
  const auto refuse = [](std::string message, std::string expected) {
    return Fail(MakeError("machine.refused", std::move(message)).Expected(std::move(expected)));
  };
  if (request.provider != provider_->Name()) {
    return refuse("another provider than this launcher's", std::string(provider_->Name()));
  }
  if (request.memory_mib > limits.memory_mib || request.cpu_millis > limits.cpu_millis) {
    return refuse("more memory or processor than a machine may have",
                  std::to_string(limits.memory_mib) + " MiB, " + std::to_string(limits.cpu_millis) +
                      " thousandths of a core");
  }
  if (request.deadline_seconds > limits.deadline_seconds ||
      request.lease_seconds > limits.lease_seconds) {
    return refuse("a longer deadline or lease than a machine may have",
                  std::to_string(limits.deadline_seconds) + " s, " +
                      std::to_string(limits.lease_seconds) + " s");
  }
  for (const std::string& name : request.names) {
    if (!config_.relay_targets.contains(name)) {
      return refuse("the relay has no target " + name.substr(0, 32), "a name of [relay.targets]");
    }
  }
  return {};
}

Result<> Machines::Launch(const protocol::MachineRequest& request, Entry& entry) {
  ASSIGN_OR_RETURN(Stream stream, MakeStream());
  // Fits the socket's buffer: it is there before the guest is.
  TRY(channel::SendLaunchDocument(stream.host.get(), request.launch_document));
  const MachineSpec spec{.id = ToHex(request.id),
                         .launch_document = request.launch_document,
                         .memory_mib = request.memory_mib,
                         .cpu_millis = request.cpu_millis,
                         .deadline = Seconds(request.deadline_seconds),
                         .lease = entry.lease};
  ASSIGN_OR_RETURN(entry.machine, provider_->Start(spec, std::move(stream.guest)));
  auto relay = StartRelay(config_, request, stream.host);
  if (!relay) {
    entry.machine.reset();
    return Fail(std::move(relay).error());
  }
  entry.relay.emplace(std::move(*relay));
  entry.Follow();
  return {};
}

Result<protocol::MachineState> Machines::Start(const protocol::MachineRequest& request) {
  TRY(Check(request));
  auto entry = std::make_shared<Entry>(request);
  std::unique_lock starting(entry->mutex);
  {
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = entries_.try_emplace(request.id, entry);
    if (!fresh) {
      starting.unlock();
      entry = at->second;
    } else {
      entry->number = ++started_;
    }
  }
  if (!starting.owns_lock()) {
    const std::lock_guard repeat(entry->mutex);
    if (entry->failure) return Fail(*entry->failure);
    return entry->State();
  }
  Forget();
  auto launched = Launch(request, *entry);
  if (!launched) {
    entry->failure = launched.error();
    LogError(LogLevel::kError, "machine.failed", launched.error(), {{"machine", ToHex(entry->id)}});
    return Fail(std::move(launched).error());
  }
  Log(LogLevel::kInfo, "machine.started",
      {{"machine", ToHex(entry->id)}, {"provider", std::string(provider_->Name())}});
  return entry->State();
}

std::shared_ptr<Machines::Entry> Machines::Lookup(const ByteArray<16>& id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  return at == entries_.end() ? nullptr : at->second;
}

namespace {
Unexpected NotFound() { return Fail("machine.not_found", "the launcher has no such machine"); }
}  // namespace

Result<protocol::MachineState> Machines::Find(const ByteArray<16>& id) {
  const auto entry = Lookup(id);
  if (!entry) return NotFound();
  const std::lock_guard lock(entry->mutex);
  return entry->State();
}

Result<protocol::MachineState> Machines::RenewLease(const ByteArray<16>& id) {
  const auto entry = Lookup(id);
  if (!entry) return NotFound();
  const std::lock_guard lock(entry->mutex);
  if (!entry->machine) return Fail("machine.ended", "the machine has ended");
  TRY(entry->machine->RenewLease(entry->lease));
  return entry->State();
}

Result<protocol::MachineState> Machines::End(const ByteArray<16>& id) {
  const auto entry = Lookup(id);
  if (!entry) return NotFound();
  const std::lock_guard lock(entry->mutex);
  if (entry->machine) {
    entry->machine->End();
    entry->machine->Wait(kEndWait);
  }
  return entry->State();
}

size_t Machines::Running() {
  std::vector<std::shared_ptr<Entry>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) all.push_back(entry);
  }
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [](const auto& entry) {
    std::unique_lock lock(entry->mutex, std::try_to_lock);
    return !lock.owns_lock() || entry->State().state == "running";  // held: it is starting
  }));
}

void Machines::Forget() {
  const std::lock_guard lock(mutex_);
  while (entries_.size() > kMaxEntries) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      const std::unique_lock held(at->second->mutex, std::try_to_lock);
      if (!held.owns_lock() || at->second->State().state == "running") continue;
      if (oldest == entries_.end() || at->second->number < oldest->second->number) oldest = at;
    }
    if (oldest == entries_.end()) return;
    entries_.erase(oldest);
  }
}

}  // namespace cce::launcher
