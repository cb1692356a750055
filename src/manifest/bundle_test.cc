#include <gtest/gtest.h>

#include "manifest/test_bundle.h"

namespace cce::manifest {
namespace {

std::string CodeOf(std::string_view text) {
  const auto decoded = DecodeBundle(text);
  return decoded ? "" : decoded.error().code;
}

// The text of `tree` with a right last member: what an adversary would send.
std::string Summed(json::object tree) {
  tree.erase("sha256");
  std::string text = ToPrettyJson(tree);
  text.resize(text.size() - 3);
  return text + ",\n  \"sha256\": \"" + ToHex(crypto::Sha256(AsBytes(text))) + "\"\n}\n";
}

class BundleTest : public testing::Test {
 protected:
  void SetUp() override {
    t.Make();
    text = EncodeBundle(t.bundle);
  }
  TestBundle t;
  std::string text;
};

TEST_F(BundleTest, ComesBackAsItWas) {
  const auto decoded = DecodeBundle(text);
  ASSERT_TRUE(decoded) << FormatError(decoded.error());
  EXPECT_EQ(EncodeBundle(*decoded), text);
  EXPECT_EQ(decoded->envelope, t.bundle.envelope);
  EXPECT_EQ(decoded->policies, t.bundle.policies);
  EXPECT_EQ(decoded->log.text, t.bundle.log.text);
  EXPECT_EQ(Summed(ParseJson(text).value().as_object()), text);
}

TEST_F(BundleTest, RefusesOneChangedByteAnywhere) {
  constexpr int kMasks[] = {0x01, 0x20, 0x80};
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ kMasks[i % 3]);
    ASSERT_EQ(CodeOf(changed), "manifest.malformed") << i;
  }
}

TEST_F(BundleTest, RefusesWhatWasCutOffOrAdded) {
  for (size_t size = 0; size < text.size(); size += 131) {
    EXPECT_EQ(CodeOf(text.substr(0, size)), "manifest.malformed") << size;
  }
  EXPECT_EQ(CodeOf(text.substr(0, text.size() - 1)), "manifest.malformed");
  EXPECT_EQ(CodeOf(text + "\n"), "manifest.malformed");
  EXPECT_EQ(CodeOf(" " + text), "manifest.malformed");
  EXPECT_EQ(CodeOf(""), "manifest.malformed");
}

TEST_F(BundleTest, RefusesUnknownAndMissingMembersWithARightSum) {
  const json::object good = ParseJson(text).value().as_object();
  json::object tree = good;
  tree["more"] = 1;
  EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed");
  for (const auto& member : good) {
    if (member.key() == "sha256") continue;
    tree = good;
    tree.erase(member.key());
    EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed") << member.key();
    tree = good;
    tree[member.key()] = false;
    EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed") << member.key();
    if (!good.at(member.key()).is_object()) continue;
    tree = good;
    tree[member.key()].as_object()["more"] = 1;
    EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed") << member.key();
  }
  tree = good;
  tree["version"] = 2;
  EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed");
  tree = good;
  tree["keys"].as_object()["challenge"] = "00";
  EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed");
  tree = good;
  tree["policies"] = json::array{};
  EXPECT_EQ(CodeOf(Summed(tree)), "manifest.malformed");
}

}  // namespace
}  // namespace cce::manifest
