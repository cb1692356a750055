#include "base/bytes.h"

#include <gtest/gtest.h>

namespace cce {
namespace {

TEST(Hex, RoundTripsAndRefuses) {
  EXPECT_EQ(ToHex(Bytes{0x00, 0xab, 0xff}), "00abff");
  EXPECT_EQ(*FromHex("00ABff"), (Bytes{0x00, 0xab, 0xff}));
  EXPECT_EQ(*FromHex("0x01", true), Bytes{1});
  EXPECT_FALSE(FromHex("0x01"));
  EXPECT_FALSE(FromHex("abc"));
  EXPECT_FALSE(FromHex("zz"));
}

TEST(Base64, Rfc4648Vectors) {
  EXPECT_EQ(ToBase64(AsBytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(ToBase64(AsBytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(ToBase64(AsBytes("foob")), "Zm9vYg==");
  EXPECT_EQ(AsText(*FromBase64("Zm9vYg==")), "foob");
  EXPECT_EQ(AsText(*FromBase64Url("Zm9vYg")), "foob");
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const char* text : {"Zm9vYg=", "Zm9vYg", "Zm9vYh==", "Zm 9vYg==", "Z", "====", "Zm9v-g=="}) {
    EXPECT_FALSE(FromBase64(text)) << text;
  }
  EXPECT_FALSE(FromBase64Url("Zm9vYg=="));
  EXPECT_FALSE(FromBase64Url("Zm9vYh"));
}

TEST(Frame, PrefixesEveryFieldWithItsLength) {
  EXPECT_EQ(ToHex(Frame("ab", {AsBytes("c"), {}})),
            "00000002"
            "6162"
            "00000001"
            "63"
            "00000000");
}

TEST(ByteReader, NeverReadsPastTheEnd) {
  const Bytes bytes = {0, 0, 0, 2, 7, 8, 9};
  ByteReader reader(bytes);
  EXPECT_EQ(ToHex(*reader.Prefixed32(10)), "0708");
  EXPECT_FALSE(reader.ExpectEnd());
  EXPECT_FALSE(reader.U16());
  EXPECT_EQ(*reader.U8(), 9);
  EXPECT_TRUE(reader.ExpectEnd());
  ByteReader lying(ByteView(bytes).first(5));
  EXPECT_EQ(lying.Prefixed32(10).error().code, "input.malformed");
  ByteReader large(bytes);
  EXPECT_EQ(large.Prefixed32(1).error().code, "input.too_large");
}

}  // namespace
}  // namespace cce
