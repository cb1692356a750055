// What docs/formats/journal.md promises: its vectors were made by software that is not this
// project's.
#include <gtest/gtest.h>

#include "crypto/format_vectors.h"
#include "tlog/sealed_entry.h"
#include "tlog/test_world.h"

namespace cce::tlog {
namespace {

class JournalFormatsTest : public JournalFixture {
 protected:
  const FormatVectors v_{"journal.md"};
};

TEST_F(JournalFormatsTest, AJournalMadeElsewhereOpens) {
  base_key_ = v_.Hex("journal_base_key");
  auto store = OpenSqliteJournalStore(path_).value();
  const std::vector<Bytes> entries = {v_.Hex("journal_entry_0"), v_.Hex("journal_entry_1"),
                                      v_.Hex("journal_entry_2")};
  ASSERT_TRUE(store->Append(0, entries, v_.Hex("journal_head")));
  JournalOptions options = Options(std::move(store));
  options.origin = "cce4long.example/log";
  options.log_seed = SecretBytes::CopyOf(v_.Hex("log_seed"));
  const auto opened =
      Journal::Open(std::move(options),
                    [](uint64_t seq, int64_t millis, std::string_view type,
                       const json::object& data) -> Result<> {
                      EXPECT_EQ(type, "example");
                      EXPECT_EQ(millis, 1'790'000'000'000 + static_cast<int64_t>(seq));
                      EXPECT_EQ(data.at("n").to_number<uint64_t>(), seq);
                      return {};
                    });
  ASSERT_TRUE(opened) << FormatError(opened.error());
  const Journal& journal = **opened;
  EXPECT_EQ(ToHex(journal.Head().root), v_.Text("log_root"));
  EXPECT_EQ(FormatNoteVerifier(journal.log_key()), v_.Text("log_key"));
  EXPECT_EQ(ToHex(AsBytes(*journal.SignedCheckpoint())), v_.Text("checkpoint"));
  const Bytes bundle = *journal.EntryBundle(0, 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ToHex(ByteView(bundle).subspan(i * 34 + 2, 32)),
              v_.Text("commitment_" + std::to_string(i)));
  }
}

TEST_F(JournalFormatsTest, TheHeadNamesItsKey) {
  const auto sealer = EntrySealer::New(v_.Hex("journal_base_key")).value();
  EXPECT_TRUE(sealer.NamesThisKey(v_.Hex("journal_head")));
  EXPECT_EQ(ToHex(ByteView(v_.Hex("journal_head")).subspan(1, 16)), v_.Text("journal_key_name"));
}

}  // namespace
}  // namespace cce::tlog
