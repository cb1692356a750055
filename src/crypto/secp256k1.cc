#include "crypto/secp256k1.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

// Blinded against side channels once; read-only afterwards, so that all threads share it.
const secp256k1_context* Context() {
  static const secp256k1_context* const context = [] {
    secp256k1_context* c =
        secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    Require(c != nullptr && secp256k1_context_randomize(c, RandomSecret(32).Expose().data()) == 1);
    return c;
  }();
  return context;
}

EthAddress AddressOf(const secp256k1_pubkey& key) {
  uint8_t point[65];
  size_t size = sizeof(point);
  Require(secp256k1_ec_pubkey_serialize(Context(), point, &size, &key, SECP256K1_EC_UNCOMPRESSED) ==
          1);
  const ByteArray<32> hash = Keccak256(ByteView(point).subspan(1));
  EthAddress out;
  std::copy_n(hash.begin() + 12, out.size(), out.begin());
  return out;
}

Unexpected BadKey() {
  return Fail("crypto.bad_key", "a secp256k1 key must have 32 bytes between 1 and n-1");
}

Unexpected BadSignature(std::string found) {
  return Fail(MakeError("crypto.bad_signature", "a secp256k1 signature is not acceptable")
                  .Expected("r || s || v, s in the lower half, v 27 or 28")
                  .Found(std::move(found)));
}

}  // namespace

Result<EthAddress> EthAddressOf(const SecretBytes& key) {
  secp256k1_pubkey public_key;
  if (key.size() != 32 ||
      secp256k1_ec_pubkey_create(Context(), &public_key, key.Expose().data()) != 1) {
    return BadKey();
  }
  return AddressOf(public_key);
}

Result<EthSignature> EthSignDigest(const SecretBytes& key, ByteView digest32) {
  if (digest32.size() != 32) return Fail("crypto.failed", "a digest must have 32 bytes");
  secp256k1_ecdsa_recoverable_signature signature;
  // The library's nonces are RFC 6979's, its s always low.
  if (key.size() != 32 ||
      secp256k1_ecdsa_sign_recoverable(Context(), &signature, digest32.data(), key.Expose().data(),
                                       nullptr, nullptr) != 1) {
    return BadKey();
  }
  EthSignature out;
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(Context(), out.data(), &recovery_id,
                                                          &signature);
  // 2 and 3 mean r >= n, which no one has ever met (probability 2^-127) and Ethereum cannot write
  // down.
  if (recovery_id > 1) return Fail("crypto.failed", "the signature has no Ethereum form");
  out[64] = static_cast<uint8_t>(27 + recovery_id);
  return out;
}

Result<EthAddress> EthRecover(ByteView digest32, ByteView signature65) {
  if (digest32.size() != 32) return Fail("crypto.failed", "a digest must have 32 bytes");
  if (signature65.size() != 65) {
    return BadSignature(std::to_string(signature65.size()) + " bytes");
  }
  const int v = signature65[64];
  const int recovery_id = v >= 27 ? v - 27 : v;
  if (recovery_id > 1) return BadSignature("v = " + std::to_string(v));
  secp256k1_ecdsa_recoverable_signature signature;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(Context(), &signature, signature65.data(),
                                                          recovery_id) != 1) {
    return BadSignature("r or s >= n");
  }
  secp256k1_ecdsa_signature plain;
  secp256k1_ecdsa_recoverable_signature_convert(Context(), &plain, &signature);
  if (secp256k1_ecdsa_signature_normalize(Context(), nullptr, &plain) != 0) {
    return BadSignature("s in the upper half (EIP-2)");
  }
  secp256k1_pubkey public_key;
  if (secp256k1_ecdsa_recover(Context(), &public_key, &signature, digest32.data()) != 1) {
    return BadSignature("no key recovers");
  }
  return AddressOf(public_key);
}

}  // namespace cce::crypto
