#include "store/juicefs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cce::store {
namespace {

TEST(Juicefs, NoCallReportsOrAcknowledgesTooEarly) {
  const auto command = JuicefsMountCommand(
      {.program = "/bin/juicefs", .metadata = "sqlite3:///m.db", .mountpoint = "/mnt"});
  for (const char* wanted : {"--no-agent", "--no-usage-report", "--no-syslog"}) {
    EXPECT_NE(std::ranges::find(command, wanted), command.end()) << wanted;
  }
  for (const char* refused : {"--writeback", "-d", "--read-only"}) {
    EXPECT_EQ(std::ranges::find(command, refused), command.end()) << refused;
  }
}

TEST(Juicefs, AReaderHasNoJobsOfItsOwn) {
  const auto command = JuicefsMountCommand({.program = "/bin/juicefs",
                                            .metadata = "sqlite3:///m.db",
                                            .mountpoint = "/mnt",
                                            .bucket = "http://127.0.0.1:1/b",
                                            .read_only = true});
  for (const char* wanted : {"--read-only", "--no-bgjob", "--bucket", "http://127.0.0.1:1/b"}) {
    EXPECT_NE(std::ranges::find(command, wanted), command.end()) << wanted;
  }
  EXPECT_EQ(command.back(), "/mnt");
}

TEST(Juicefs, SecretsStandInTheEnvironmentAlone) {
  const SecretBytes secret = SecretBytes::CopyOf(AsBytes("hidden"));
  const auto environment =
      JuicefsEnvironment({.access_key = "writer", .secret_key = &secret}, "/tmp/x", true);
  for (const char* wanted :
       {"AWS_SECRET_ACCESS_KEY=hidden", "AWS_ACCESS_KEY_ID=writer", "JFS_SUPERVISOR=1"}) {
    EXPECT_NE(std::ranges::find(environment, wanted), environment.end()) << wanted;
  }
  EXPECT_TRUE(std::ranges::none_of(
      environment, [](const std::string& item) { return item.starts_with("META_PASSWORD"); }));
}

TEST(Juicefs, TheLogTellsWhoIsToBlame) {
  EXPECT_EQ(JuicefsError("store.failed", "x", "a\n<FATAL>: api error AccessDenied: no\n").code,
            "store.refused");
  EXPECT_EQ(JuicefsError("store.failed", "x", "<FATAL>: WRONGPASS invalid").code, "store.refused");
  EXPECT_EQ(JuicefsError("store.failed", "x", "dial tcp: connect: connection refused").code,
            "store.unreachable");
  const Error other = JuicefsError("store.failed", "x", "first\nthe <FATAL>: last\nmore\n");
  EXPECT_EQ(other.code, "store.failed");
  EXPECT_EQ(other.detail, "the <FATAL>: last");
  EXPECT_EQ(JuicefsError("store.failed", "x", "").detail, "");
}

}  // namespace
}  // namespace cce::store
