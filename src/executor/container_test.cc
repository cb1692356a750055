// Real containers from a real registry: each control of design section 6 has its negative here.
// Needs root.
#include "executor/container.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "executor/output.h"
#include "executor/testing/local_registry.h"

namespace cce::executor {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string ProbePath() {
  return fs::read_symlink("/proc/self/exe").parent_path().string() + "/executor_probe";
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

class ContainerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (geteuid() != 0) return;
    auto registry = LocalRegistry::Start(ProbePath());
    ASSERT_TRUE(registry) << FormatError(registry.error()) << registry.error().detail;
    registry_ = new LocalRegistry(std::move(*registry));
    char name[] = "/tmp/cce-container-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    ASSERT_EQ(chmod(name, 0711), 0);
    auto image = PullImage(Request("image"));
    ASSERT_TRUE(image) << FormatError(image.error()) << image.error().detail;
    image_ = new Image(std::move(*image));
  }
  static void TearDownTestSuite() {
    delete image_;
    image_ = nullptr;
    delete registry_;
    registry_ = nullptr;
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_NE(image_, nullptr);
  }

  static ImageRequest Request(const std::string& name) {
    return {.registry = registry_->address(),
            .repository = "test/probe",
            .digest = registry_->digest(),
            .work_folder = folder_ + "/" + name,
            .limits = {.max_compressed = 64 << 20, .max_unpacked = 64 << 20},
            .ids = Ids(),
            .tools = HostTools()};
  }
  static IdRange Ids() { return {.first = 500'000, .count = 65536}; }

  static ContainerSpec Spec(std::vector<std::string> command) {
    ContainerSpec spec;
    spec.id = "test-" + std::to_string(getpid()) + "-" + std::to_string(++count_);
    spec.rootfs = image_->rootfs;
    spec.work_folder = folder_ + "/job-" + std::to_string(count_);
    spec.config = image_->config;
    spec.command = std::move(command);
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.disk_bytes = 4 << 20;
    spec.limits.pids = 32;
    spec.limits.time = milliseconds(20'000);
    spec.ids = Ids();
    spec.tools = HostTools();
    return spec;
  }
  static ContainerSpec Shell(const std::string& script) { return Spec({"/bin/sh", "-c", script}); }
  static ContainerOutcome Run(const ContainerSpec& spec) {
    auto outcome = RunContainer(spec);
    EXPECT_TRUE(outcome) << FormatError(outcome.error()) << outcome.error().detail;
    return outcome ? std::move(*outcome) : ContainerOutcome{};
  }
  static std::string Out(const ContainerOutcome& outcome) {
    return std::string(AsText(outcome.stdout_bytes));
  }

  static LocalRegistry* registry_;
  static Image* image_;
  static std::string folder_;
  static int count_;
};

LocalRegistry* ContainerTest::registry_ = nullptr;
Image* ContainerTest::image_ = nullptr;
std::string ContainerTest::folder_;
int ContainerTest::count_ = 0;

TEST_F(ContainerTest, ReadsTheImagesConfiguration) {
  EXPECT_EQ(image_->config.entrypoint, std::vector<std::string>{"/bin/probe"});
  EXPECT_EQ(image_->config.user, "ann");
  EXPECT_GT(image_->compressed_bytes, 0u);
  struct stat info{};
  ASSERT_EQ(stat((image_->rootfs + "/bin/busybox").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, Ids().first);
}

TEST_F(ContainerTest, HasOnlyLoopbackAndNoSocketsAround) {
  const auto outcome = Run(Spec({}));  // the image's own command
  EXPECT_EQ(Out(outcome),
            "unix ok\ninet ok\ninet6 ok\nvsock EPERM\nvsock-wide EPERM\nnetlink EPERM\npacket "
            "EPERM\nalg EPERM\nio_uring EPERM\negress ENETUNREACH\n");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(Out(Run(Shell("ls /sys/class/net"))), "lo\n");
}

TEST_F(ContainerTest, RefusesDangerousCalls) {
  EXPECT_EQ(Out(Run(Spec({"/bin/probe", "calls"}))),
            "unshare-user EPERM\nmount EPERM\nptrace EPERM\nkeyctl EPERM\nbpf EPERM\nclone3 "
            "ENOSYS\nclone-newuser EPERM\nsetuid EPERM\ni386 SYS\nx32 SYS\n");
}

TEST_F(ContainerTest, HasNoCapabilitiesAndItsOwnUser) {
  const std::string out =
      Out(Run(Shell("id; cat /proc/self/status /proc/self/uid_map /proc/self/cgroup; echo $$")));
  EXPECT_TRUE(Contains(out, "uid=1000"));
  for (const char* line :
       {"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
        "500000"}) {
    EXPECT_TRUE(Contains(out, line)) << line << "\n" << out;
  }
  EXPECT_FALSE(Contains(out, "cce-"));  // its cgroup is its root
  EXPECT_TRUE(out.ends_with("\n1\n"));  // its first process is number 1
}

TEST_F(ContainerTest, WritesOnlyWhereItMay) {
  fs::create_directories(folder_ + "/dataset");
  std::ofstream(folder_ + "/dataset/table.csv") << "1\n";
  ContainerSpec spec = Shell(
      "for f in /x /etc/x /data/x /data/trial/x /proc/sys/kernel/hostname /sys/x /dev/x /output/x "
      "/tmp/x /dev/shm/x; do if touch $f 2>/dev/null; then echo yes $f; else echo no $f; fi; done; "
      "cat /data/trial/table.csv");
  spec.config.user = "";  // root of the container, the harder case
  spec.datasets = {{"trial", folder_ + "/dataset"}};
  const std::string out = Out(Run(spec));
  EXPECT_EQ(out,
            "no /x\nno /etc/x\nno /data/x\nno /data/trial/x\nno /proc/sys/kernel/hostname\nno "
            "/sys/x\nyes /dev/x\nyes /output/x\nyes /tmp/x\nyes /dev/shm/x\n1\n");
}

TEST_F(ContainerTest, SeesNothingOfItsCaller) {
  ASSERT_EQ(setenv("CCE_SECRET_OF_AGENT", "1", 1), 0);
  const int leak = fcntl(STDERR_FILENO, F_DUPFD, 40);
  const std::string out =
      Out(Run(Shell("env; ls /proc/self/fd; ls /proc; ls /run /opt 2>&1; cat "
                    "/proc/1/mounts")));
  close(leak);
  unsetenv("CCE_SECRET_OF_AGENT");
  EXPECT_TRUE(Contains(out, "FROM_IMAGE=yes"));
  EXPECT_FALSE(Contains(out, "CCE_SECRET_OF_AGENT"));
  EXPECT_FALSE(Contains(out, "\n40\n"));
  EXPECT_FALSE(Contains(out, "\n" + std::to_string(getpid()) + "\n"));
  EXPECT_FALSE(Contains(out, "/dev/vda /etc"));
  EXPECT_FALSE(Contains(out, "docker-registry"));
}

TEST_F(ContainerTest, LimitsProcesses) {
  const auto outcome = Run(Spec({"/bin/probe", "forks"}));
  const std::string out = Out(outcome);
  ASSERT_TRUE(out.starts_with("forks ")) << out;
  EXPECT_LT(std::stoi(out.substr(6)), 32);
}

TEST_F(ContainerTest, LimitsMemory) {
  const auto outcome = Run(Spec({"/bin/probe", "memory"}));
  EXPECT_EQ(outcome.reason, EndReason::kMemoryLimit);
  EXPECT_EQ(outcome.exit_code, 137);
}

TEST_F(ContainerTest, LimitsTime) {
  ContainerSpec spec = Shell("echo begun; probe wait");
  spec.limits.time = milliseconds(700);
  const auto outcome = Run(spec);
  EXPECT_EQ(outcome.reason, EndReason::kTimeLimit);
  EXPECT_LT(outcome.run_time, milliseconds(5000));
  EXPECT_EQ(Out(outcome), "begun\n");
}

TEST_F(ContainerTest, StopsAtOnceWhenToldTo) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  ContainerSpec spec = Shell("echo begun; probe wait");
  spec.stop_fds = {reader.get()};
  // Before its first process is there, and after.
  for (const int pause : {0, 700}) {
    std::jthread closer([&] {
      std::this_thread::sleep_for(milliseconds(pause));
      writer.Reset();
    });
    const auto outcome = Run(spec);
    EXPECT_EQ(outcome.reason, EndReason::kStopped);
    EXPECT_LT(outcome.run_time, milliseconds(5000));
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    reader = UniqueFd(fds[0]);
    writer = UniqueFd(fds[1]);
    spec = Shell("echo begun; probe wait");
    spec.stop_fds = {reader.get()};
  }
}

TEST_F(ContainerTest, LimitsDisk) {
  const auto outcome = Run(Shell("dd if=/dev/zero of=/output/big bs=1M count=16"));
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_LE(fs::file_size(outcome.output_folder + "/big"), uint64_t{4} << 20);
}

TEST_F(ContainerTest, BoundsWhatItPrints) {
  ContainerSpec spec = Shell("yes | head -c 1000000; echo done >&2");
  spec.limits.stream_bytes = 1000;
  const auto outcome = Run(spec);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.stdout_bytes.size(), 1000u);
  EXPECT_TRUE(outcome.stdout_cut);
  EXPECT_EQ(AsText(outcome.stderr_bytes), "done\n");
}

TEST_F(ContainerTest, ReportsHowItEnded) {
  auto outcome = Run(Shell("exit 7"));
  EXPECT_EQ(outcome.reason, EndReason::kExited);
  EXPECT_EQ(outcome.exit_code, 7);
  const int64_t now = SystemClock().NowMillis();
  EXPECT_GT(outcome.first_instruction_ms, now - 5000);
  EXPECT_LE(outcome.first_instruction_ms, now);

  auto missing = RunContainer(Spec({"/bin/absent"}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "container.start_failed");
  EXPECT_TRUE(Contains(missing.error().detail, "absent")) << missing.error().detail;
}

TEST_F(ContainerTest, LeavesNothingBehind) {
  const ContainerSpec spec = Shell("sleep 30 & sleep 30 & echo x > /output/x");
  {
    const auto outcome = Run(spec);
  }
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    EXPECT_FALSE(Contains(line, spec.work_folder)) << line;
  }
  for (const auto& tree : fs::directory_iterator("/sys/fs/cgroup")) {
    EXPECT_FALSE(fs::exists(tree.path() / ("cce-" + spec.id))) << tree.path();
  }
  EXPECT_TRUE(fs::is_empty(spec.work_folder + "/state"));
}

TEST_F(ContainerTest, LinksInTheOutputAreNotFollowed) {
  auto outcome =
      Run(Shell("ln -s /etc/passwd /output/secret; ln -s / /output/all; "
                "mkdir /output/d; echo 1 > /output/d/f"));
  Bytes tar;
  auto summary = CollectOutput({.folder = outcome.output_folder}, [&](ByteView bytes) -> Result<> {
    Append(tar, bytes);
    return {};
  });
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->omitted.size(), 2u);
  EXPECT_FALSE(Contains(AsText(tar), "root:x:0:0:root:/root"));
}

TEST_F(ContainerTest, RefusesAnotherDigest) {
  ImageRequest request = Request("other");
  request.digest = "sha256:" + std::string(64, '0');
  auto image = PullImage(request);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, "image.pull_failed");
}

