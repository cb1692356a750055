#include "chain/eip712.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "chain/test_support.h"

namespace cce::chain {
namespace {

// The example of EIP-712 itself.
TEST(Eip712, MailExample) {
  constexpr std::string_view kPerson = "Person(string name,address wallet)";
  constexpr std::string_view kMail =
      "Mail(Person from,Person to,string contents)Person(string name,address wallet)";
  const Eip712Domain domain{
      .name = "Ether Mail",
      .version = "1",
      .chain_id = 1,
      .verifying_contract = *ParseAddress("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")};
  const auto person = [&](std::string_view name, std::string_view wallet) {
    return StructHash(kPerson).String(name).Address(*ParseAddress(wallet)).Finish();
  };
  const Hash32 mail = StructHash(kMail)
                          .Word(person("Cow", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"))
                          .Word(person("Bob", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"))
                          .String("Hello, Bob!")
                          .Finish();
  EXPECT_EQ(ToHex(HashDomain(domain)),
            "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
  EXPECT_EQ(ToHex(mail), "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
  EXPECT_EQ(ToHex(TypedDigest(domain, mail)),
            "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
}

DatasetPolicyDocument Policy() {
  DatasetPolicyDocument out{.dataset = TestAddress(2), .version = 3, .summary = "3 guest images"};
  out.previous.fill(0x11);
  out.document.fill(0x22);
  return out;
}

ReviewDecisionDocument Decision() {
  ReviewDecisionDocument out{
      .dataset = TestAddress(2), .attempt = 1, .decision = "approve", .reason = "no small cells"};
  out.job.fill(0x33);
  out.result.fill(0x44);
  return out;
}

template <typename Document, typename Change>
void ExpectBinds(Hash32 (*hash)(uint64_t, const Document&), Document document, Change change) {
  const Hash32 before = hash(1, document);
  EXPECT_NE(ToHex(before), ToHex(hash(2, document)));
  change(document);
  EXPECT_NE(ToHex(before), ToHex(hash(1, document)));
}

TEST(Eip712, EveryFieldOfAPolicyCounts) {
  ExpectBinds(HashDatasetPolicy, Policy(), [](auto& d) { d.dataset[0] ^= 1; });
  ExpectBinds(HashDatasetPolicy, Policy(), [](auto& d) { d.version = 4; });
  ExpectBinds(HashDatasetPolicy, Policy(), [](auto& d) { d.previous[0] ^= 1; });
  ExpectBinds(HashDatasetPolicy, Policy(), [](auto& d) { d.document[31] ^= 1; });
  ExpectBinds(HashDatasetPolicy, Policy(), [](auto& d) { d.summary += "x"; });
}

TEST(Eip712, EveryFieldOfADecisionCounts) {
  ExpectBinds(HashReviewDecision, Decision(), [](auto& d) { d.dataset[0] ^= 1; });
  ExpectBinds(HashReviewDecision, Decision(), [](auto& d) { d.job[0] ^= 1; });
  ExpectBinds(HashReviewDecision, Decision(), [](auto& d) { d.attempt = 2; });
  ExpectBinds(HashReviewDecision, Decision(), [](auto& d) { d.result[0] ^= 1; });
  ExpectBinds(HashReviewDecision, Decision(), [](auto& d) { d.decision = "reject"; });
  ExpectBinds(HashReviewDecision, Decision(), [](auto& d) { d.reason.clear(); });
}

TEST(Eip712, EveryFieldOfAnOrderCounts) {
  const DatasetOrderDocument order{
      .dataset = TestAddress(2), .number = 1, .action = "delete", .summary = "Delete it"};
  ExpectBinds(HashDatasetOrder, order, [](auto& d) { d.dataset[0] ^= 1; });
  ExpectBinds(HashDatasetOrder, order, [](auto& d) { d.number = 2; });
  ExpectBinds(HashDatasetOrder, order, [](auto& d) { d.action = "rotate"; });
  ExpectBinds(HashDatasetOrder, order, [](auto& d) { d.snapshot[31] ^= 1; });
  ExpectBinds(HashDatasetOrder, order, [](auto& d) { d.summary.clear(); });
}

TEST(Eip712, VerifiesTheSigner) {
  const auto signature = *crypto::EthSignDigest(TestKey(0), HashDatasetPolicy(31337, Policy()));
  EXPECT_EQ(CodeOf(VerifyDatasetPolicy(31337, Policy(), TestAddress(0), signature, nullptr)), "ok");
  EXPECT_EQ(CodeOf(VerifyDatasetPolicy(31337, Policy(), TestAddress(1), signature, nullptr)),
            "signer.mismatch");
  EXPECT_EQ(CodeOf(VerifyDatasetPolicy(1, Policy(), TestAddress(0), signature, nullptr)),
            "signer.mismatch");
  EXPECT_EQ(CodeOf(VerifyReviewDecision(31337, Decision(), TestAddress(0), signature, nullptr)),
            "signer.mismatch");
}

TEST(Eip712, TypedDataNamesEveryMember) {
  const json::value data = ParseJson(DatasetPolicyTypedData(31337, Policy())).value();
  EXPECT_EQ(data.at("primaryType"), "DatasetPolicy");
  EXPECT_EQ(ToJson(data.at("types").at("DatasetPolicy")),
            R"([{"name":"dataset","type":"address"},{"name":"version","type":"uint64"},)"
            R"({"name":"previous","type":"bytes32"},{"name":"document","type":"bytes32"},)"
            R"({"name":"summary","type":"string"}])");
  EXPECT_EQ(data.at("message").at("version"), "3");
  const json::value order =
      ParseJson(DatasetOrderTypedData(31337, {.number = 7, .action = "rotate"})).value();
  EXPECT_EQ(order.at("primaryType"), "DatasetOrder");
  EXPECT_EQ(order.at("message").at("number"), "7");
}

}  // namespace
}  // namespace cce::chain
