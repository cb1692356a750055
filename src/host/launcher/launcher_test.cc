// The launcher as cced meets it: HTTPS with mutual TLS, real machines, real relays. Needs root.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "crypto/p256.h"
#include "host/launcher/config.h"
#include "host/launcher/machines.h"
#include "host/launcher/routes.h"
#include "host/testing/chip_double.h"
#include "net/http_client.h"

namespace cce::launcher {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string BuildFolder() {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path().string();
}

// What a target of the relay hears: everything until the end of one connection.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string Hear() {
    UniqueFd connection(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const auto bytes = ReadToEnd(connection.get(), 64 << 10);
    return bytes ? std::string(AsText(*bytes)) : bytes.error().code;
  }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
};

class LauncherTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/cce-launcher-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    ASSERT_EQ(chmod(name, 0711), 0);
    chip_ = std::make_unique<ChipDouble>(folder_ + "/chip");
    client_key_.emplace(*crypto::P256PrivateKey::Generate());
    server_key_.emplace(*crypto::P256PrivateKey::Generate());
    WriteConfig();
    auto config = LoadLauncherConfig(folder_ + "/launcher.toml");
    ASSERT_TRUE(config) << FormatError(config.error());
    config_ = *config;
    auto provider = MakeProcessProvider(config_.process);
    ASSERT_TRUE(provider) << FormatError(provider.error());
    machines_ = std::make_unique<Machines>(config_, std::move(*provider));
    auto server = net::HttpServer::Start({.address = "127.0.0.1",
                                          .tls_key = &*server_key_,
                                          .tls_subject = "cvm-launcher",
                                          .allowed_clients = config_.clients},
                                         MakeRoutes(*machines_));
    ASSERT_TRUE(server) << FormatError(server.error());
    server_ = std::move(*server);
    request_.id.fill(0xab);
    request_.provider = "process";
    request_.launch_document = ToBytes(std::string_view("tunnel"));
    request_.names = {"cced"};
    request_.memory_mib = 256;
  }
  void TearDown() override {
    server_.reset();
    machines_.reset();
    chip_.reset();
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  void WriteConfig() {
    const std::string bin = BuildFolder() + "/bin/";
    std::ofstream(folder_ + "/launcher.toml")
        << "port = 0\ninstance = \"test" << getpid() << "\"\ntls_key_file = \"" << folder_
        << "/tls.key\"\nclients = [\"" << ToHex(*net::SpkiSha256(*client_key_))
        << "\"]\nstate_folder = \"" << folder_ << "/state\"\n[limits]\nmemory_mib = 512\n"
        << "[relay]\nprogram = \"" << bin << "cvm-relay\"\n[relay.targets]\ncced = \""
        << cced_.address() << "\"\nregistry = \"" << registry_.address()
        << "\"\n[process]\nprogram = \"" << bin << "cvm-machine\"\nchip_socket = \""
        << chip_->socket_path() << "\"\ntee_agent = \"" << BuildFolder()
        << "/tests/tunnel_probe\"\ndecrypt_fs = \"/bin/true\"\nskopeo = \"/bin/true\"\n"
        << "umoci = \"/bin/true\"\n";
  }

  std::unique_ptr<net::HttpClient> Client(const crypto::P256PrivateKey* key) {
    auto client =
        net::HttpClient::New({.base_url = "https://127.0.0.1:" + std::to_string(server_->port()),
                              .pinned_spki_sha256 = {*net::SpkiSha256(*server_key_)},
                              .client_key = key,
                              .total_timeout = milliseconds(20'000)});
    EXPECT_TRUE(client);
    return std::move(*client);
  }
  // The state and reason, or the error's code.
  std::string Call(const std::string& method, const std::string& path, std::string body = {}) {
    auto response = Client(&*client_key_)
                        ->SendOk({.method = method,
                                  .path = path,
                                  .headers = {{"content-type", "application/json"}},
                                  .body = ToBytes(body)});
    if (!response) return response.error().code;
    const auto state = protocol::ReadMachineState(AsText(response->body));
    if (!state) return state.error().message;
    return state->state + (state->reason.empty() ? "" : " " + state->reason);
  }
  std::string Post() {
    return Call("POST", "/v1/machines", ToJson(protocol::ToJsonObject(request_)));
  }
  // This process's one child of that name.
  static void ExpectAnUnprivilegedRelay() {
    bool found = false;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const auto status = ReadTextFile(entry.path().string() + "/status", 64 << 10);
      if (!status || !status->starts_with("Name:\tcvm-relay\n") ||
          status->find("\nPPid:\t" + std::to_string(getpid()) + "\n") == std::string::npos) {
        continue;
      }
      found = true;
      for (const char* line : {"\nUid:\t65534\t65534\t65534\t65534\n", "\nNoNewPrivs:\t1\n",
                               "\nSeccomp:\t2\n", "\nCapEff:\t0000000000000000\n"}) {
        EXPECT_NE(status->find(line), std::string::npos) << line << *status;
      }
    }
    EXPECT_TRUE(found);
  }
  std::string Path() const { return "/v1/machines/" + ToHex(request_.id); }

  std::string folder_;
  std::unique_ptr<ChipDouble> chip_;
  Listener cced_;
  Listener registry_;
  std::optional<crypto::P256PrivateKey> client_key_;
  std::optional<crypto::P256PrivateKey> server_key_;
  LauncherConfig config_;
  std::unique_ptr<Machines> machines_;
  std::unique_ptr<net::HttpServer> server_;
  protocol::MachineRequest request_;
};

TEST_F(LauncherTest, StartsAMachineThatReachesOnlyWhatItsJobAllows) {
  ASSERT_EQ(Post(), "running");
  // `registry` has a target but is not on the job's list; the guest says what became of each.
  EXPECT_EQ(cced_.Hear(), "launch tunnel\nregistry channel.refused\nelsewhere channel.refused\n");
  ExpectAnUnprivilegedRelay();
  EXPECT_EQ(Call("GET", Path()), "running");
  EXPECT_EQ(Call("POST", Path() + "/lease", "{}"), "running");
  EXPECT_EQ(Post(), "running");  // the same id: nothing new
  EXPECT_EQ(machines_->Running(), 1u);
  EXPECT_EQ(Call("DELETE", Path()), "ended deleted");
  EXPECT_EQ(Call("GET", Path()), "ended deleted");
  EXPECT_EQ(Call("POST", Path() + "/lease", "{}"), "machine.ended");
  EXPECT_EQ(Post(), "ended deleted");
  EXPECT_EQ(machines_->Running(), 0u);
}

TEST_F(LauncherTest, RefusesWhatItsConfigurationDoesNotAllow) {
  request_.memory_mib = 513;
  EXPECT_EQ(Post(), "machine.refused");
  request_.memory_mib = 256;
  request_.names = {"cced", "elsewhere"};
  EXPECT_EQ(Post(), "machine.refused");
  request_.names = {"cced"};
  request_.provider = "qemu";
  EXPECT_EQ(Post(), "machine.refused");
  request_.provider = "process";
  request_.lease_seconds = 301;
  EXPECT_EQ(Post(), "machine.refused");
  EXPECT_EQ(Call("GET", Path()), "machine.not_found");
  EXPECT_EQ(Call("GET", "/v1/machines/xyz"), "machine.not_found");
  EXPECT_EQ(Call("POST", "/v1/machines", "{}"), "input.missing_member");
}

TEST_F(LauncherTest, HearsNobodyElse) {
  const auto other = *crypto::P256PrivateKey::Generate();
  EXPECT_FALSE(Client(&other)->Send({.path = "/v1/health"}));
  EXPECT_FALSE(Client(nullptr)->Send({.path = "/v1/health"}));
  auto health = Client(&*client_key_)->Send({.path = "/v1/health"});
  ASSERT_TRUE(health);
  EXPECT_EQ(AsText(health->body), R"({"status":"ok","machines":0})");
}

TEST_F(LauncherTest, AFailedStartStaysFailed) {
  chip_.reset();  // nobody measures
  EXPECT_EQ(Post(), "internal.unavailable");
  EXPECT_EQ(Post(), "internal.unavailable");
  EXPECT_EQ(Call("GET", Path()), "ended failed");
}

TEST(LauncherConfigTest, TheExampleIsValid) {
  auto config = LoadLauncherConfig(CCE_EXAMPLES "/launcher.toml");
  ASSERT_TRUE(config) << FormatError(config.error());
  EXPECT_EQ(config->port, 7443);
  EXPECT_EQ(config->relay_targets.at("cced"), "127.0.0.1:8443");
}

TEST(LauncherConfigTest, RefusesMistakes) {
  const auto example = ReadTextFile(CCE_EXAMPLES "/launcher.toml", 1 << 20);
  ASSERT_TRUE(example);
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string text = *example;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const std::string path = "/tmp/cce-launcher-" + std::to_string(getpid()) + ".toml";
    std::ofstream(path) << text;
    auto config = LoadLauncherConfig(path);
    fs::remove(path);
    return !config && config.error().code == "config.invalid";
  };
  EXPECT_TRUE(refused("max_machines = 8", "max_machine = 8"));
  EXPECT_TRUE(refused("port = 7443", "port = 70000"));
  EXPECT_TRUE(refused("cced = \"127.0.0.1:8443\"", "cced = \"127.0.0.1\""));
  EXPECT_TRUE(refused("cced = ", "CCED = "));
  EXPECT_TRUE(refused("clients = [\"00", "clients = [\"zz"));
  EXPECT_TRUE(refused("instance = \"launcher\"", "instance = \"../x\""));
  EXPECT_TRUE(refused("state_folder = \"/run", "state_folder = \"run"));
  EXPECT_TRUE(refused("first_id = 300000", "first_id = 0"));
  EXPECT_TRUE(refused("first_id = 300000", "first_id = 4000000000\nids_per_machine = 16000000 #"));
}

}  // namespace
}  // namespace cce::launcher
