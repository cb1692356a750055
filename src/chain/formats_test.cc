// What docs/formats/chain.md promises: its signatures were made by anvil.
#include <gtest/gtest.h>

#include "chain/eip712.h"
#include "chain/siwe.h"
#include "crypto/format_vectors.h"

namespace cce::chain {
namespace {

const FormatVectors& V() {
  static const FormatVectors vectors("chain.md");
  return vectors;
}

SecretBytes Key() { return SecretBytes::Adopt(V().Hex("key")); }

// Signatures are deterministic: ours must be theirs.
void ExpectSigned(const Hash32& digest, const std::string& name) {
  EXPECT_EQ(ToHex(*crypto::EthSignDigest(Key(), digest)), V().Text(name));
}

TEST(Formats, Address) {
  EXPECT_EQ(ToHex(crypto::EthAddressOf(Key()).value()), V().Text("address"));
}

TEST(Formats, SignIn) {
  const SiweMessage message{
      .domain = "cced.example:8443",
      .address = crypto::EthAddressOf(Key()).value(),
      .uri = "https://cced.example:8443",
      .chain_id = 31337,
      .nonce = "abcDEF123456",
      .issued_at = "2027-01-15T07:59:50Z",
      .expiration_time = "2027-01-15T08:05:00Z",
      .resources = std::vector{"urn:cce4long:v1:identity:" + ToHex(Bytes(32, 1)),
                               "urn:cce4long:v1:job:" + ToHex(Bytes(32, 2))}};
  const std::string text = RenderSiwe(message).value();
  ExpectSigned(PersonalDigest(text), "siwe_signature");
  const std::string page = ReadTextFile(CCE_FORMATS_DIR "/chain.md", size_t{1} << 20).value();
  EXPECT_NE(page.find("```text\n" + text + "\n```"), std::string::npos);
}

TEST(Formats, TypedDocuments) {
  const EthAddress dataset = ParseAddress("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC").value();
  DatasetPolicyDocument policy{.dataset = dataset, .version = 3, .summary = "3 guest images"};
  policy.previous.fill(0x11);
  policy.document.fill(0x22);
  ExpectSigned(HashDatasetPolicy(31337, policy), "policy_signature");
  ReviewDecisionDocument decision{
      .dataset = dataset, .attempt = 1, .decision = "approve", .reason = "no small cells"};
  decision.job.fill(0x33);
  decision.result.fill(0x44);
  ExpectSigned(HashReviewDecision(31337, decision), "decision_signature");
  const DatasetOrderDocument order{
      .dataset = dataset, .number = 5, .action = "rotate", .summary = "Seal the dataset anew"};
  ExpectSigned(HashDatasetOrder(31337, order), "order_signature");
}

}  // namespace
}  // namespace cce::chain
