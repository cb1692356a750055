#include "cli/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/test_support.h"

namespace cce::cli {
namespace {

TEST(Settings, ReadsTheExample) {
  const Document document = Must(LoadToml(Example("client.toml")));
  const Settings s = Must(ReadSettings(document, "/home/x/.config/cce4long"));
  EXPECT_EQ(s.server, "https://cced.example:8443");
  EXPECT_EQ(s.chain_id, 31337U);
  EXPECT_EQ(s.chain_endpoints.size(), 2U);
  EXPECT_EQ(s.wallet, "/home/x/.config/cce4long/wallet.json");
  EXPECT_EQ(s.trust, "/home/x/.config/cce4long/trust.toml");
  EXPECT_FALSE(s.allow_development);
}

TEST(Settings, NothingIsRequired) {
  const Settings s = Must(ReadSettings(Must(ParseToml("", "config.toml")), "/c"));
  EXPECT_EQ(s.finality, "finalized");
  EXPECT_EQ(CodeOf(NeedServer(s)), "cli.setting");
  EXPECT_EQ(CodeOf(NeedChain(s)), "cli.setting");
}

TEST(Settings, RefusesWhatItDoesNotKnow) {
  const auto code = [](const char* text) {
    return CodeOf(ReadSettings(Must(ParseToml(text, "config.toml")), "/c"));
  };
  EXPECT_EQ(code("sever = \"https://x\""), "config.invalid");
  EXPECT_EQ(code("chain_id = 0"), "config.invalid");
  EXPECT_EQ(code("chain_id = \"1\""), "config.invalid");
  EXPECT_EQ(code("finality = \"soon\""), "config.invalid");
  EXPECT_EQ(code("wallet = \"\""), "config.invalid");
}

TEST(Settings, OptionsGoBeforeTheFile) {
  const TempFolder folder;
  folder.Write("config.toml",
               "server = \"https://a:1/\"\nchain_id = 1\nchain_endpoints = [\"https://e\"]\n"
               "wallet = \"/abs/w.json\"\n");
  GlobalOptions options{.config_folder = folder.path()};
  Settings s = Must(LoadSettings(options));
  EXPECT_EQ(s.server, "https://a:1");  // without the slash
  EXPECT_EQ(s.wallet, "/abs/w.json");
  EXPECT_EQ(s.trust, folder.path() + "/trust.toml");
  options.server = "https://b:2";
  options.chain_id = 2;
  options.chain_endpoints = {"https://f", "https://g"};
  options.wallet = "here.json";
  options.trust = "t.toml";
  options.allow_development = true;
  s = Must(LoadSettings(options));
  EXPECT_EQ(s.server, "https://b:2");
  EXPECT_EQ(s.chain_id, 2U);
  EXPECT_EQ(s.chain_endpoints.size(), 2U);
  EXPECT_EQ(s.wallet, "here.json");  // the working folder's
  EXPECT_EQ(s.trust, "t.toml");
  EXPECT_TRUE(s.allow_development);
}

TEST(Settings, AFileIsNotNeeded) {
  const TempFolder folder;
  const Settings s = Must(LoadSettings({.config_folder = folder.path() + "/none"}));
  EXPECT_EQ(s.folder, folder.path() + "/none");
  folder.Write("config.toml", "server = ");
  EXPECT_EQ(CodeOf(LoadSettings({.config_folder = folder.path()})), "config.invalid");
}

TEST(Settings, ServersAreReachedOverTlsOnly) {
  Settings s;
  s.server = "http://127.0.0.1:1";
  EXPECT_EQ(CodeOf(NeedServer(s)), "cli.setting");
  s.server = "https://127.0.0.1:1";
  EXPECT_EQ(CodeOf(NeedServer(s)), "ok");
}

TEST(Settings, XdgFolder) {
  ASSERT_EQ(setenv("XDG_CONFIG_HOME", "/x/config", 1), 0);
  EXPECT_EQ(Must(DefaultConfigFolder()), "/x/config/cce4long");
  ASSERT_EQ(unsetenv("XDG_CONFIG_HOME"), 0);
  ASSERT_EQ(setenv("HOME", "/x/home", 1), 0);
  EXPECT_EQ(Must(DefaultConfigFolder()), "/x/home/.config/cce4long");
}

}  // namespace
}  // namespace cce::cli
