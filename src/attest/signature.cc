#include "attest/signature.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <cstring>

namespace cce::attest {
namespace {

struct FreeContext {
  void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
};
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeContext>;

size_t ScalarSize(KeyKind kind) { return kind == KeyKind::kP256 ? 32 : 48; }

// One INTEGER of a DER signature from a fixed-width big-endian scalar.
void AppendScalar(Bytes& out, ByteView scalar) {
  size_t skip = 0;
  while (skip + 1 < scalar.size() && scalar[skip] == 0) ++skip;
  scalar = scalar.subspan(skip);
  const bool pad = (scalar[0] & 0x80) != 0;
  out.push_back(0x02);
  out.push_back(static_cast<uint8_t>(scalar.size() + (pad ? 1 : 0)));
  if (pad) out.push_back(0);
  Append(out, scalar);
}

}  // namespace

PublicKey PublicKey::Import(KeyKind kind, const char* type, void* params) {
  PublicKey out;
  EVP_PKEY* key = nullptr;
  const ContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  if (context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1 &&
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY,
                        static_cast<OSSL_PARAM*>(params)) == 1) {
    out.key_ = std::shared_ptr<evp_pkey_st>(key, EVP_PKEY_free);
    out.kind_ = kind;
  } else {
    EVP_PKEY_free(key);
    ERR_clear_error();
  }
  return out;
}

PublicKey PublicKey::FromPoint(KeyKind kind, ByteView point) {
  if (kind == KeyKind::kRsa || point.size() != 2 * ScalarSize(kind)) return {};
  uint8_t sec1[97] = {0x04};
  std::memcpy(sec1 + 1, point.data(), point.size());
  char p256[] = "prime256v1";
  char p384[] = "secp384r1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                       kind == KeyKind::kP256 ? p256 : p384, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, sec1, point.size() + 1),
      OSSL_PARAM_construct_end()};
  return Import(kind, "EC", params);
}

PublicKey PublicKey::FromRsa(ByteView modulus, ByteView exponent) {
  static constexpr uint8_t kF4[] = {1, 0, 1};
  if (modulus.size() != 512 || (modulus[0] & 0x80) == 0 || !Equal(exponent, kF4)) return {};
  // OSSL_PARAM integers are in the machine's (little-endian) order.
  uint8_t n[512];
  std::reverse_copy(modulus.begin(), modulus.end(), n);
  uint8_t e[] = {1, 0, 1, 0};
  OSSL_PARAM params[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, sizeof(n)),
                         OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, sizeof(e)),
                         OSSL_PARAM_construct_end()};
  return Import(KeyKind::kRsa, "RSA", params);
}

bool PublicKey::VerifyDer(ByteView digest, ByteView der) const {
  if (key_ == nullptr || kind_ == KeyKind::kRsa) return false;
  const ContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  const bool ok =
      context != nullptr && EVP_PKEY_verify_init(context.get()) == 1 &&
      EVP_PKEY_verify(context.get(), der.data(), der.size(), digest.data(), digest.size()) == 1;
  if (!ok) ERR_clear_error();
  return ok;
}

bool PublicKey::VerifyRaw(ByteView digest, ByteView raw) const {
  const size_t size = ScalarSize(kind_);
  if (kind_ == KeyKind::kRsa || raw.size() != 2 * size) return false;
  Bytes body;
  body.reserve(112);
  body.push_back(0x30);
  body.push_back(0);  // at most 102 bytes follow: one length octet
  AppendScalar(body, raw.first(size));
  AppendScalar(body, raw.subspan(size));
  body[1] = static_cast<uint8_t>(body.size() - 2);
  return VerifyDer(digest, body);
}

bool PublicKey::VerifyPss384(ByteView digest, ByteView signature) const {
  if (key_ == nullptr || kind_ != KeyKind::kRsa) return false;
  const ContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  const bool ok = context != nullptr && EVP_PKEY_verify_init(context.get()) == 1 &&
                  EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha384()) == 1 &&
                  EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha384()) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), 48) == 1 &&
                  EVP_PKEY_verify(context.get(), signature.data(), signature.size(), digest.data(),
                                  digest.size()) == 1;
  if (!ok) ERR_clear_error();
  return ok;
}

}  // namespace cce::attest
