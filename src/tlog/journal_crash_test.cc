// kill -9: what was acknowledged is there afterwards.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "tlog/test_world.h"

namespace cce::tlog {
namespace {

class JournalCrashTest : public JournalFixture {
 protected:
  // In the child: appends for ever and reports each acknowledged number.
  [[noreturn]] void AppendForEver(int report) {
    const auto journal = Open();
    if (!journal) _exit(1);
    while (true) {
      const auto seq = (*journal)->Append("test", {{"text", std::string(700, 'x')}});
      if (!seq || !WriteAll(report, {reinterpret_cast<const uint8_t*>(&*seq), sizeof(*seq)})) {
        _exit(2);
      }
    }
  }
};

TEST_F(JournalCrashTest, AcknowledgedEntriesSurviveKill) {
  uint64_t least = 0;  // entries that must be there
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    UniqueFd in(ends[0]), out(ends[1]);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) AppendForEver(out.get());
    out.Reset();
    // Kills at another moment of the work each round: right after some acknowledgement.
    uint64_t seq = 0;
    for (int i = 0; i < 5 + 7 * round; ++i) {
      ASSERT_TRUE(ReadExact(in.get(), {reinterpret_cast<uint8_t*>(&seq), sizeof(seq)}));
      least = seq + 1;
    }
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    // What it still acknowledged before it died.
    const Bytes rest = ReadToEnd(in.get(), 1 << 20).value();
    for (size_t at = 0; at + sizeof(seq) <= rest.size(); at += sizeof(seq)) {
      std::memcpy(&seq, rest.data() + at, sizeof(seq));
      least = seq + 1;
    }
    const auto journal = Open();
    ASSERT_TRUE(journal) << FormatError(journal.error());
    EXPECT_GE((*journal)->Size(), least);
    EXPECT_LE((*journal)->Size(), least + 1);
  }
}

}  // namespace
}  // namespace cce::tlog
