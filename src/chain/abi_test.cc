#include "chain/abi.h"

#include <gtest/gtest.h>

#include "chain/test_support.h"

namespace cce::chain {
namespace {

TEST(Abi, SelectorsAreThoseOfTheEcosystem) {
  EXPECT_EQ(ToHex(Selector("transfer(address,uint256)")), "a9059cbb");
  EXPECT_EQ(ToHex(Selector("isValidSignature(bytes32,bytes)")), "1626ba7e");
  EXPECT_EQ(ToHex(Selector("owner()")), "8da5cb5b");
}

// The examples of EIP-55.
TEST(Abi, AddressesCarryTheirChecksum) {
  for (const char* text :
       {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77"}) {
    const auto address = ParseChecksumAddress(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(FormatAddress(*address), text);
  }
}

TEST(Abi, RefusesBadAddresses) {
  EXPECT_TRUE(ParseAddress("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"));
  EXPECT_EQ(CodeOf(ParseChecksumAddress("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")),
            "input.malformed");
  EXPECT_EQ(CodeOf(ParseAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD")), "input.malformed");
  EXPECT_EQ(CodeOf(ParseAddress("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")), "input.malformed");
  EXPECT_EQ(CodeOf(ParseAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA")), "input.malformed");
  EXPECT_EQ(CodeOf(ParseAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAzz")), "input.malformed");
}

TEST(Abi, WritesHeadsAndTails) {
  Hash32 digest{};
  digest.fill(0x11);
  const Bytes data =
      AbiWriter("isValidSignature(bytes32,bytes)").Word(digest).Dynamic(Bytes(33, 0xaa)).Finish();
  EXPECT_EQ(ToHex(data),
            "1626ba7e"
            "1111111111111111111111111111111111111111111111111111111111111111"
            "0000000000000000000000000000000000000000000000000000000000000040"
            "0000000000000000000000000000000000000000000000000000000000000021"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aa00000000000000000000000000000000000000000000000000000000000000");
}

TEST(Abi, ReadsWhatItWrote) {
  const Bytes data = AbiWriter()
                         .Address(TestAddress(0))
                         .Uint(7)
                         .Bool(true)
                         .Dynamic(AsBytes("hello"))
                         .Dynamic({})
                         .Finish();
  AbiReader reader(data);
  EXPECT_EQ(*reader.Address(), TestAddress(0));
  EXPECT_EQ(*reader.Uint64(), 7U);
  EXPECT_TRUE(*reader.Bool());
  EXPECT_EQ(AsText(*reader.Dynamic(5)), "hello");
  EXPECT_TRUE(reader.Dynamic(0)->empty());
}

TEST(Abi, RefusesHostileData) {
  Hash32 word{};
  word[0] = 1;
  EXPECT_EQ(CodeOf(AbiReader(word).Address()), "chain.malformed");
  EXPECT_EQ(CodeOf(AbiReader(word).Bool()), "chain.malformed");
  EXPECT_EQ(CodeOf(AbiReader(word).Uint64()), "chain.out_of_range");
  EXPECT_EQ(CodeOf(AbiReader(UintWord(2)).Bool()), "chain.malformed");
  EXPECT_EQ(CodeOf(AbiReader(ByteView(word).first(31)).Word()), "chain.malformed");
  EXPECT_EQ(CodeOf(AbiReader({}).Word()), "chain.malformed");
}

TEST(Abi, RefusesHostileTails) {
  const auto dynamic = [](std::initializer_list<uint64_t> words, size_t max) {
    Bytes data;
    for (const uint64_t w : words) Append(data, UintWord(w));
    return CodeOf(AbiReader(data).Dynamic(max));
  };
  EXPECT_EQ(dynamic({32, 0}, 10), "ok");
  EXPECT_EQ(dynamic({33, 0}, 10), "chain.malformed");          // size word cut off
  EXPECT_EQ(dynamic({64}, 10), "chain.malformed");             // offset outside
  EXPECT_EQ(dynamic({UINT64_MAX, 0}, 10), "chain.malformed");  // offset far outside
  EXPECT_EQ(dynamic({32, 11, 0}, 10), "chain.malformed");      // larger than asked for
  EXPECT_EQ(dynamic({32, 40, 0}, 100), "chain.malformed");     // larger than there is
  EXPECT_EQ(dynamic({32, UINT64_MAX, 0}, SIZE_MAX), "chain.malformed");
  EXPECT_EQ(dynamic({32, 1, 5}, 10), "chain.malformed");  // padding
}

TEST(U256, DecimalBothWays) {
  const std::string max =
      "115792089237316195423570985008687907853269984665640564039457584007913129639935";
  EXPECT_EQ(U256::FromDecimal(max)->ToDecimal(), max);
  EXPECT_EQ(U256::FromDecimal("0")->ToDecimal(), "0");
  EXPECT_EQ(U256::From(UINT64_MAX).ToDecimal(), "18446744073709551615");
  EXPECT_EQ(CodeOf(U256::FromDecimal(
                "115792089237316195423570985008687907853269984665640564039457584007913129639936")),
            "chain.out_of_range");
  EXPECT_EQ(CodeOf(U256::FromDecimal("")), "input.malformed");
  EXPECT_EQ(CodeOf(U256::FromDecimal("-1")), "input.malformed");
}

TEST(U256, QuantitiesAreStrict) {
  EXPECT_EQ(U256::FromQuantity("0x0")->ToQuantity(), "0x0");
  EXPECT_EQ(U256::FromQuantity("0x1f")->ToDecimal(), "31");
  EXPECT_EQ(U256::FromQuantity("0x" + std::string(64, 'f'))->bytes[0], 0xff);
  for (const std::string& bad :
       {std::string("0x"), std::string("0x01"), std::string("1f"), std::string("0xg"),
        std::string("0X1"), "0x1" + std::string(64, '0'), std::string("0x-1"), std::string("")}) {
    EXPECT_EQ(CodeOf(U256::FromQuantity(bad)), "input.malformed") << bad;
  }
}

TEST(U256, ArithmeticIsChecked) {
  const U256 max = *U256::FromQuantity("0x" + std::string(64, 'f'));
  EXPECT_EQ(U256::From(UINT64_MAX).Times(UINT64_MAX)->ToDecimal(),
            "340282366920938463426481119284349108225");
  EXPECT_EQ(U256::From(UINT64_MAX).Plus(U256::From(1))->ToDecimal(), "18446744073709551616");
  EXPECT_EQ(CodeOf(max.Plus(U256::From(1))), "chain.out_of_range");
  EXPECT_EQ(CodeOf(max.Times(2)), "chain.out_of_range");
  EXPECT_EQ(CodeOf(max.ToU64()), "chain.out_of_range");
  EXPECT_LT(U256::From(255), U256::From(256));
}

TEST(U256, WeiForPeople) {
  EXPECT_EQ(FormatWei(U256()), "0 wei");
  EXPECT_EQ(FormatWei(U256::From(999'999'999)), "999999999 wei");
  EXPECT_EQ(FormatWei(U256::From(1'000'000'000)), "0.000000001 ETH");
  EXPECT_EQ(FormatWei(U256::From(250'000'000'000'000'000)), "0.25 ETH");
  EXPECT_EQ(FormatWei(*U256::FromDecimal("12000000000000000000")), "12 ETH");
}

}  // namespace
}  // namespace cce::chain
