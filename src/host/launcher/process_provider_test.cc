// Machines of the process provider for real: what a guest can see and do, and that nothing of it
// stays. Needs root.
#include "host/launcher/process_provider.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/subprocess.h"
#include "channel/launch_message.h"
#include "host/testing/chip_double.h"

namespace cce::launcher {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string TestProgram(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path().string() + "/" + name;
}

std::string BuiltProgram(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path().string() + "/bin/" + name;
}

class ProcessProviderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/cce-machine-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    ASSERT_EQ(chmod(name, 0711), 0);
    chip_ = std::make_unique<ChipDouble>(folder_ + "/chip");
    config_ = {.instance = "test" + std::to_string(getpid()),
               .state_folder = folder_ + "/state",
               .machine_program = BuiltProgram("cvm-machine"),
               .chip_socket = chip_->socket_path(),
               .tee_agent = TestProgram("machine_probe"),
               .decrypt_fs = "/bin/true",
               .runc = "/usr/sbin/runc",
               .skopeo = "/bin/true",
               .umoci = "/bin/true",
               .max_machines = 2};
    Provide();
  }
  void TearDown() override {
    machine_.reset();
    provider_.reset();
    chip_.reset();
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  void Provide() {
    auto provider = MakeProcessProvider(config_);
    ASSERT_TRUE(provider) << FormatError(provider.error());
    provider_ = std::move(*provider);
  }

  std::string Start(const std::string& order, MachineSpec spec = {}) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    host_ = UniqueFd(pair[0]);
    UniqueFd guest(pair[1]);
    EXPECT_TRUE(channel::SendLaunchDocument(host_.get(), AsBytes(order)));
    if (spec.id.empty()) spec.id = "00ff";
    spec.launch_document = ToBytes(order);
    spec.memory_mib = 256;
    auto machine = provider_->Start(spec, std::move(guest));
    if (!machine) return machine.error().code + " " + machine.error().detail;
    machine_ = std::move(*machine);
    return "ok";
  }
  // Until the NUL, or the end.
  std::string Read() {
    std::string out;
    char c = 0;
    while (read(host_.get(), &c, 1) == 1 && c != 0) out += c;
    return out;
  }
  bool Ended() {  // the guest's side of the stream is gone
    char c = 0;
    return read(host_.get(), &c, 1) == 0;
  }
  int CgroupsLeft() {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(
             "/sys/fs/cgroup", fs::directory_options::skip_permission_denied)) {
      count += entry.path().filename().string().starts_with("cce-" + config_.instance);
    }
    return count;
  }

  std::string folder_;
  std::unique_ptr<ChipDouble> chip_;
  ProcessProviderConfig config_;
  std::unique_ptr<CvmProvider> provider_;
  std::unique_ptr<Machine> machine_;
  UniqueFd host_;
};

