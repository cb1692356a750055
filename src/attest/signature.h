// Public keys and signatures of the attestation PKIs, over OpenSSL 3. Internal to src/attest.
#pragma once

#include <memory>

#include "base/bytes.h"

struct ec_key_st;
struct rsa_st;

namespace cce::attest {

enum class KeyKind { kP256, kP384, kRsa };

// An imported public key; cheap to copy, safe to share between threads. Empty after a failed
// import.
class PublicKey {
 public:
  PublicKey() = default;
  // x || y, 64 or 96 bytes. Fails for what is no point of the curve.
  static PublicKey FromPoint(KeyKind kind, ByteView point);
  // Big-endian magnitudes. Fails unless the modulus has 4096 bits and the exponent is 65537.
  static PublicKey FromRsa(ByteView modulus, ByteView exponent);

  explicit operator bool() const { return ec_ != nullptr || rsa_ != nullptr; }
  KeyKind kind() const { return kind_; }

  // ECDSA over `digest`; `der` is SEQUENCE{r, s}, `raw` is r || s in the curve's fixed width,
  // big-endian.
  bool VerifyDer(ByteView digest, ByteView der) const;
  bool VerifyRaw(ByteView digest, ByteView raw) const;
  // RSASSA-PSS: SHA-384, MGF1 with SHA-384, salt of 48 bytes.
  bool VerifyPss384(ByteView digest, ByteView signature) const;

 private:
  KeyKind kind_ = KeyKind::kP256;
  std::shared_ptr<ec_key_st> ec_;
  std::shared_ptr<rsa_st> rsa_;
};

}  // namespace cce::attest
