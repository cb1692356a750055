// Ethereum keystore V3 ("Web3 Secret Storage Definition"): a wallet key under a passphrase, in the
// file format of the ecosystem's own tools.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"
#include "chain/abi.h"

namespace cce::chain {

struct ScryptCost {
  uint64_t n = 262144;  // a power of two
  uint64_t r = 8;
  uint64_t p = 1;
};

// A new random key.
Result<SecretBytes> NewWalletKey();
// 64 hex digits, "0x" and white space around allowed. Errors: wallet.malformed (no key, or out of
// range).
Result<SecretBytes> ParseWalletKey(std::string_view hex);

// The keystore file's JSON text. `passphrase` is taken as bytes, not empty (wallet.passphrase).
// With the default cost this takes about a second and 256 MiB.
Result<std::string> WriteKeystore(const SecretBytes& key, const SecretBytes& passphrase,
                                  const ScryptCost& cost = {});
// The key: scrypt or PBKDF2-HMAC-SHA-256, AES-128-CTR. Costs of a hostile file are bounded: scrypt
// up to 512 MiB and p <= 16, PBKDF2 up to 10 million rounds (wallet.unsupported). Errors:
// wallet.malformed, wallet.unsupported, wallet.passphrase (wrong passphrase, or a changed file).
Result<SecretBytes> ReadKeystore(std::string_view json, const SecretBytes& passphrase);
// The address that the file names, without the passphrase: a hint; none where the file does not
// tell.
Result<std::optional<EthAddress>> KeystoreAddress(std::string_view json);

}  // namespace cce::chain