TEST_F(ProcessProviderTest, TheGuestSeesNothingOfTheHost) {
  ASSERT_EQ(setenv("CCE_HOST_SECRET", "1", 1), 0);
  ASSERT_EQ(Start("report"), "ok");
  unsetenv("CCE_HOST_SECRET");
  const std::string report = Read();
  const auto has = [&](const std::string& line) {
    EXPECT_NE(report.find("\n" + line + "\n"), std::string::npos) << line << "\nin\n" << report;
  };
  EXPECT_TRUE(report.starts_with("argc 1 tee-agent\n")) << report;
  has("env none");
  has("fds 0=/dev/nul 1=/dev/nul 2=/dev/nul 3=socket:[ ");
  has("pid 1 uid 0");
  EXPECT_NE(report.find("300000     131072"), std::string::npos);
  has("cgroup own");
  has("net lo");
  has("write-root EROFS");
  has("write-usr EROFS");
  has("write-usr-again EROFS");  // even after an attempt to mount it anew
  has("write-run ok");
  has("fuse ok");
  has("vda ENOENT");
  has("vsock EPERM");
  has("egress ENETUNREACH");
  has("hostname cvm");
  has("tsm report");
  has("host-run sys");
  for (const char* hidden : {" /home", " /root", " /var", " /work", "/host", "/tmp/cce-machine"}) {
    EXPECT_EQ(report.find(hidden), std::string::npos) << hidden << "\nin\n" << report;
  }
  EXPECT_EQ(machine_->Wait(milliseconds(10'000)), "exited");
  EXPECT_EQ(chip_->roles(), (std::vector<std::string>{"tee-agent", "decrypt-fs", "runc", "skopeo",
                                                      "umoci", "launch-document"}));
}

TEST_F(ProcessProviderTest, NothingStaysAfterItsEnd) {
  ASSERT_EQ(Start("fork"), "ok");
  Read();
  EXPECT_EQ(machine_->Wait(milliseconds(10'000)), "exited");
  EXPECT_TRUE(Ended());  // the forked child held the stream, too
  EXPECT_EQ(CgroupsLeft(), 0);
}

TEST_F(ProcessProviderTest, EndsAtItsDeadline) {
  ASSERT_EQ(Start("wait", {.deadline = milliseconds(300)}), "ok");
  Read();
  EXPECT_EQ(machine_->Wait(milliseconds(10'000)), "deadline");
  EXPECT_TRUE(Ended());
  EXPECT_EQ(CgroupsLeft(), 0);
  EXPECT_EQ(machine_->RenewLease(milliseconds(1000)).error().code, "machine.ended");
}

TEST_F(ProcessProviderTest, EndsWhenItsLeaseIsNotRenewed) {
  ASSERT_EQ(Start("wait", {.lease = milliseconds(400)}), "ok");
  Read();
  ASSERT_TRUE(machine_->RenewLease(milliseconds(900)));
  EXPECT_FALSE(machine_->Wait(milliseconds(600)));  // beyond the first lease
  EXPECT_EQ(machine_->Wait(milliseconds(10'000)), "lease");
}

TEST_F(ProcessProviderTest, EndsOnRequest) {
  ASSERT_EQ(Start("wait"), "ok");
  Read();
  EXPECT_GT(CgroupsLeft(), 0);
  machine_->End();
  EXPECT_EQ(machine_->Wait(milliseconds(10'000)), "deleted");
  EXPECT_TRUE(Ended());
  EXPECT_EQ(CgroupsLeft(), 0);
}

TEST_F(ProcessProviderTest, LimitsMemory) {
  ASSERT_EQ(Start("memory"), "ok");
  EXPECT_TRUE(Ended());
  EXPECT_EQ(machine_->Wait(milliseconds(20'000)), "exited");
}

TEST_F(ProcessProviderTest, WhatTheGuestPrintsReachesNobody) {
  config_.agent_log_folder = folder_ + "/logs";  // but for development
  Provide();
  ASSERT_EQ(Start("print"), "ok");
  Read();
  machine_->Wait(milliseconds(10'000));
  std::ifstream log(folder_ + "/logs/00ff.log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "a secret on standard output");
}

TEST_F(ProcessProviderTest, BoundsTheNumberOfMachines) {
  ASSERT_EQ(Start("wait", {.id = "01"}), "ok");
  auto first = std::move(machine_);
  const UniqueFd first_host = std::move(host_);
  ASSERT_EQ(Start("wait", {.id = "02"}), "ok");
  auto second = std::move(machine_);
  const UniqueFd second_host = std::move(host_);
  EXPECT_TRUE(Start("wait", {.id = "03"}).starts_with("machine.full"));
  first.reset();
  EXPECT_EQ(Start("wait", {.id = "03"}), "ok");
}

TEST_F(ProcessProviderTest, ReportsAnAgentThatCannotRun) {
  std::ofstream(folder_ + "/not-a-program") << "text";
  config_.tee_agent = folder_ + "/not-a-program";
  Provide();
  EXPECT_TRUE(Start("x").starts_with("machine.start_failed"));
  EXPECT_EQ(CgroupsLeft(), 0);
}

TEST_F(ProcessProviderTest, EndsWithItsLauncherAndLeavesNothing) {
  // A launcher in a process of its own that dies without a word.
  ASSERT_EQ(Start("wait", {.id = "0a"}), "ok");
  Read();
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  host_ = UniqueFd(pair[0]);
  const pid_t launcher = fork();
  if (launcher == 0) {
    (void)channel::SendLaunchDocument(host_.get(), AsBytes("wait"));
    MachineSpec spec{.id = "0b", .launch_document = ToBytes(std::string_view("wait"))};
    auto machine = provider_->Start(spec, UniqueFd(pair[1]));
    if (!machine) _exit(1);
    pause();
  }
  close(pair[1]);
  Read();  // the guest is there
  kill(launcher, SIGKILL);
  EXPECT_TRUE(Ended());
  machine_.reset();
  provider_.reset();
  Provide();  // removes what the dead one left
  EXPECT_EQ(CgroupsLeft(), 0);
}

// The executor's own test program as the agent: a container inside the guest.
TEST_F(ProcessProviderTest, AContainerRunsInsideTheGuest) {
  config_.tee_agent = TestProgram("executor_guest_probe");
  config_.decrypt_fs = TestProgram("fuse_probe");
  if (!fs::exists(config_.tee_agent)) GTEST_SKIP() << "executor_guest_probe is not built";
  Provide();
  ASSERT_EQ(Start("container", {.deadline = milliseconds(20'000)}), "ok");
  const std::string report = Read();
  EXPECT_TRUE(report.starts_with("exited 0\n")) << report;
  for (const char* line :
       {"net lo\n", "uid 1000\n", "vsock EPERM\n", "root EROFS\n", "data one\n", "fuse from fuse\n",
        "data-write EROFS\n", "output ok\n", "memory_limit 137\n"}) {
    EXPECT_NE(report.find(line), std::string::npos) << line << "in\n" << report;
  }
}

}  // namespace
}  // namespace cce::launcher
