#include "sim/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "net/http_client.h"
#include "protocol/simulated_chip.h"
#include "sim/attest_support.h"
#include "tsm/attester.h"

// The program itself, driven as a launcher would.
namespace cce::sim {
namespace {

bool CanMount() { return geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0; }

bool IsMounted(const std::string& path) {
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    if (line.find(" " + path + " ") != std::string::npos) return true;
  }
  return false;
}

class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), TSM_SIM_PROGRAM);
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    out_ = UniqueFd(ends[0]);
    const UniqueFd in(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.get(), 1);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() { End(SIGKILL); }
  // The first line of its output; empty where it ended without one.
  std::string FirstLine() {
    std::string line;
    for (char c = 0; read(out_.get(), &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  // The exit status, -1 for a death by signal.
  int End(int signal_number) {
    if (pid_ <= 0) return -1;
    kill(pid_, signal_number);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd out_;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!CanMount()) {
      if (getenv("CI") != nullptr) FAIL() << "mounting needs root and /dev/fuse";
      GTEST_SKIP() << "mounting needs root and /dev/fuse";
    }
    ASSERT_TRUE(WriteFileAtomic(At("agent"), AsBytes("agent")));
    ASSERT_TRUE(WriteFileAtomic(At("launch"), AsBytes("{}")));
  }
  void TearDown() override {
    // What a killed program left, so that the folder can be removed.
    if (std::filesystem::exists(At("run"))) {
      for (const auto& entry : std::filesystem::directory_iterator(At("run"))) {
        umount2(entry.path().c_str(), MNT_DETACH);
      }
    }
  }
  std::string At(const std::string& name) const { return folder_.path() + "/" + name; }
  std::vector<std::string> Arguments() const {
    return {"serve", "--state", At("state"), "--socket", At("chip.sock"), "--run", At("run")};
  }
  Result<protocol::ChipGuest> Create(const std::string& defect = "",
                                     const std::string& tee = "tdx") {
    const UniqueFd agent(open(At("agent").c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd launch(open(At("launch").c_str(), O_RDONLY | O_CLOEXEC));
    const int fds[] = {agent.get(), launch.get()};
    return protocol::CreateChipGuest(At("chip.sock"),
                                     {.tee = tee,
                                      .guest = "process",
                                      .roles = {"tee-agent", "launch-document"},
                                      .defect = defect},
                                     fds);
  }
  static Result<Bytes> Quote(const std::string& front) {
    const std::string report = front + "/report/t";
    if (mkdir(report.c_str(), 0700) != 0) return FailErrno(report, errno);
    UniqueFd fd(open((report + "/inblob").c_str(), O_WRONLY | O_CLOEXEC));
    TRY(WriteAll(fd.get(), Bytes(64, 0x5A)));
    fd.Reset();
    return ReadFile(report + "/outblob", 1 << 20);
  }

  TestFolder folder_;
};

TEST_F(ServerTest, AMachineFromFilesToQuote) {
  Program program(Arguments());
  ASSERT_NE(program.FirstLine().find("\"ready\":true"), std::string::npos);
  struct stat info{};
  ASSERT_EQ(stat(At("chip.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  auto guest = Create();
  ASSERT_TRUE(guest) << FormatError(guest.error());
  ASSERT_EQ(guest->files.size(), 2u);
  Bytes copy(5);
  ASSERT_EQ(pread(guest->files[0].get(), copy.data(), 5, 0), 5);
  EXPECT_EQ(AsText(copy), "agent");
  EXPECT_EQ(write(guest->files[0].get(), "x", 1), -1);
  EXPECT_EQ(guest->measurement.mrconfigid, crypto::Sha384(AsBytes("{}")));

  const auto quote = Quote(guest->front);
  ASSERT_TRUE(quote) << FormatError(quote.error());
  EXPECT_TRUE(Equal(ByteView(*quote).subspan(184, 48), guest->measurement.mrtd));
  EXPECT_TRUE(Equal(ByteView(*quote).subspan(232, 48), guest->measurement.mrconfigid));
  EXPECT_EQ((*quote)[568], 0x5A);
  EXPECT_EQ(program.End(SIGTERM), 0);
  EXPECT_FALSE(IsMounted(guest->front));
  EXPECT_FALSE(std::filesystem::exists(guest->front));
  EXPECT_FALSE(std::filesystem::exists(At("chip.sock")));
}

// From files to a verdict by the engine's own reader, client and verifier.
TEST_F(ServerTest, AnSnpMachineWithItsCollateralService) {
  const SnpChip known = OpenTestSnpChip(At("state"), "Milan");
  auto arguments = Arguments();
  arguments.insert(arguments.end(), {"--collateral-port", "0"});
  Program program(arguments);
  const auto ready = ParseJson(program.FirstLine());
  ASSERT_TRUE(ready) << FormatError(ready.error());
  const auto client =
      net::HttpClient::New({.base_url = std::string(ready->at("collateral").as_string())});
  ASSERT_TRUE(client) << FormatError(client.error());
  const auto crl = (*client)->Get("/vcek/v1/Milan/crl");
  ASSERT_TRUE(crl) << FormatError(crl.error());

  const auto guest = Create("", "snp");
  ASSERT_TRUE(guest) << FormatError(guest.error());
  EXPECT_EQ(guest->measurement.host_data, crypto::Sha256(AsBytes("{}")));
  const auto evidence = tsm::NewConfigfsAttester(guest->front)->Attest(TestReportData());
  ASSERT_TRUE(evidence) << FormatError(evidence.error());
  EXPECT_EQ(evidence->provider, "sev_guest");
  attest::Policy policy = TestPolicy(attest::Tee::kSnp, known.ark());
  policy.measurements[0].launch_digest = guest->measurement.launch_digest;
  attest::ExpectedBinding binding(TestReportData());
  binding.host_data = guest->measurement.host_data;
  const attest::SnpCollateral collateral{
      .vek = {}, .ask = known.ask(), .ark = known.ark(), .crl = crl->body};
  EXPECT_EQ(FirstFailure(attest::VerifyBytes(evidence->Whole(), {.snp = collateral}, policy,
                                             SystemClock().Now(), binding)),
            "accepted");
  EXPECT_EQ(program.End(SIGTERM), 0);
}

TEST_F(ServerTest, TheFrontEndsWithTheConnection) {
  Program program(Arguments());
  program.FirstLine();
  auto first = Create();
  auto second = Create();
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->front, second->front);
  const UniqueFd held(open((first->front + "/report").c_str(), O_RDONLY | O_DIRECTORY));
  // The other side closes its end only after the front is gone.
  shutdown(first->connection.get(), SHUT_WR);
  char byte = 0;
  EXPECT_EQ(recv(first->connection.get(), &byte, 1, 0), 0);
  EXPECT_FALSE(IsMounted(first->front));
  EXPECT_FALSE(std::filesystem::exists(first->front));
  EXPECT_TRUE(Quote(second->front));
}

TEST_F(ServerTest, RefusesWithReason) {
  Program program(Arguments());
  program.FirstLine();
  const auto defect = Create("no-such-defect");
  ASSERT_FALSE(defect);
  EXPECT_EQ(defect.error().code, "chip.refused");
  const UniqueFd agent(open(At("agent").c_str(), O_RDONLY | O_CLOEXEC));
  const int fds[] = {agent.get()};
  for (const protocol::ChipCreate& create : std::vector<protocol::ChipCreate>{
           {.guest = "process", .roles = {"decrypt-fs"}, .defect = ""},
           {.guest = "toaster", .roles = {"tee-agent"}, .defect = ""},
           {.guest = "process", .roles = {"tee-agent", "launch-document"}, .defect = ""},
       }) {
    const auto refused = protocol::CreateChipGuest(At("chip.sock"), create, fds);
    ASSERT_FALSE(refused) << create.guest;
    EXPECT_EQ(refused.error().code, "chip.refused");
  }
  EXPECT_TRUE(Create());
}

TEST_F(ServerTest, ClearsWhatAKilledPredecessorLeft) {
  std::string stale;
  {
    Program program(Arguments());
    program.FirstLine();
    auto guest = Create();
    ASSERT_TRUE(guest);
    stale = guest->front;
    program.End(SIGKILL);
    EXPECT_TRUE(IsMounted(stale));
  }
  Program program(Arguments());
  program.FirstLine();
  EXPECT_FALSE(IsMounted(stale));
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(Create());
}

TEST_F(ServerTest, OneChipARunFolder) {
  Program program(Arguments());
  program.FirstLine();
  Program second(Arguments());
  EXPECT_EQ(second.FirstLine(), "");
  EXPECT_EQ(second.End(0), 1);
  EXPECT_TRUE(Create());
}

TEST_F(ServerTest, PermanentFrontOfAHostProcess) {
  const std::string mount = At("cced-tsm");
  const std::vector<std::string> arguments = {"serve",   "--state", At("state"),
                                              "--front", "cced",    "--mount",
                                              mount,     "--file",  "cced=" + At("agent")};
  {
    Program program(arguments);
    const auto ready = ParseJson(program.FirstLine());
    ASSERT_TRUE(ready);
    const auto quote = Quote(mount);
    ASSERT_TRUE(quote) << FormatError(quote.error());
    EXPECT_EQ(ToHex(ByteView(*quote).subspan(184, 48)),
              ready->at("front").at("measurement").at("mrtd").as_string());
    program.End(SIGKILL);
  }
  Program program(arguments);  // over the stale mount
  program.FirstLine();
  EXPECT_TRUE(Quote(mount));
  EXPECT_EQ(program.End(SIGTERM), 0);
  EXPECT_FALSE(IsMounted(mount));
}

}  // namespace
}  // namespace cce::sim
