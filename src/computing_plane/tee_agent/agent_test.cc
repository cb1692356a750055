// Whole jobs: real channel, TLS, decrypt-fs, registry and container; cced and chip are stand-ins.
// Needs root.
#include "computing_plane/tee_agent/agent.h"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "computing_plane/tee_agent/test_world.h"
#include "dataset/dataset_fixture.h"
#include "executor/testing/local_registry.h"
#include "store/directory_store.h"

namespace cce::tee_agent {
namespace {

namespace fs = std::filesystem;
using protocol::Outcome;

// This process's children of that name.
std::vector<pid_t> ChildrenNamed(std::string_view name) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto stat = ReadTextFile(entry.path().string() + "/stat", 4096);
    const std::string mark = "(" + std::string(name) + ") ";  // then its state and its parent
    const size_t at = stat ? stat->find(mark) : std::string::npos;
    if (at == std::string::npos) continue;
    if (std::stoi(stat->substr(at + mark.size() + 2)) != ::getpid()) continue;
    out.push_back(std::stoi(entry.path().filename().string()));
  }
  return out;
}

bool Contains(ByteView bytes, std::string_view text) {
  return AsText(bytes).find(text) != std::string_view::npos;
}

class AgentTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::geteuid() != 0) return;
    const std::string probe =
        fs::read_symlink("/proc/self/exe").parent_path().string() + "/executor_probe";
    registry_ = new executor::LocalRegistry(Must(executor::LocalRegistry::Start(probe)));
  }
  static void TearDownTestSuite() { delete registry_; }

  void SetUp() override {
    if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "needs root and /dev/fuse";
    }
    data_.Write("table.csv", AsBytes("id,value\n1,42\n"));
    data_.Write("other.csv", dataset::Noise(300'000, 3));
    store_ = Must(store::DirectoryStore::Open(store_folder_.path()));
    const auto snapshot = Must(dataset::UploadFolder(
        *store_, data_.path(), {.pack_target = 200'000, .piece_size = dataset::kDigestSpan}));
    job_.spec.datasets = {{.dataset = dataset::kTestDataset, .snapshot = snapshot.snapshot}};
    job_.spec.image_digest = registry_->digest();
    Command("cat /data/0x*/table.csv > /output/copy.csv; echo done");
    folder_ = "/tmp/cce-agent-XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    ASSERT_EQ(::chmod(folder_.c_str(), 0711), 0);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Command(const std::string& script) { job_.spec.command = {"/bin/sh", "-c", script}; }

  std::string Run(FakeCced::Faults faults = {}) {
    cced_ = std::make_unique<FakeCced>(job_, store_.get());
    cced_->faults = faults;
    const std::string address = registry_->address();
    FakeRelay relay(*cced_,
                    static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    relay.Send(cced_->Launch());
    relay.Serve();
    Agent agent({.folder = folder_ + "/run",
                 .decrypt_fs = DECRYPT_FS_PROGRAM,
                 .tools = executor::HostTools(),
                 .ids = {.first = 500'000, .count = 65'536},
                 .retry = {.attempts = 4, .first_pause = std::chrono::milliseconds(1)}},
                attester_);
    const Result<> done = agent.Run(std::move(relay.guest));
    if (!done) message_ = FormatError(done.error()) + done.error().detail;
    return CodeOf(done);
  }

  static executor::LocalRegistry* registry_;
  EchoAttester attester_;
  dataset::TestFolder data_;
  dataset::TestFolder store_folder_;
  std::unique_ptr<store::DirectoryStore> store_;
  FakeJob job_;
  std::unique_ptr<FakeCced> cced_;
  std::string folder_;
  std::string message_;
};

executor::LocalRegistry* AgentTest::registry_ = nullptr;

TEST_F(AgentTest, RunsAJob) {
  ASSERT_EQ(Run(), "ok") << message_;
  ASSERT_TRUE(cced_->header);
  EXPECT_EQ(cced_->header->outcome, Outcome::kSucceeded);
  EXPECT_FALSE(cced_->end);
  const Bytes tar = cced_->OpenResult();
  EXPECT_TRUE(Contains(tar, "copy.csv"));
  EXPECT_TRUE(Contains(tar, "id,value\n1,42\n"));
  EXPECT_TRUE(Contains(tar, "done\n"));
  std::vector<std::string> names;
  for (const auto& stage : cced_->header->stages) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"attest", "keys", "mount", "pull", "container", "run",
                                             "collect"}));
  EXPECT_GE(cced_->fetched.size(), 2u);
}

TEST_F(AgentTest, FetchesOnlyWhatIsDeclared) {
  job_.spec.datasets[0].files = {"table.csv"};
  Command("cat /data/0x*/table.csv; cat /data/0x*/other.csv > /dev/null || echo denied");
  ASSERT_EQ(Run(), "ok") << message_;
  EXPECT_TRUE(Contains(cced_->OpenResult(), "1,42\ndenied\n"));
  EXPECT_EQ(cced_->fetched.size(), 2u);
}

TEST_F(AgentTest, HandsInAFailedContainersOutput) {
  Command("echo why; exit 3");
  ASSERT_EQ(Run(), "ok") << message_;
  EXPECT_EQ(cced_->header->outcome, Outcome::kContainerFailed);
  EXPECT_TRUE(Contains(cced_->OpenResult(), "why\n"));
}

TEST_F(AgentTest, TellsAPassedLimit) {
  job_.spec.limits.seconds = 1;
  Command("sleep 60");
  ASSERT_EQ(Run(), "ok") << message_;
  EXPECT_EQ(cced_->header->outcome, Outcome::kLimitExceeded);
}

TEST_F(AgentTest, GivesTheContainerNothingOfItsOwn) {
  Command("env; echo fds: $(ls /proc/self/fd); ls / /run 2>/dev/null; cat /proc/self/mountinfo");
  ASSERT_EQ(Run(), "ok") << message_;
  const Bytes tar = cced_->OpenResult();
  EXPECT_TRUE(Contains(tar, "fds: 0 1 2 3\n"));  // 3 is ls's own
  EXPECT_FALSE(Contains(tar, "channel"));
  EXPECT_FALSE(Contains(tar, "token"));
  EXPECT_FALSE(Contains(tar, folder_));
}

TEST_F(AgentTest, TakesALostAnswerToAResultAsReceived) {
  ASSERT_EQ(Run({.lost_results = 1}), "ok") << message_;
  EXPECT_EQ(cced_->results, 1);
  EXPECT_FALSE(cced_->end);
}

TEST_F(AgentTest, EndsOverDamagedData) {
  EXPECT_EQ(Run({.flip_objects = true}), "dataset.corrupt");
  ASSERT_TRUE(cced_->end);
  EXPECT_EQ(cced_->end->outcome, Outcome::kDataUnusable);
  EXPECT_EQ(cced_->end->code, "dataset.corrupt");
  EXPECT_NE(cced_->end->detail, "");
  EXPECT_EQ(cced_->results, 0);
}

TEST_F(AgentTest, StopsAtOnceWhenItsDataAreGone) {
  job_.spec.limits.seconds = 60;
  Command("cat /data/0x*/table.csv > /output/begun; while true; do sleep 1; done");
  std::jthread killer([this](const std::stop_token& stop) {
    const std::string begun = folder_ + "/run/job/scratch/output/begun";
    while (!stop.stop_requested() && !fs::exists(begun)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    for (const pid_t pid : ChildrenNamed("decrypt-fs")) ::kill(pid, SIGKILL);
  });
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(Run(), "mount.crashed") << message_;
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  EXPECT_NE(message_.find("signal 9"), std::string::npos) << message_;
  ASSERT_TRUE(cced_->end);
  EXPECT_EQ(cced_->end->outcome, Outcome::kDataUnusable);
  EXPECT_EQ(cced_->end->code, "mount.crashed");
  EXPECT_EQ(cced_->end->detail, "");
  EXPECT_EQ(cced_->results, 0);
}

TEST_F(AgentTest, EndsOverAnImageThatIsNotThere) {
  job_.spec.image_digest = "sha256:" + std::string(64, '1');
  EXPECT_EQ(Run(), "image.pull_failed");
  ASSERT_TRUE(cced_->end);
  EXPECT_EQ(cced_->end->outcome, Outcome::kImageUnusable);
}

TEST_F(AgentTest, SendsNoDetailOnceTheContainerRan) {
  Command(
      "mkdir -p /output/$(yes secret-path | head -c 200 | tr '\\n' '/'); dd if=/dev/zero "
      "of=/output/sparse bs=1 count=1 seek=200000000");
  EXPECT_TRUE(Run().starts_with("output.")) << message_;
  ASSERT_TRUE(cced_->end);
  EXPECT_EQ(cced_->end->outcome, Outcome::kLimitExceeded);
  EXPECT_EQ(cced_->end->detail, "");
}

TEST_F(AgentTest, LeavesARefusalOfKeysToCced) {
  EXPECT_EQ(Run({.refuse_keys = true}), "evidence.measurement");
  EXPECT_FALSE(cced_->end);
}

TEST_F(AgentTest, LeavesNothingBehind) {
  ASSERT_EQ(Run(), "ok") << message_;
  EXPECT_FALSE(Contains(Must(ReadFile("/proc/self/mounts", 1 << 20)), folder_));
}

}  // namespace
}  // namespace cce::tee_agent
