#include "chain/keystore.h"

#include <botan/pwdhash.h>
#include <openssl/evp.h>

#include <exception>
#include <memory>

#include "base/json.h"
#include "crypto/hash.h"

namespace cce::chain {
namespace {

constexpr size_t kMaxFile = size_t{16} * 1024;
constexpr size_t kDerivedSize = 32;  // the first half is the cipher's key, the second the MAC's
constexpr uint64_t kMaxScryptMemory = uint64_t{512} << 20;
constexpr uint64_t kMaxRounds = 10'000'000;

Unexpected Unsupported(std::string what) {
  return Fail("wallet.unsupported", "the keystore asks for " + std::move(what));
}

// Bounds the cost of a file: memory is 128 * n * r (RFC 7914), time is p times that.
Result<> CheckCost(const ScryptCost& cost) {
  const bool power_of_two = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0;
  if (!power_of_two || cost.n > (uint64_t{1} << 22) || cost.r < 1 || cost.r > 64 || cost.p < 1 ||
      cost.p > 16 || 128 * cost.n * cost.r > kMaxScryptMemory) {
    return Unsupported("scrypt with n = " + std::to_string(cost.n) +
                       ", r = " + std::to_string(cost.r) + ", p = " + std::to_string(cost.p));
  }
  return {};
}

// Botan's, because OpenSSL insists on RFC 7914's n < 2^(16 r), which the definition's own test
// vector breaks.
Result<SecretBytes> Scrypt(const SecretBytes& passphrase, ByteView salt, const ScryptCost& cost) {
  TRY(CheckCost(cost));
  SecretBytes out(kDerivedSize);
  const std::string_view password = AsText(passphrase.Expose());
  try {
    const auto scrypt =
        Botan::PasswordHashFamily::create_or_throw("Scrypt")->from_params(cost.n, cost.r, cost.p);
    scrypt->derive_key(out.ExposeMutable().data(), out.size(), password.data(), password.size(),
                       salt.data(), salt.size());
  } catch (const std::exception&) {
    return Fail("crypto.failed", "scrypt failed (memory?)");
  }
  return out;
}

Result<SecretBytes> Pbkdf2(const SecretBytes& passphrase, ByteView salt, uint64_t rounds) {
  SecretBytes out(kDerivedSize);
  const auto password = AsText(passphrase.Expose());
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                        static_cast<int>(salt.size()), static_cast<int>(rounds), EVP_sha256(),
                        static_cast<int>(out.size()), out.ExposeMutable().data()) != 1) {
    return Fail("crypto.failed", "PBKDF2 failed");
  }
  return out;
}

// AES-128-CTR both ways.
Result<> Aes128Ctr(ByteView key, ByteView iv, ByteView in, std::span<uint8_t> out) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int size = 0;
  if (!context ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) != 1 ||
      EVP_EncryptUpdate(context.get(), out.data(), &size, in.data(), static_cast<int>(in.size())) !=
          1 ||
      static_cast<size_t>(size) != in.size()) {
    return Fail("crypto.failed", "AES-128-CTR failed");
  }
  return {};
}

Hash32 Mac(const SecretBytes& derived, ByteView ciphertext) {
  SecretBytes input(16 + ciphertext.size());
  const ByteView half = derived.Expose().subspan(16, 16);
  std::copy(half.begin(), half.end(), input.ExposeMutable().begin());
  std::copy(ciphertext.begin(), ciphertext.end(), input.ExposeMutable().begin() + 16);
  return crypto::Keccak256(input.Expose());
}

std::string NewUuid() {
  auto id = crypto::RandomArray<16>();
  id[6] = static_cast<uint8_t>((id[6] & 0x0f) | 0x40);  // RFC 9562, version 4
  id[8] = static_cast<uint8_t>((id[8] & 0x3f) | 0x80);
  std::string text = ToHex(id);
  for (const size_t at : {8, 13, 18, 23}) text.insert(at, 1, '-');
  return text;
}

Result<> CheckKey(const SecretBytes& key) {
  if (key.size() != 32 || !crypto::EthAddressOf(key)) {
    return Fail("wallet.malformed", "the wallet key is not a secp256k1 key");
  }
  return {};
}

Result<> CheckPassphrase(const SecretBytes& passphrase) {
  if (passphrase.empty()) return Fail("wallet.passphrase", "the passphrase is empty");
  if (passphrase.size() > 1024) return Fail("wallet.passphrase", "the passphrase is too long");
  return {};
}

Unexpected AsMalformed(const Error& error) {
  Error out = MakeError("wallet.malformed", "the keystore file is malformed: " + error.message);
  out.expected = error.expected;
  return Fail(std::move(out));
}

// What a file says; sizes are checked, costs not yet.
struct Keystore {
  std::optional<EthAddress> address;
  Bytes iv, ciphertext, mac, salt;
  std::string cipher, kdf, prf;
  ScryptCost scrypt;
  uint64_t rounds = 0;
  uint64_t derived_size = 0;
};

