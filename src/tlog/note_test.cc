#include "tlog/note.h"

#include <gtest/gtest.h>

namespace cce::tlog {
namespace {

// The signed-note format's own example, as in Go's golang.org/x/mod/sumdb/note.
const char kPeterKey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const char kPeterText[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
const char kPeterSignature[] =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const Bytes kSeed(32, 0x42);
NoteVerifier Verifier() {
  return {.name = "example.org/log", .key = crypto::Ed25519PublicFromSeed(kSeed).value()};
}
std::string Sign(std::string_view text) { return SignNote(text, "example.org/log", kSeed).value(); }
std::string Code(std::string_view note) {
  const auto result = OpenNote(note, Verifier());
  return result ? "accepted" : result.error().code;
}

TEST(NoteTest, PublishedNote) {
  const auto verifier = ParseNoteVerifier(kPeterKey);
  ASSERT_TRUE(verifier) << FormatError(verifier.error());
  EXPECT_EQ(FormatNoteVerifier(*verifier), kPeterKey);
  const auto text = OpenNote(std::string(kPeterText) + "\n" + kPeterSignature, *verifier);
  ASSERT_TRUE(text) << FormatError(text.error());
  EXPECT_EQ(*text, kPeterText);
}

TEST(NoteTest, OthersMayHaveSignedToo) {
  const std::string note = Sign(kPeterText);
  EXPECT_EQ(Code(note), "accepted");
  EXPECT_EQ(Code(note + kPeterSignature), "accepted");
  EXPECT_EQ(Code(std::string(kPeterText) + "\n" + kPeterSignature), "crypto.bad_signature");
}

TEST(NoteTest, RefusesChanges) {
  const std::string note = Sign("one\ntwo\n");
  const size_t text_size = 8;
  for (size_t i = 0; i < note.size(); ++i) {
    std::string bad = note;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_NE(Code(bad), "accepted") << i;
    if (i < text_size - 1 && bad[i] > ' ') {
      EXPECT_EQ(Code(bad), "crypto.bad_signature") << i;
    }
    EXPECT_NE(Code(note.substr(0, i)), "accepted") << i;
  }
  EXPECT_EQ(Code(note + "\n"), "tlog.bad_note");
  EXPECT_EQ(Code(note + "x\n"), "tlog.bad_note");
  EXPECT_EQ(Code(note + note.substr(text_size + 1)), "tlog.bad_note");  // the same line twice
  EXPECT_EQ(Code(""), "tlog.bad_note");
  EXPECT_EQ(Code("\n\n"), "tlog.bad_note");
  EXPECT_EQ(Code("text\n\n"), "tlog.bad_note");
  EXPECT_EQ(Code(std::string(70000, 'a')), "input.too_large");
}

TEST(NoteTest, SignsOnlyWellFormedText) {
  for (std::string_view bad : {"", "no line break", "tab\there\n", "\xff\n", "nul\0\n"}) {
    EXPECT_EQ(SignNote(bad, "name", kSeed).error().code, "tlog.bad_note");
  }
  for (std::string_view bad : {"", "a b", "a+b", "a\nb"}) {
    EXPECT_EQ(SignNote("text\n", bad, kSeed).error().code, "tlog.bad_note");
  }
}

TEST(NoteTest, RefusesBadVerifiers) {
  const std::string good = kPeterKey;
  for (const std::string& bad :
       {std::string(), std::string("PeterNeumann"), "x" + good, good.substr(0, good.size() - 1),
        good + "=", std::string("PeterNeumann+c74f20a4") + good.substr(21)}) {
    EXPECT_EQ(ParseNoteVerifier(bad).error().code, "tlog.bad_note") << bad;
  }
}

TEST(CheckpointTest, RoundTrips) {
  const Checkpoint checkpoint{
      .origin = "example.org/log", .size = 1234, .root = crypto::Sha256(AsBytes("root"))};
  const auto opened = OpenCheckpoint(SignCheckpoint(checkpoint, kSeed).value(), Verifier());
  ASSERT_TRUE(opened) << FormatError(opened.error());
  EXPECT_EQ(*opened, checkpoint);
}

TEST(CheckpointTest, IsStrict) {
  const std::string root = ToBase64(crypto::Sha256(AsBytes("root")));
  const auto code = [](const std::string& text) {
    const auto result = OpenCheckpoint(Sign(text), Verifier());
    return result ? "accepted" : result.error().code;
  };
  const std::string origin = "example.org/log\n";
  EXPECT_EQ(code(origin + "7\n" + root + "\n"), "accepted");
  for (const std::string& bad :
       {"other.org/log\n7\n" + root + "\n", origin + "07\n" + root + "\n",
        origin + "-7\n" + root + "\n", origin + "7 \n" + root + "\n", origin + "\n" + root + "\n",
        origin + "18446744073709551616\n" + root + "\n", origin + "7\n" + root.substr(4) + "\n",
        origin + "7\n" + root + "\nextension\n", origin + "7\n", origin}) {
    EXPECT_EQ(code(bad), "tlog.bad_note") << bad;
  }
}

}  // namespace
}  // namespace cce::tlog
