#include "chain/keystore.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "chain/test_support.h"

namespace cce::chain {
namespace {

constexpr ScryptCost kCheap{.n = 2, .r = 8, .p = 1};

// Both files hold this key under "testpassword" (Web3 Secret Storage Definition, "Test Vectors").
constexpr std::string_view kKey =
    "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
constexpr std::string_view kPbkdf2File = R"({
  "crypto": {
    "cipher": "aes-128-ctr",
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2",
    "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
      "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
  },
  "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  "version": 3
})";
constexpr std::string_view kScryptFile = R"({
  "crypto": {
    "cipher": "aes-128-ctr",
    "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
    "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    "kdf": "scrypt",
    "kdfparams": {"dklen": 32, "n": 262144, "r": 1, "p": 8,
      "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
    "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"
  },
  "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  "version": 3
})";

SecretBytes Pass(std::string_view text) { return SecretBytes::CopyOf(AsBytes(text)); }

std::string Read(std::string_view file, std::string_view passphrase = "testpassword") {
  const auto key = ReadKeystore(file, Pass(passphrase));
  return key ? ToHex(key->Expose()) : key.error().code;
}

TEST(Keystore, ReadsTheDefinitionsVectors) {
  EXPECT_EQ(Read(kPbkdf2File), kKey);
  EXPECT_EQ(Read(kScryptFile), kKey);
  EXPECT_EQ(Read(kPbkdf2File, "testpasswore"), "wallet.passphrase");
}

TEST(Keystore, ReadsWhatItWrites) {
  const std::string file = WriteKeystore(TestKey(0), Pass("p"), kCheap).value();
  EXPECT_EQ(Read(file, "p"), ToHex(TestKey(0).Expose()));
  EXPECT_EQ(Read(file, "q"), "wallet.passphrase");
  EXPECT_EQ(**KeystoreAddress(file), TestAddress(0));
  const std::string other = WriteKeystore(TestKey(0), Pass("p"), kCheap).value();
  EXPECT_NE(file, other);
  EXPECT_EQ(file.find(ToHex(TestKey(0).Expose())), std::string::npos);
}

// A cheap file with `from` put in the place of the first `to`.
std::string Changed(std::string_view from, std::string_view to) {
  static const std::string file = WriteKeystore(TestKey(0), Pass("p"), kCheap).value();
  std::string out = file;
  const size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}

TEST(Keystore, BoundsTheCostOfHostileFiles) {
  EXPECT_EQ(Read(Changed("\"n\": 2,", "\"n\": 4294967296,"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"n\": 2,", "\"n\": 1048576,"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"n\": 2,", "\"n\": 3,"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"n\": 2,", "\"n\": 0,"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"r\": 8", "\"r\": 0"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"r\": 8", "\"r\": 18446744073709551615"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"p\": 1", "\"p\": 17"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"dklen\": 32", "\"dklen\": 64"), "p"), "wallet.unsupported");
  std::string rounds(kPbkdf2File);
  rounds.replace(rounds.find("262144"), 6, "10000001");
  EXPECT_EQ(Read(rounds), "wallet.unsupported");
  rounds.replace(rounds.find("10000001"), 8, "0");
  EXPECT_EQ(Read(rounds), "wallet.unsupported");
}

TEST(Keystore, RefusesOtherForms) {
  EXPECT_EQ(Read(Changed("aes-128-ctr", "aes-128-cbc"), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"scrypt\"", "\"argon2\""), "p"), "wallet.unsupported");
  EXPECT_EQ(Read(Changed("\"version\": 3", "\"version\": 4"), "p"), "wallet.malformed");
  EXPECT_EQ(Read(Changed("\"mac\": \"", "\"mac\": \"00"), "p"), "wallet.malformed");
  EXPECT_EQ(Read("{}", "p"), "wallet.malformed");
  EXPECT_EQ(Read("", "p"), "wallet.malformed");
  EXPECT_EQ(Read(std::string(20'000, ' '), "p"), "wallet.malformed");
  EXPECT_EQ(Read(kPbkdf2File, ""), "wallet.passphrase");
}

TEST(Keystore, LetsOtherToolsMembersBe) {
  EXPECT_EQ(Read(Changed("\"version\": 3", "\"x-name\": {\"a\": 1}, \"version\": 3"), "p"),
            ToHex(TestKey(0).Expose()));
}

TEST(Keystore, RefusesAForgedAddress) {
  EXPECT_EQ(Read(Changed(ToHex(TestAddress(0)), ToHex(TestAddress(1))), "p"), "wallet.malformed");
}

TEST(Keystore, ImportsHexKeys) {
  const auto hex = [](std::string_view text) {
    const auto key = ParseWalletKey(text);
    return key ? ToHex(key->Expose()) : key.error().code;
  };
  EXPECT_EQ(hex(kKey), kKey);
  EXPECT_EQ(hex("  0x" + std::string(kKey) + "\r\n"), kKey);
  EXPECT_EQ(hex(kKey.substr(2)), "wallet.malformed");
  EXPECT_EQ(hex(""), "wallet.malformed");
  EXPECT_EQ(hex(std::string(64, '0')), "wallet.malformed");
  EXPECT_EQ(hex(std::string(64, 'f')), "wallet.malformed");  // beyond the curve's order
  EXPECT_EQ(hex(std::string(63, '1') + "x"), "wallet.malformed");
}

TEST(Keystore, MakesDifferentKeys) {
  const auto a = NewWalletKey();
  const auto b = NewWalletKey();
  EXPECT_NE(ToHex(a->Expose()), ToHex(b->Expose()));
  EXPECT_TRUE(crypto::EthAddressOf(*a));
}

}  // namespace
}  // namespace cce::chain
