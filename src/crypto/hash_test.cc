#include "crypto/hash.h"

#include <gtest/gtest.h>

#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

TEST(HashTest, KnownDigests) {
  const ByteView abc = AsBytes("abc");
  EXPECT_EQ(ToHex(Sha256(abc)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(Sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ToHex(Sha384(abc)),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(ToHex(Sha512(abc)),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(ToHex(Keccak256({})),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(ToHex(Keccak256(abc)),
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

TEST(HashTest, HmacRfc4231) {
  EXPECT_EQ(ToHex(HmacSha256(Bytes(20, 0x0b), AsBytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(ToHex(HmacSha256(Bytes(131, 0xaa),
                             AsBytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HashTest, StreamEqualsOneShotAndStartsAnew) {
  Sha256Stream stream;
  for (int round = 0; round < 2; ++round) {
    stream.Update(AsBytes("a"));
    stream.Update({});
    stream.Update(AsBytes("bc"));
    EXPECT_EQ(stream.Finish(), Sha256(AsBytes("abc")));
  }
}

// Every number of messages up to three batches, of every kind of length: none, around a block,
// around what one job of the library takes, and unequal ones side by side.
TEST(HashTest, EachEqualsOneByOne) {
  const Bytes content = RandomBytes(40000);
  const size_t lengths[] = {0, 1, 55, 56, 63, 64, 65, 4096, 16384, 32768, 32769, 40000};
  for (size_t count = 0; count <= 3 * kSha256Lanes; ++count) {
    for (const size_t length : lengths) {
      std::vector<ByteView> messages;
      for (size_t i = 0; i < count; ++i) {
        const size_t size = i % 3 == 2 ? length / 2 : length;
        messages.push_back(ByteView(content).subspan((content.size() - size) * i / count, size));
      }
      std::vector<Sha256Digest> digests(count);
      Sha256Each(messages, digests);
      for (size_t i = 0; i < count; ++i) ASSERT_EQ(digests[i], Sha256(messages[i])) << length;
    }
  }
}

TEST(HashTest, HkdfRfc5869) {
  const SecretBytes prk = HkdfExtract(*FromHex("000102030405060708090a0b0c"), Bytes(22, 0x0b));
  EXPECT_EQ(ToHex(prk.Expose()),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  EXPECT_EQ(ToHex(HkdfExpand(prk.Expose(), *FromHex("f0f1f2f3f4f5f6f7f8f9"), 42).Expose()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  // A.3: no salt, no info
  const SecretBytes bare = HkdfExtract({}, Bytes(22, 0x0b));
  EXPECT_EQ(ToHex(bare.Expose()),
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  EXPECT_EQ(ToHex(HkdfExpand(bare.Expose(), {}, 42).Expose()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(HashTest, HkdfFieldsDoNotRunTogether) {
  const Bytes key(32, 1);
  const auto derive = [&](std::initializer_list<ByteView> fields) {
    return ToHex(Hkdf(key, {}, "cce4long/v1/test", fields, 32).Expose());
  };
  EXPECT_NE(derive({AsBytes("ab"), AsBytes("c")}), derive({AsBytes("a"), AsBytes("bc")}));
  EXPECT_NE(derive({}), derive({ByteView{}}));
}

TEST(HashTest, RandomDiffers) {
  EXPECT_NE(RandomBytes(32), RandomBytes(32));
  EXPECT_NE(RandomArray<16>(), RandomArray<16>());
  EXPECT_EQ(RandomSecret(48).size(), 48u);
}

}  // namespace
}  // namespace cce::crypto
