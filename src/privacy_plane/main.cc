// cced: the Privacy Plane's daemon.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/arguments.h"
#include "base/log.h"
#include "base/secret.h"
#include "privacy_plane/daemon.h"

namespace {

// SIGINT and SIGTERM end the daemon; blocked before any thread starts, so that all threads inherit
// it.
int BlockStopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

int Report(const cce::Error& error) {
  std::fprintf(stderr, "%s\n", cce::FormatError(error).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  cce::args::Program app("cced: the Privacy Plane of cce4long");
  std::string path;
  std::string level = "info";
  bool check = false;
  app.AddOption("--config", path, "configuration file (TOML)")->Required();
  app.AddFlag("--check-config", check,
              "read the configuration, say what is wrong with it, and end");
  bool show_keys = false;
  app.AddFlag(
      "--show-keys", show_keys,
      "print the public keys that the root key gives (it is made where it is missing), and end");
  app.AddOption("--log-level", level, "debug, info, warn or error")
      ->OneOf({"debug", "info", "warn", "error"});
  app.Footer(
      "Example:\n  cced --config /etc/cce4long/cced.toml --check-config\n"
      "  cced --config /etc/cce4long/cced.toml");
  if (const auto code = app.Parse(argc, argv)) return *code;

  cce::Result<cce::privacy_plane::Config> config = cce::privacy_plane::LoadConfig(path);
  if (!config) return Report(config.error());
  if (check) {
    std::printf("%s: good, digest %s\n", path.c_str(), cce::ToHex(config->digest).c_str());
    return 0;
  }
  if (show_keys) {
    const auto keys = cce::privacy_plane::PublicKeys(*config);
    if (!keys) return Report(keys.error());
    std::printf("%s\n", cce::ToJson(*keys).c_str());
    return 0;
  }
  cce::StartLog("cced", level == "debug"  ? cce::LogLevel::kDebug
                        : level == "info" ? cce::LogLevel::kInfo
                        : level == "warn" ? cce::LogLevel::kWarn
                                          : cce::LogLevel::kError);
  if (const auto hardened = cce::HardenProcess(); !hardened) return Report(hardened.error());
  std::signal(SIGPIPE, SIG_IGN);
  const int signals = BlockStopSignals();
  const auto wait = [signals] {
    signalfd_siginfo info;
    while (read(signals, &info, sizeof info) < 0 && errno == EINTR) {
    }
    cce::Log(cce::LogLevel::kInfo, "daemon.stopping");
  };
  if (const auto ended = cce::privacy_plane::RunDaemon(std::move(*config), wait); !ended) {
    cce::LogError(cce::LogLevel::kError, "daemon.refused_to_run", ended.error());
    return Report(ended.error());
  }
  return 0;
}
