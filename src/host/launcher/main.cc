// cvm-launcher: starts CVMs on an untrusted host when cced asks, and moves their ciphertext. It
// holds no secret but its own TLS identity, and nobody trusts it.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <iostream>

#include "base/arguments.h"
#include "base/log.h"
#include "host/launcher/config.h"
#include "host/launcher/machines.h"
#include "host/launcher/process_provider.h"
#include "host/launcher/routes.h"
#include "net/http_server.h"
#include "net/tls.h"

namespace cce::launcher {
namespace {

// One launcher a state folder: a second one would take the first one's machines for leftovers.
Result<UniqueFd> LockState(const std::string& folder) {
  TRY(MakeFolders(folder, 0711));
  const std::string path = folder + "/lock";
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return FailErrno("opening " + path, errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail("config.invalid", "another launcher uses the state folder " + folder);
  }
  return fd;
}

Result<> Serve(const LauncherConfig& config) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before any thread: only sigwait below takes them
  signal(SIGPIPE, SIG_IGN);

  ASSIGN_OR_RETURN(const UniqueFd lock, LockState(config.process.state_folder));
  ASSIGN_OR_RETURN(auto provider, MakeProcessProvider(config.process));
  ASSIGN_OR_RETURN(const auto key, net::LoadOrMakeTlsKey(config.tls_key_file));
  ASSIGN_OR_RETURN(const net::SpkiHash spki, net::SpkiSha256(*key));
  Machines machines(config, std::move(provider));
  ASSIGN_OR_RETURN(auto server, net::HttpServer::Start({.address = config.address,
                                                        .port = config.port,
                                                        .tls_key = key.get(),
                                                        .tls_subject = "cvm-launcher",
                                                        .allowed_clients = config.clients},
                                                       MakeRoutes(machines)));
  Log(LogLevel::kInfo, "launcher.ready",
      {{"port", std::to_string(server->port())}, {"spki_sha256", ToHex(spki)}});
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  Log(LogLevel::kInfo, "launcher.stopping", {{"signal", std::to_string(signal_number)}});
  server->Stop();
  return {};
}

Result<> PrintKey(const LauncherConfig& config) {
  ASSIGN_OR_RETURN(const auto key, net::LoadOrMakeTlsKey(config.tls_key_file));
  ASSIGN_OR_RETURN(const net::SpkiHash spki, net::SpkiSha256(*key));
  std::cout << ToHex(spki) << "\n";
  return {};
}

int Main(int argc, char** argv) {
  args::Program app("Starts CVMs on this host for cced");
  std::string path;
  bool check = false;
  bool print_key = false;
  app.AddOption("--config", path, "configuration file (TOML)")->Required();
  app.AddFlag("--check-config", check, "check the configuration and end");
  app.AddFlag("--print-key", print_key,
              "print the SHA-256 of the TLS key's SPKI, for cced to pin, and end");
  if (const auto code = app.Parse(argc, argv)) return *code;
  auto config = LoadLauncherConfig(path);
  if (!config) {
    std::cerr << FormatError(config.error()) << "\n";
    return 2;
  }
  if (check) return 0;
  StartLog("cvm-launcher", config->log_level);
  const auto done = print_key ? PrintKey(*config) : Serve(*config);
  if (done) return 0;
  LogError(LogLevel::kError, "launcher.failed", done.error());
  return 1;
}

}  // namespace
}  // namespace cce::launcher

int main(int argc, char** argv) { return cce::launcher::Main(argc, argv); }
