#include "cli/settings.h"

#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace cce::cli {
namespace {

Unexpected Missing(std::string_view member, std::string_view option) {
  return Fail(MakeError("cli.setting", "no " + std::string(member) + " is set")
                  .Next("Set " + std::string(member) + " in config.toml, or give " +
                        std::string(option) + "."));
}

std::string WithoutSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Result<std::string> DefaultConfigFolder() {
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && xdg[0] == '/') {
    return std::string(xdg) + "/cce4long";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return std::string(home) + "/.config/cce4long";
  }
  return Missing("configuration folder", "--config-dir");
}

Result<Settings> ReadSettings(const Document& document, const std::string& folder) {
  Fields f(document);
  const auto path = [&](std::string_view key, std::string_view fallback) {
    const std::string value = f.String(key, {.min = 1, .fallback = std::string(fallback)});
    return value.starts_with('/') ? value : folder + "/" + value;
  };
  Settings s;
  s.folder = folder;
  s.server = WithoutSlash(f.String("server", {.max = 1024, .fallback = ""}));
  s.chain_id = f.Uint("chain_id", {.min = 1, .fallback = 0});
  s.chain_endpoints = f.Strings("chain_endpoints", {.max = 16, .optional = true});
  s.finality = f.String("finality", {.min = 1, .max = 32, .fallback = s.finality});
  s.wallet = path("wallet", "wallet.json");
  s.trust = path("trust", "trust.toml");
  s.allow_development = f.Bool("allow_development", false);
  if (!chain::Finality::Parse(s.finality)) {
    f.Reject("finality", "must be finalized, safe, latest or a number of confirmations");
  }
  TRY(f.Finish());
  return s;
}

Result<Settings> LoadSettings(const GlobalOptions& options) {
  std::string folder = options.config_folder;
  if (folder.empty()) {
    ASSIGN_OR_RETURN(folder, DefaultConfigFolder());
  }
  folder = std::filesystem::absolute(folder).lexically_normal().string();
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  Document document{folder + "/config.toml", {}, {{"", 1}}};
  Result<Document> loaded = LoadToml(document.name);
  if (loaded) {
    document = std::move(*loaded);
  } else if (loaded.error().code != "io.not_found") {
    return Fail(std::move(loaded).error());
  }
  ASSIGN_OR_RETURN(Settings s, ReadSettings(document, folder));
  if (!options.server.empty()) s.server = WithoutSlash(options.server);
  if (!options.chain_endpoints.empty()) s.chain_endpoints = options.chain_endpoints;
  if (options.chain_id != 0) s.chain_id = options.chain_id;
  if (!options.wallet.empty()) s.wallet = options.wallet;
  if (!options.trust.empty()) s.trust = options.trust;
  s.allow_development = s.allow_development || options.allow_development;
  s.password_file = options.password_file;
  s.json = options.json;
  s.yes = options.yes;
  return s;
}

Result<std::string> NeedServer(const Settings& settings) {
  if (settings.server.empty()) return Missing("server", "--server");
  if (!settings.server.starts_with("https://")) {
    return Fail(MakeError("cli.setting", "the server is not reached over TLS")
                    .Expected("https://HOST:PORT")
                    .Found(settings.server));
  }
  return settings.server;
}

Result<std::shared_ptr<chain::ChainClient>> NeedChain(const Settings& settings) {
  if (settings.chain_id == 0) return Missing("chain_id", "--chain-id");
  if (settings.chain_endpoints.empty()) return Missing("chain_endpoints", "--chain-endpoint");
  chain::ChainOptions options;
  options.chain_id = settings.chain_id;
  options.endpoints = settings.chain_endpoints;
  ASSIGN_OR_RETURN(options.finality, chain::Finality::Parse(settings.finality));
  return chain::ChainClient::New(options);
}

Result<std::string> StateFolder(const Settings& settings, std::string_view name) {
  std::string path = settings.folder + "/" + std::string(name);
  // Only what is made here gets its mode: the configuration folder may be the user's own.
  if (!std::filesystem::exists(settings.folder)) TRY(MakeFolders(settings.folder, 0700));
  TRY(MakeFolders(path, 0700));
  return path;
}

}  // namespace cce::cli
