// The client's settings: config.toml in the configuration folder ($XDG_CONFIG_HOME/cce4long, else
// ~/.config/cce4long), each value of which a global option may override;
// deploy/examples/client.toml shows every member. The folder also holds what the client keeps
// between commands.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "chain/rpc.h"

namespace cce::cli {

// What stands on the command line, the same for every command.
struct GlobalOptions {
  std::string config_folder;
  std::string server;
  std::vector<std::string> chain_endpoints;
  uint64_t chain_id = 0;
  std::string wallet;
  std::string password_file;
  std::string trust;
  bool allow_development = false;
  bool json = false;
  bool yes = false;
};

struct Settings {
  std::string folder;     // absolute
  std::string server;     // "https://host:port", no slash at its end; may be empty
  uint64_t chain_id = 0;  // 0: not set
  std::vector<std::string> chain_endpoints;
  std::string finality = "finalized";
  std::string wallet;  // paths, absolute or relative to the working folder
  std::string trust;
  bool allow_development = false;
  // Of the command line alone.
  std::string password_file;
  bool json = false;
  bool yes = false;
};

// Where settings and state lie without --config-dir. Error: cli.setting (no home folder).
Result<std::string> DefaultConfigFolder();
// The document's members; relative paths are the folder's. Errors: config.invalid.
Result<Settings> ReadSettings(const Document& document, const std::string& folder);
// config.toml, if there is one, under the options. Errors: config.invalid, io.*.
Result<Settings> LoadSettings(const GlobalOptions& options);

// The settings' members that a command cannot do without. Error: cli.setting.
Result<std::string> NeedServer(const Settings& settings);
Result<std::shared_ptr<chain::ChainClient>> NeedChain(const Settings& settings);

// A subfolder of the configuration folder, made (0700) where absent.
Result<std::string> StateFolder(const Settings& settings, std::string_view name);

}  // namespace cce::cli
