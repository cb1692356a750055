#include "host/launcher/process_provider.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/subprocess.h"
#include "host/process_machine/cgroups.h"
#include "host/process_machine/plan.h"
#include "protocol/simulated_chip.h"

namespace cce::launcher {
namespace {

using process_machine::MachinePlan;
using process_machine::Report;
using std::chrono::milliseconds;

constexpr milliseconds kEndGrace{15'000};

// Which ranges of host ids are taken.
class IdSlots {
 public:
  explicit IdSlots(uint32_t count) : count_(count) {}
  Result<uint32_t> Take() {
    const std::lock_guard lock(mutex_);
    for (uint32_t slot = 0; slot < count_; ++slot) {
      if (taken_.insert(slot).second) return slot;
    }
    return Fail(MakeError("machine.full", "the host has no room for another machine")
                    .Expected("at most " + std::to_string(count_) + " machines"));
  }
  void Give(uint32_t slot) {
    const std::lock_guard lock(mutex_);
    taken_.erase(slot);
  }

 private:
  const uint32_t count_;
  std::mutex mutex_;
  std::set<uint32_t> taken_;
};

class SlotHold {
 public:
  SlotHold(std::shared_ptr<IdSlots> slots, uint32_t slot) : slots_(std::move(slots)), slot_(slot) {}
  SlotHold(SlotHold&&) = default;
  SlotHold& operator=(SlotHold&&) = delete;
  ~SlotHold() {
    if (slots_) slots_->Give(slot_);
  }
  uint32_t slot() const { return slot_; }

 private:
  std::shared_ptr<IdSlots> slots_;
  uint32_t slot_;
};

// One cvm-machine process. A thread follows it, so that the end is known and cleaned up whoever
// asks.
class ProcessMachine : public Machine {
 public:
  ProcessMachine(std::string cgroup, Subprocess process, UniqueFd control, SlotHold slot)
      : cgroup_(std::move(cgroup)),
        process_(std::move(process)),
        control_(std::move(control)),
        slot_(std::move(slot)) {
    follower_ = std::thread([this] { Follow(); });
  }

  ~ProcessMachine() override {
    End();
    follower_.join();
  }

  Result<> RenewLease(milliseconds lease) override {
    if (Wait(milliseconds(0))) return Fail("machine.ended", "the machine has ended");
    auto sent = protocol::SendFdMessage(control_.get(), process_machine::EncodeLease(lease), {});
    if (!sent) return Fail("machine.ended", "the machine has ended");
    return {};
  }

  void End() override { shutdown(control_.get(), SHUT_WR); }

  std::optional<EndText> Wait(milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    const auto ended = [this] { return end_.has_value(); };
    if (timeout.count() < 0) {
      changed_.wait(lock, ended);
    } else {
      changed_.wait_for(lock, timeout, ended);
    }
    return end_;
  }

 private:
  void Follow() {
    Report report = Report::kFailed;
    if (const auto message = protocol::ReceiveFdMessage(control_.get()); message) {
      if (const auto read = process_machine::DecodeReport(message->text); read) {
        report = read->report;
      }
    }
    // It reports as its last act; where it died without a word, its guest died with it.
    if (!process_.Wait(kEndGrace)) process_.Signal(SIGKILL);
    process_.Wait(milliseconds(-1));
    process_machine::RemoveCgroups(cgroup_);
    {
      const SlotHold done = std::move(slot_);
    }
    const std::lock_guard lock(mutex_);
    end_ = std::string(process_machine::ReportName(report));
    changed_.notify_all();
  }

  const std::string cgroup_;
  Subprocess process_;
  UniqueFd control_;
  SlotHold slot_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<EndText> end_;
  std::thread follower_;
};

// A memfd with these bytes, to hand over.
Result<UniqueFd> MemoryFile(ByteView bytes) {
  UniqueFd fd(memfd_create("launch-document", MFD_CLOEXEC));
  if (!fd.valid()) return FailErrno("memfd_create", errno);
  TRY(WriteAll(fd.get(), bytes));
  return fd;
}

class ProcessProvider : public CvmProvider {
 public:
  explicit ProcessProvider(ProcessProviderConfig config)
      : config_(std::move(config)), slots_(std::make_shared<IdSlots>(config_.max_machines)) {}

  std::string_view Name() const override { return "process"; }

  Result<> Prepare() {
    TRY(MakeFolders(config_.state_folder, 0711));
    TRY(MakeFolders(MountPoint(), 0711));
    if (!config_.agent_log_folder.empty()) TRY(MakeFolders(config_.agent_log_folder, 0700));
    process_machine::RemoveCgroups(CgroupPrefix());
    return {};
  }

  Result<std::unique_ptr<Machine>> Start(const MachineSpec& spec, UniqueFd stream) override {
    ASSIGN_OR_RETURN(const uint32_t number, slots_->Take());
    SlotHold slot(slots_, number);
    ASSIGN_OR_RETURN(protocol::ChipGuest chip, Measure(spec));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      return FailErrno("socketpair", errno);
    }
    UniqueFd control(pair[0]);
    UniqueFd theirs(pair[1]);
    const MachinePlan plan = Plan(spec, chip, number);
    // Its log lines go where the launcher's go.
    ASSIGN_OR_RETURN(Subprocess process,
                     Subprocess::Start({config_.machine_program},
                                       {.fds = {-1, -1, STDERR_FILENO, theirs.get()}}));
    theirs.Reset();
    std::vector<int> fds = {stream.get(), chip.connection.get(), chip.files[0].get()};
    for (size_t i = 0; i < plan.tools.size(); ++i) fds.push_back(chip.files[i + 1].get());
    TRY(protocol::SendFdMessage(control.get(), process_machine::EncodePlan(plan), fds));
    TRY(AwaitRunning(control.get()));
    return std::make_unique<ProcessMachine>(plan.name, std::move(process), std::move(control),
                                            std::move(slot));
  }

 private:
  std::string CgroupPrefix() const { return "cce-" + config_.instance + "-"; }
  // One for all: each guest mounts on it in its own mount namespace.
  std::string MountPoint() const { return config_.state_folder + "/root"; }

  std::vector<std::string> Tools() const {
    std::vector<std::string> out(std::begin(process_machine::kToolRoles),
                                 std::end(process_machine::kToolRoles));
    if (!config_.juicefs.empty()) out.emplace_back(process_machine::kStoreRole);
    return out;
  }

  Result<protocol::ChipGuest> Measure(const MachineSpec& spec) const {
    std::vector<const std::string*> paths = {&config_.tee_agent, &config_.decrypt_fs, &config_.runc,
                                             &config_.skopeo, &config_.umoci};
    if (!config_.juicefs.empty()) paths.push_back(&config_.juicefs);
    protocol::ChipCreate create{.tee = config_.tee,
                                .guest = "process",
                                .roles = {std::string(process_machine::kAgentRole)},
                                .defect = config_.defect};
    for (std::string& role : Tools()) create.roles.push_back(std::move(role));
    create.roles.emplace_back(protocol::kLaunchDocumentRole);
    std::vector<UniqueFd> files;
    for (const std::string* path : paths) {
      files.emplace_back(open(path->c_str(), O_RDONLY | O_CLOEXEC));
      if (!files.back().valid()) return FailErrno("opening " + *path, errno);
    }
    ASSIGN_OR_RETURN(UniqueFd document, MemoryFile(spec.launch_document));
    files.push_back(std::move(document));
    std::vector<int> fds;
    fds.reserve(files.size());
    for (const UniqueFd& file : files) fds.push_back(file.get());
    return protocol::CreateChipGuest(config_.chip_socket, create, fds);
  }

  MachinePlan Plan(const MachineSpec& spec, const protocol::ChipGuest& chip, uint32_t slot) const {
    MachinePlan plan;
    plan.name = CgroupPrefix() + spec.id;
    plan.front = chip.front;
    plan.mount_point = MountPoint();
    plan.tools = Tools();
    plan.first_id = config_.first_id + slot * config_.ids_per_machine;
    plan.id_count = config_.ids_per_machine;
    plan.memory_mib = spec.memory_mib;
    plan.cpu_millis = spec.cpu_millis;
    plan.pids = config_.pids;
    plan.deadline = spec.deadline;
    plan.lease = spec.lease;
    if (!config_.agent_log_folder.empty()) {
      plan.agent_log = config_.agent_log_folder + "/" + spec.id + ".log";
    }
    return plan;
  }

  static Result<> AwaitRunning(int control) {
    ASSIGN_OR_RETURN(const protocol::FdMessage message, protocol::ReceiveFdMessage(control));
    if (message.text.empty()) return Fail("machine.start_failed", "the machine ended at its start");
    ASSIGN_OR_RETURN(const auto report, process_machine::DecodeReport(message.text));
    if (report.report == Report::kRunning) return {};
    return Fail(MakeError("machine.start_failed", "the machine could not be started")
                    .Detail(report.message));
  }

  const ProcessProviderConfig config_;
  std::shared_ptr<IdSlots> slots_;
};

}  // namespace

Result<std::unique_ptr<CvmProvider>> MakeProcessProvider(ProcessProviderConfig config) {
  auto provider = std::make_unique<ProcessProvider>(std::move(config));
  TRY(provider->Prepare());
  return std::unique_ptr<CvmProvider>(std::move(provider));
}

}  // namespace cce::launcher
