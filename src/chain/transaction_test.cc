#include "chain/transaction.h"

#include <gtest/gtest.h>

#include "chain/rlp.h"
#include "chain/test_support.h"

namespace cce::chain {
namespace {

// The examples of the Ethereum documentation's RLP page.
TEST(Rlp, Examples) {
  EXPECT_EQ(ToHex(RlpBytes(AsBytes("dog"))), "83646f67");
  EXPECT_EQ(ToHex(RlpList({RlpBytes(AsBytes("cat")), RlpBytes(AsBytes("dog"))})),
            "c88363617483646f67");
  EXPECT_EQ(ToHex(RlpBytes({})), "80");
  EXPECT_EQ(ToHex(RlpList({})), "c0");
  EXPECT_EQ(ToHex(RlpUint(0)), "80");
  EXPECT_EQ(ToHex(RlpBytes(Bytes{0})), "00");
  EXPECT_EQ(ToHex(RlpUint(15)), "0f");
  EXPECT_EQ(ToHex(RlpUint(1024)), "820400");
  const std::string lorem = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
  EXPECT_EQ(ToHex(RlpBytes(AsBytes(lorem))), "b838" + ToHex(AsBytes(lorem)));
  EXPECT_EQ(ToHex(RlpBytes(Bytes(1024, 1))).substr(0, 8), "b9040001");
}

// As anvil's eth_signTransaction answers for its first account.
TEST(Transaction, SignsAsAnotherImplementationDoes) {
  Transaction t{.chain_id = 31337,
                .nonce = 7,
                .priority_fee = U256::From(1'000'000'000),
                .max_fee = U256::From(2'000'000'000),
                .gas_limit = 21000,
                .to = TestAddress(1),
                .value = U256::From(1'000'000'000'000'000'000)};
  EXPECT_EQ(ToHex(*SignTransaction(t, TestKey(0))),
            "02f874827a6907843b9aca0084773594008252089470997970c51812dc3a010c7d01b50e0d17dc79c888"
            "0de0b6b3a764000080c080a0bd6516f7a26cca0741314838067c95f4d2b2f56a0a3c628c469b4cb03fb0"
            "eb08a010be16a969013233924b1e505fcc1c674fbc47c5561999fad27066f8a46eb68f");
}

TEST(Transaction, SignsContractCreation) {
  Bytes data;
  for (int i = 0; i < 4; ++i) Append(data, *FromHex("6080604052348015600e575f5ffd5b50"));
  const Transaction t{.chain_id = 31337,
                      .nonce = 0,
                      .priority_fee = U256::From(1),
                      .max_fee = U256::From(2'000'000'000),
                      .gas_limit = 100'000,
                      .data = data};
  EXPECT_EQ(ToHex(*SignTransaction(t, TestKey(0))),
            "02f896827a6980018477359400830186a08080b840" + ToHex(data) +
                "c001a029f737cb88be8d65ddea58ccf345e46071ecebb57f9e8a4486723c5045ff303ea0710c4576"
                "dc33f52a8edace716f27a8ed603a984b85cfb7c5732ac089ce59ba30");
}

TEST(Transaction, ContractAddressesFollowTheNonce) {
  const EthAddress sender = *ArrayFromHex<20>("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0");
  EXPECT_EQ(ToHex(ContractAddress(sender, 0)), "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d");
  EXPECT_EQ(ToHex(ContractAddress(sender, 1)), "343c43a37d37dff08ae8c4a11544c718abb4fcf8");
}

}  // namespace
}  // namespace cce::chain