Result<Keystore> ParseFile(std::string_view text) {
  const auto document =
      ParseJsonDocument(text, "keystore", {.max_bytes = kMaxFile, .max_depth = 8});
  if (!document) return AsMalformed(document.error());
  Keystore out;
  Fields root(*document);
  // Other tools add members of their own (names, mnemonics): they are let be.
  root.Keys();
  root.Uint("version", {.min = 3, .max = 3});
  if (root.Has("address")) {
    const Bytes address = root.Hex("address", 20, true);
    if (address.size() == 20) out.address = *ToArray<20>(address);
  }
  Fields crypto = root.Object(root.Has("Crypto") ? "Crypto" : "crypto");
  crypto.Keys();
  out.cipher = crypto.String("cipher", {.max = 32});
  Fields params = crypto.Object("cipherparams");
  params.Keys();
  out.iv = params.Hex("iv", 16);
  out.ciphertext = crypto.Hex("ciphertext", 32);
  out.mac = crypto.Hex("mac", 32);
  out.kdf = crypto.String("kdf", {.max = 32});
  Fields kdf = crypto.Object("kdfparams");
  kdf.Keys();
  out.derived_size = kdf.Uint("dklen", {});
  out.salt = kdf.Hex("salt", 0);
  if (out.kdf == "scrypt") {
    out.scrypt = {.n = kdf.Uint("n", {}), .r = kdf.Uint("r", {}), .p = kdf.Uint("p", {})};
  } else if (out.kdf == "pbkdf2") {
    out.rounds = kdf.Uint("c", {});
    out.prf = kdf.String("prf", {.max = 32});
  }
  if (const auto done = root.Finish(); !done) return AsMalformed(done.error());
  return out;
}

Result<SecretBytes> Derive(const Keystore& file, const SecretBytes& passphrase) {
  if (file.cipher != "aes-128-ctr") return Unsupported("another cipher than aes-128-ctr");
  if (file.derived_size != kDerivedSize) return Unsupported("another dklen than 32");
  if (file.salt.size() > 1024) return Unsupported("a salt of more than 1024 bytes");
  if (file.kdf == "scrypt") return Scrypt(passphrase, file.salt, file.scrypt);
  if (file.kdf != "pbkdf2" || file.prf != "hmac-sha256") {
    return Unsupported("another key derivation than scrypt or pbkdf2 with hmac-sha256");
  }
  if (file.rounds < 1 || file.rounds > kMaxRounds) {
    return Unsupported(std::to_string(file.rounds) + " rounds of PBKDF2");
  }
  return Pbkdf2(passphrase, file.salt, file.rounds);
}

}  // namespace

Result<SecretBytes> NewWalletKey() {
  while (true) {
    SecretBytes key = crypto::RandomSecret(32);
    if (CheckKey(key)) return key;  // all but one in 2^128 are
  }
}

Result<SecretBytes> ParseWalletKey(std::string_view hex) {
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!hex.empty() && space(hex.front())) hex.remove_prefix(1);
  while (!hex.empty() && space(hex.back())) hex.remove_suffix(1);
  auto bytes = FromHex(hex, true);
  if (!bytes) return Fail("wallet.malformed", "the wallet key is not 64 hex digits");
  SecretBytes key = SecretBytes::Adopt(std::move(*bytes));
  TRY(CheckKey(key));
  return key;
}

Result<std::string> WriteKeystore(const SecretBytes& key, const SecretBytes& passphrase,
                                  const ScryptCost& cost) {
  TRY(CheckKey(key));
  TRY(CheckPassphrase(passphrase));
  ASSIGN_OR_RETURN(const EthAddress address, crypto::EthAddressOf(key));
  const Bytes salt = crypto::RandomBytes(32);
  const Bytes iv = crypto::RandomBytes(16);
  ASSIGN_OR_RETURN(const SecretBytes derived, Scrypt(passphrase, salt, cost));
  Bytes ciphertext(key.size());
  TRY(Aes128Ctr(derived.Expose().first(16), iv, key.Expose(), ciphertext));
  const json::object crypto = {{"cipher", "aes-128-ctr"},
                               {"cipherparams", {{"iv", ToHex(iv)}}},
                               {"ciphertext", ToHex(ciphertext)},
                               {"kdf", "scrypt"},
                               {"kdfparams",
                                {{"dklen", kDerivedSize},
                                 {"n", cost.n},
                                 {"p", cost.p},
                                 {"r", cost.r},
                                 {"salt", ToHex(salt)}}},
                               {"mac", ToHex(Mac(derived, ciphertext))}};
  return ToPrettyJson(json::object{
      {"address", ToHex(address)}, {"crypto", crypto}, {"id", NewUuid()}, {"version", 3}});
}

Result<SecretBytes> ReadKeystore(std::string_view json, const SecretBytes& passphrase) {
  TRY(CheckPassphrase(passphrase));
  ASSIGN_OR_RETURN(const Keystore file, ParseFile(json));
  ASSIGN_OR_RETURN(const SecretBytes derived, Derive(file, passphrase));
  if (!ConstantTimeEqual(Mac(derived, file.ciphertext), file.mac)) {
    return Fail("wallet.passphrase", "the passphrase does not open the keystore");
  }
  SecretBytes key(file.ciphertext.size());
  TRY(Aes128Ctr(derived.Expose().first(16), file.iv, file.ciphertext, key.ExposeMutable()));
  TRY(CheckKey(key));
  // The MAC does not cover the address: a changed one would show the person another wallet.
  ASSIGN_OR_RETURN(const EthAddress address, crypto::EthAddressOf(key));
  if (file.address && *file.address != address) {
    return Fail(MakeError("wallet.malformed", "the keystore names another wallet than it holds")
                    .Expected(FormatAddress(address))
                    .Found(FormatAddress(*file.address)));
  }
  return key;
}

Result<std::optional<EthAddress>> KeystoreAddress(std::string_view json) {
  ASSIGN_OR_RETURN(const Keystore file, ParseFile(json));
  return file.address;
}

}  // namespace cce::chain
