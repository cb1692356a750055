// What docs/formats/crypto.md promises: its vectors were made by software that is not this
// project's.
#include <gtest/gtest.h>

#include "crypto/format_vectors.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/p256.h"
#include "crypto/secp256k1.h"
#include "crypto/signed.h"
#include "crypto/stream.h"

namespace cce::crypto {
namespace {

const FormatVectors& V() {
  static const FormatVectors vectors("crypto.md");
  return vectors;
}

StreamContext ExampleContext() {
  return {.label = "cce4long/v1/example", .fields = {Bytes(20, 0xda), Bytes{0, 0, 0, 7}}};
}

TEST(FormatsTest, Framing) {
  const Bytes two = {1, 2};
  const Bytes frame = Frame("cce4long/v1/example", {ByteView{}, two, AsBytes("three")});
  EXPECT_EQ(frame, V().Hex("frame"));
  EXPECT_EQ(ToHex(Sha256(frame)), V().Text("frame_sha256"));
}

TEST(FormatsTest, Hkdf) {
  const Bytes two = {1, 2};
  const SecretBytes out = Hkdf(V().Hex("hkdf_key"), V().Hex("hkdf_salt"), "cce4long/v1/example",
                               {ByteView{}, two, AsBytes("three")}, 48);
  EXPECT_EQ(ToHex(out.Expose()), V().Text("hkdf_out"));
}

TEST(FormatsTest, Streams) {
  const Bytes key = V().Hex("stream_key");
  const auto opened = OpenStream(key, ExampleContext(), V().Hex("stream_sealed"), 100);
  ASSERT_TRUE(opened) << FormatError(opened.error());
  EXPECT_EQ(ToHex(opened->Expose()), V().Text("stream_plaintext"));
  const auto empty = OpenStream(key, ExampleContext(), V().Hex("stream_empty_sealed"), 100);
  ASSERT_TRUE(empty) << FormatError(empty.error());
  EXPECT_EQ(empty->size(), 0u);
  const auto two = StreamOpener::New(key, ExampleContext(), V().Hex("stream_two_chunks_header"),
                                     kStreamHeaderSize + 1025 + 32);
  ASSERT_TRUE(two) << FormatError(two.error());
  Bytes last(1);
  ASSERT_TRUE((*two)->OpenChunk(1, V().Hex("stream_two_chunks_last_chunk"), last));
  EXPECT_EQ(last[0], 7 * 1024 % 251);
}

TEST(FormatsTest, P256) {
  const auto key = P256PrivateKey::Derive(V().Hex("p256_seed"));
  ASSERT_TRUE(key);
  EXPECT_EQ(ToHex(key->ExposeScalar().Expose()), V().Text("p256_private"));
  EXPECT_EQ(ToHex(key->public_key()), V().Text("p256_public"));
  EXPECT_EQ(ToHex(KeyId(key->public_key())), V().Text("key_id"));
}

TEST(FormatsTest, Hpke) {
  const auto key = P256PrivateKey::FromScalar(V().Hex("p256_private"));
  EXPECT_EQ(Frame("cce4long/v1/example", {AsBytes("report data")}), V().Hex("hpke_info"));
  const auto opened = HpkeOpen(*key, V().Hex("hpke_info"), {}, V().Hex("hpke_envelope"));
  ASSERT_TRUE(opened) << FormatError(opened.error());
  EXPECT_EQ(ToHex(opened->Expose()), V().Text("hpke_plaintext"));
}

TEST(FormatsTest, Ethereum) {
  const SecretBytes key = SecretBytes::CopyOf(V().Hex("eth_key"));
  EXPECT_EQ(ToHex(*EthAddressOf(key)), V().Text("eth_address"));
  const Bytes digest = V().Hex("eth_digest");
  EXPECT_EQ(ToHex(*EthSignDigest(key, digest)), V().Text("eth_signature"));
  EXPECT_EQ(ToHex(*EthRecover(digest, V().Hex("eth_signature"))), V().Text("eth_address"));
}

TEST(FormatsTest, SignedDocuments) {
  const auto key = ToArray<65>(V().Hex("p256_public"));
  const auto payload =
      DsseVerify(V().Text("dsse_envelope"), "application/vnd.cce4long.example+json", *key);
  ASSERT_TRUE(payload) << FormatError(payload.error());
  EXPECT_EQ(AsText(*payload), R"({"hello": "world"})");
  EXPECT_TRUE(AsText(V().Hex("dsse_pae")).ends_with(AsText(*payload)));
  const auto claims = JwtVerify(V().Text("jwt"), "example+jwt", *key);
  ASSERT_TRUE(claims) << FormatError(claims.error());
  EXPECT_EQ(*claims, R"({"sub":"job-1","exp":1790000000})");
}

}  // namespace
}  // namespace cce::crypto