TEST_F(ContainerTest, RefusesAnImageThatFillsTheDisk) {
  ImageRequest request = Request("small");
  request.limits.max_compressed = 8 << 20;
  request.limits.max_unpacked = 64 << 10;
  auto image = PullImage(request);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, "image.too_large") << image.error().detail;
  EXPECT_NE(umount((request.work_folder + "/rootfs").c_str()), 0);  // nothing stays mounted
}

// A registry that serves other bytes than its names promise.
TEST_F(ContainerTest, RefusesABlobThatWasSwapped) {
  const fs::path blob = registry_->folder() + "/data/docker/registry/v2/blobs/sha256/" +
                        registry_->digest().substr(7, 2) + "/" + registry_->digest().substr(7) +
                        "/data";
  ASSERT_TRUE(fs::exists(blob));
  const auto original = ReadFile(blob.string(), 1 << 20);
  ASSERT_TRUE(original);
  Bytes changed = *original;
  changed.push_back('\n');
  ASSERT_TRUE(WriteFileAtomic(blob.string(), changed));
  auto image = PullImage(Request("swapped"));
  ASSERT_TRUE(WriteFileAtomic(blob.string(), *original));
  ASSERT_FALSE(image);
  EXPECT_TRUE(image.error().code == "image.digest_mismatch" ||
              image.error().code == "image.pull_failed")
      << image.error().code;
}

}  // namespace
}  // namespace cce::executor
