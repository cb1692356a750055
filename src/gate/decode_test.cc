#include "gate/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gate/test_data.h"

namespace cce::gate {
namespace {

using testing::SizeIs;

Result<std::vector<View>> Decode(const Files& files, const DecodeLimits& limits = {}) {
  return DecodeOutput(GATE_DECODER, Tar(files), limits);
}

std::vector<std::string> Chains(const std::vector<View>& views) {
  std::vector<std::string> out;
  for (const View& v : views) out.push_back(ChainText(v) + " " + std::string(KindName(v.kind)));
  return out;
}

bool Holds(const std::vector<View>& views, Unread why) {
  return std::any_of(views.begin(), views.end(), [&](const View& v) { return v.why == why; });
}

bool HoldsText(const std::vector<View>& views, std::string_view text) {
  return std::any_of(views.begin(), views.end(),
                     [&](const View& v) { return AsText(v.bytes) == text; });
}

TEST(Decode, SaysWhatEachFileIs) {
  const auto views = Decode({{"a.csv", "a,b\n1,2\n3,4\n"},
                             {"b.json", "{\"a\": 1}"},
                             {"c.svg", "<?xml version=\"1.0\"?>\n<svg></svg>"},
                             {"d.txt", "hello"},
                             {"e.bin", std::string("\x00\x01\xff\xfe\x80 x", 7)},
                             {"sub/f.html", "<html></html>"}});
  ASSERT_TRUE(views) << views.error().message;
  EXPECT_THAT(Chains(*views), testing::ElementsAre("a.csv table", "b.json json", "c.svg svg",
                                                   "d.txt text", "e.bin binary", "sub/f.html xml"));
}

TEST(Decode, AnEmptyOutputHasNoViews) {
  const auto views = DecodeOutput(GATE_DECODER, Bytes(1024, 0));
  ASSERT_TRUE(views);
  EXPECT_THAT(*views, SizeIs(0));
}

TEST(Decode, OpensEveryPacking) {
  const std::string secret = "patient,value\n1,2\n3,4\n";
  for (const auto filter : {archive_write_add_filter_gzip, archive_write_add_filter_bzip2,
                            archive_write_add_filter_xz, archive_write_add_filter_zstd}) {
    const auto views = Decode({{"x", Squeeze(secret, filter)}});
    ASSERT_TRUE(views);
    EXPECT_TRUE(HoldsText(*views, secret));
  }
  for (const auto format : {archive_write_set_format_zip, archive_write_set_format_ustar}) {
    const auto views = Decode({{"x", std::string(AsText(Pack({{"in.csv", secret}}, format)))}});
    ASSERT_TRUE(views);
    EXPECT_TRUE(HoldsText(*views, secret));
    EXPECT_EQ(ChainText(views->back()), "x > in.csv");
  }
}

TEST(Decode, OpensEncodedBlocksInText) {
  const std::string secret = "patient,value\n123,4567\n89,1011\n1213,1415\n";
  const std::string base64 = ToBase64(AsBytes(secret));
  for (const std::string& text :
       {base64, "see " + base64 + " end", "data:text/csv;base64," + base64, ToHex(AsBytes(secret)),
        "{\"w\": \"" + base64 + "\"}", base64.substr(0, 40) + "\n" + base64.substr(40),
        ToBase64(AsBytes(Gzip(secret)))}) {
    const auto views = Decode({{"log.txt", text}});
    ASSERT_TRUE(views);
    EXPECT_TRUE(HoldsText(*views, secret)) << text;
  }
}

TEST(Decode, LeavesDigestsAndPathsAlone) {
  const auto views = Decode(
      {{"log.txt", std::string(64, 'a') + " /usr/lib/python3/site-packages/lifelines/fitters"}});
  ASSERT_TRUE(views);
  EXPECT_THAT(*views, SizeIs(1));
}

TEST(Decode, ReadsUtf16) {
  std::string wide = "\xff\xfe";
  for (const char c : std::string("id,age\n1,48\n")) wide += {c, '\0'};
  const auto views = Decode({{"a.csv", wide}});
  ASSERT_TRUE(views);
  EXPECT_EQ(AsText(views->at(0).bytes), "id,age\n1,48\n");
}

TEST(Decode, StopsAtABomb) {
  const std::string bomb = Gzip(std::string(size_t{80} << 20, 'a'));
  const auto views = Decode({{"bomb.gz", bomb}});
  ASSERT_TRUE(views);
  EXPECT_TRUE(Holds(*views, Unread::kLimit));
}

TEST(Decode, StopsAtTheTotal) {
  DecodeLimits limits;
  limits.max_total = 200'000;
  const auto views = Decode({{"a.gz", Gzip(std::string(400'000, 'a'))}, {"b.txt", "b"}}, limits);
  ASSERT_TRUE(views);
  EXPECT_TRUE(Holds(*views, Unread::kLimit));
}

TEST(Decode, StopsAtTheDepth) {
  std::string nested = "secret text";
  for (int i = 0; i < 20; ++i) {
    nested = std::string(AsText(Pack({{"n", nested}}, archive_write_set_format_zip)));
  }
  const auto views = Decode({{"deep.zip", nested}});
  ASSERT_TRUE(views);
  EXPECT_TRUE(Holds(*views, Unread::kTooDeep));
  EXPECT_FALSE(HoldsText(*views, "secret text"));
  std::string peeled = "secret text";
  for (int i = 0; i < 20; ++i) peeled = Gzip(peeled);
  const auto more = Decode({{"deep.gz", peeled}});
  if (more) {
    EXPECT_FALSE(HoldsText(*more, "secret text"));
  } else {
    EXPECT_EQ(more.error().code, "gate.decoder_failed");
  }
}

TEST(Decode, RefusesHostileNames) {
  for (const std::string name : {"../up", "/abs", "a/../../b", "tab\there", "a\\b"}) {
    const auto views = Decode({{name, "x"}});
    ASSERT_TRUE(views);
    EXPECT_TRUE(Holds(*views, Unread::kBadName)) << name;
  }
  const auto twice = Decode({{"a.txt", "1"}, {"a.txt", "2"}});
  ASSERT_TRUE(twice);
  EXPECT_TRUE(Holds(*twice, Unread::kBadName));
}

TEST(Decode, ShowsTruncation) {
  const std::string zipped =
      std::string(AsText(Pack({{"a", std::string(5000, 'x')}}, archive_write_set_format_zip)));
  const std::string gz = Gzip("some text that was longer before it was cut");
  for (const std::string& cut :
       {zipped.substr(0, zipped.size() / 2), gz.substr(0, gz.size() - 12)}) {
    const auto views = Decode({{"cut", cut}});
    ASSERT_TRUE(views);
    EXPECT_TRUE(Holds(*views, Unread::kCorrupt));
  }
  Bytes tar = Tar({{"a.txt", std::string(4000, 'x')}});
  tar.resize(1024);
  const auto views = DecodeOutput(GATE_DECODER, tar);
  ASSERT_TRUE(views);
  EXPECT_TRUE(Holds(*views, Unread::kCorrupt));
}

TEST(Decode, ShowsWhatIsBehindAnArchive) {
  const auto gz = Decode({{"a.gz", Gzip("hello") + "hidden behind"}});
  ASSERT_TRUE(gz);
  EXPECT_TRUE(Holds(*gz, Unread::kTrailing));
  const std::string zip = std::string(AsText(Pack({{"a", "hello"}}, archive_write_set_format_zip)));
  const auto padded = Decode({{"a.zip", zip + std::string(20000, 'z')}});
  ASSERT_TRUE(padded);
  EXPECT_TRUE(Holds(*padded, Unread::kTrailing) || Holds(*padded, Unread::kCorrupt));
  Bytes tar = Tar({{"a.txt", "x"}});
  tar.resize(tar.size() + 2048);
  Append(tar, AsBytes("hidden behind the end"));
  const auto behind = DecodeOutput(GATE_DECODER, tar);
  ASSERT_TRUE(behind);
  EXPECT_TRUE(Holds(*behind, Unread::kTrailing));
}

TEST(Decode, GarbageIsUnreadable) {
  const auto views = DecodeOutput(GATE_DECODER, Bytes(5000, 0x5a));
  ASSERT_TRUE(views);
  EXPECT_TRUE(Holds(*views, Unread::kCorrupt));
}

TEST(Decode, AFailingDecoderIsAnError) {
  DecodeLimits quick;
  quick.deadline_ms = 200;
  for (const char* path : {"/bin/false", "/bin/cat", "/nonexistent/decoder", "/usr/bin/yes"}) {
    const auto views = DecodeOutput(path, Tar({{"a.txt", "x"}}), quick);
    ASSERT_FALSE(views) << path;
    EXPECT_EQ(views.error().code, "gate.decoder_failed") << path;
  }
}

TEST(Decode, TooManyFilesFail) {
  DecodeLimits limits;
  limits.max_views = 3;
  const auto views = Decode({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}, limits);
  ASSERT_FALSE(views);
  EXPECT_EQ(views.error().code, "gate.decoder_failed");
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CCE_GATE_ASAN 1
#endif
#endif
#ifndef CCE_GATE_ASAN  // the sanitizer's address space has no such limit
TEST(Decode, RunningOutOfMemoryFails) {
  DecodeLimits limits;
  limits.max_memory = uint64_t{48} << 20;
  const auto views = Decode({{"a.txt", std::string(size_t{60} << 20, 'a')}}, limits);
  ASSERT_FALSE(views);
  EXPECT_EQ(views.error().code, "gate.decoder_failed");
}
#endif

TEST(Decode, AFailedDecoderIsHeld) {
  const Cohort people(300);
  const LeakIndex index = IndexOf(people.Csv());
  const ReviewedDataset dataset{"people", &index};
  GatePolicy lenient;
  lenient.threshold = 1;
  const auto report =
      Review(DecodeOutput("/bin/false", Tar({})), 100, {&dataset, 1}, {&lenient, 1});
  EXPECT_EQ(report.decision, Decision::kNeedsHuman);
  EXPECT_NE(Find(report, FindingClass::kDecoder), nullptr);
}

}  // namespace
}  // namespace cce::gate
