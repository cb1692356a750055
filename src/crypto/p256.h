// ECDSA P-256 with SHA-256 (FIPS 186-5): the identity key's signatures. Public keys are SEC1
// uncompressed (65 bytes, 04 || x || y); signatures are r || s (64 bytes), as in JOSE.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace cce::crypto {

using P256PublicKey = ByteArray<65>;
using P256Signature = ByteArray<64>;

class P256PrivateKey {
 public:
  static Result<P256PrivateKey> Generate();
  // Deterministic: RFC 9180 section 7.1.3 DeriveKeyPair with DHKEM(P-256, HKDF-SHA256). `seed` >=
  // 32 bytes.
  static Result<P256PrivateKey> Derive(ByteView seed);
  static Result<P256PrivateKey> FromScalar(ByteView scalar);  // 32 bytes, 0 < scalar < n

  P256PrivateKey(P256PrivateKey&&) noexcept;
  P256PrivateKey& operator=(P256PrivateKey&&) noexcept;
  ~P256PrivateKey();

  const P256PublicKey& public_key() const;
  Result<P256Signature> Sign(ByteView message) const;
  // ECDH: the shared point's x coordinate (32 bytes).
  Result<SecretBytes> SharedSecret(ByteView peer_public_key) const;
  SecretBytes ExposeScalar() const;
  evp_pkey_st* evp() const;  // for TLS: still owned here

 private:
  struct Impl;
  explicit P256PrivateKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// crypto.bad_key where `public_key` is no point of the curve; crypto.bad_signature.
Result<> P256Verify(ByteView public_key, ByteView message, ByteView signature);
Result<> P256CheckPublicKey(ByteView public_key);

}  // namespace cce::crypto
