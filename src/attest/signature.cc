// OpenSSL's functions for each algorithm rather than EVP: making an EVP key or context takes
// searches through the names of all algorithms each time, a tenth of a warm verification.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "attest/signature.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstring>

namespace cce::attest {
namespace {

struct FreeSignature {
  void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
};
using SignaturePtr = std::unique_ptr<ECDSA_SIG, FreeSignature>;

size_t ScalarSize(KeyKind kind) { return kind == KeyKind::kP256 ? 32 : 48; }

// Made once: making a curve takes longer than all else of a key's import.
const EC_GROUP* CurveOf(KeyKind kind) {
  static const EC_GROUP* const p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  static const EC_GROUP* const p384 = EC_GROUP_new_by_curve_name(NID_secp384r1);
  return kind == KeyKind::kP256 ? p256 : p384;
}

// Leaves nothing in OpenSSL's queue of errors.
bool Done(bool ok) {
  if (!ok) ERR_clear_error();
  return ok;
}

}  // namespace

PublicKey PublicKey::FromPoint(KeyKind kind, ByteView point) {
  if (kind == KeyKind::kRsa || point.size() != 2 * ScalarSize(kind)) return {};
  uint8_t sec1[97] = {0x04};
  std::memcpy(sec1 + 1, point.data(), point.size());
  PublicKey out;
  out.kind_ = kind;
  out.ec_ = std::shared_ptr<ec_key_st>(EC_KEY_new(), EC_KEY_free);
  if (!Done(out.ec_ != nullptr && EC_KEY_set_group(out.ec_.get(), CurveOf(kind)) == 1 &&
            EC_KEY_oct2key(out.ec_.get(), sec1, point.size() + 1, nullptr) == 1)) {
    return {};
  }
  return out;
}

PublicKey PublicKey::FromRsa(ByteView modulus, ByteView exponent) {
  static constexpr uint8_t kF4[] = {1, 0, 1};
  if (modulus.size() != 512 || (modulus[0] & 0x80) == 0 || !Equal(exponent, kF4)) return {};
  PublicKey out;
  out.kind_ = KeyKind::kRsa;
  out.rsa_ = std::shared_ptr<rsa_st>(RSA_new(), RSA_free);
  BIGNUM* const n = BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr);
  BIGNUM* const e = BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr);
  if (out.rsa_ == nullptr || RSA_set0_key(out.rsa_.get(), n, e, nullptr) != 1) {
    BN_free(n);
    BN_free(e);
    Done(false);
    return {};
  }
  return out;
}

bool PublicKey::VerifyDer(ByteView digest, ByteView der) const {
  // A P-384 signature takes 104 bytes at most. ECDSA_verify admits DER alone, without a tail.
  if (ec_ == nullptr || der.size() > 128) return false;
  return Done(ECDSA_verify(0, digest.data(), static_cast<int>(digest.size()), der.data(),
                           static_cast<int>(der.size()), ec_.get()) == 1);
}

bool PublicKey::VerifyRaw(ByteView digest, ByteView raw) const {
  const size_t size = ScalarSize(kind_);
  if (ec_ == nullptr || raw.size() != 2 * size) return false;
  const SignaturePtr signature(ECDSA_SIG_new());
  BIGNUM* const r = BN_bin2bn(raw.data(), static_cast<int>(size), nullptr);
  BIGNUM* const s = BN_bin2bn(raw.data() + size, static_cast<int>(size), nullptr);
  if (signature == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return Done(false);
  }
  return Done(ECDSA_do_verify(digest.data(), static_cast<int>(digest.size()), signature.get(),
                              ec_.get()) == 1);
}

bool PublicKey::VerifyPss384(ByteView digest, ByteView signature) const {
  constexpr size_t kSize = 512;
  if (rsa_ == nullptr || signature.size() != kSize || digest.size() != 48) return false;
  uint8_t encoded[kSize];
  const int size = RSA_public_decrypt(static_cast<int>(kSize), signature.data(), encoded,
                                      rsa_.get(), RSA_NO_PADDING);
  return Done(size == static_cast<int>(kSize) &&
              RSA_verify_PKCS1_PSS_mgf1(rsa_.get(), digest.data(), EVP_sha384(), EVP_sha384(),
                                        encoded, 48) == 1);
}

}  // namespace cce::attest
