#include "crypto/p256.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>

#include "crypto/hpke_schedule.h"
#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

constexpr char kGroupName[] = "P-256";

using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using PointPtr = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_clear_free>>;
using ParamBuildPtr = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

const EC_GROUP* Group() {
  static const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  Require(group != nullptr);
  return group.get();
}

Unexpected BadPublicKey() {
  return Fail(MakeError("crypto.bad_key", "a P-256 public key is malformed")
                  .Expected("65 bytes 04 || x || y, a point of the curve"));
}

// `scalar` null: a public key only. Null where OpenSSL refuses (no point of the curve).
PkeyPtr MakePkey(ByteView public_key, const BIGNUM* scalar) {
  const ParamBuildPtr build(OSSL_PARAM_BLD_new());
  Require(build != nullptr &&
          OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, kGroupName, 0) &&
          OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, public_key.data(),
                                           public_key.size()));
  if (scalar != nullptr) {
    Require(OSSL_PARAM_BLD_push_BN_pad(build.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar, 32));
  }
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(build.get()));
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  Require(params != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  const int selection = scalar != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
  if (EVP_PKEY_fromdata(context.get(), &key, selection, params.get()) != 1) {
    (void)OpenSslFailure("load a key");
    return nullptr;
  }
  return PkeyPtr(key);
}

Result<PkeyPtr> LoadPublicKey(ByteView public_key) {
  if (public_key.size() != 65 || public_key[0] != 0x04) return BadPublicKey();
  PkeyPtr key = MakePkey(public_key, nullptr);
  if (key == nullptr) return BadPublicKey();
  return key;
}

// scalar * G as 04 || x || y, in constant time.
P256PublicKey PublicOf(const BIGNUM* scalar) {
  const PointPtr point(EC_POINT_new(Group()));
  P256PublicKey out;
  Require(point != nullptr &&
          EC_POINT_mul(Group(), point.get(), scalar, nullptr, nullptr, nullptr) == 1 &&
          EC_POINT_point2oct(Group(), point.get(), POINT_CONVERSION_UNCOMPRESSED, out.data(),
                             out.size(), nullptr) == out.size());
  return out;
}

}  // namespace

struct P256PrivateKey::Impl {
  PkeyPtr key;
  P256PublicKey public_key;
  SecretBytes scalar;
};

P256PrivateKey::P256PrivateKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
P256PrivateKey::P256PrivateKey(P256PrivateKey&&) noexcept = default;
P256PrivateKey& P256PrivateKey::operator=(P256PrivateKey&&) noexcept = default;
P256PrivateKey::~P256PrivateKey() = default;

Result<P256PrivateKey> P256PrivateKey::FromScalar(ByteView scalar) {
  if (scalar.size() != 32) return Fail("crypto.bad_key", "a P-256 scalar must have 32 bytes");
  const BignumPtr number(BN_secure_new());
  Require(number != nullptr && BN_bin2bn(scalar.data(), 32, number.get()) != nullptr);
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  if (BN_is_zero(number.get()) || BN_cmp(number.get(), EC_GROUP_get0_order(Group())) >= 0) {
    return Fail("crypto.bad_key", "a P-256 scalar lies outside 1 .. n-1");
  }
  auto impl = std::make_unique<Impl>();
  impl->public_key = PublicOf(number.get());
  impl->scalar = SecretBytes::CopyOf(scalar);
  impl->key = MakePkey(impl->public_key, number.get());
  if (impl->key == nullptr) return Fail("crypto.failed", "OpenSSL refuses a P-256 key pair");
  return P256PrivateKey(std::move(impl));
}

Result<P256PrivateKey> P256PrivateKey::Generate() { return Derive(RandomSecret(32).Expose()); }

Result<P256PrivateKey> P256PrivateKey::Derive(ByteView seed) {
  if (seed.size() < 32) return Fail("crypto.bad_key", "a key seed must have 32 bytes or more");
  const SecretBytes prk = LabeledExtract(kKemSuiteId, {}, "dkp_prk", seed);
  for (int counter = 0; counter < 256; ++counter) {
    const uint8_t info[1] = {static_cast<uint8_t>(counter)};
    const SecretBytes candidate = LabeledExpand(kKemSuiteId, prk.Expose(), "candidate", info, 32);
    if (Result<P256PrivateKey> key = FromScalar(candidate.Expose())) return key;
  }
  return Fail("crypto.failed", "no key pair could be derived from a seed");
}

const P256PublicKey& P256PrivateKey::public_key() const { return impl_->public_key; }
SecretBytes P256PrivateKey::ExposeScalar() const { return impl_->scalar.Clone(); }
evp_pkey_st* P256PrivateKey::evp() const { return impl_->key.get(); }

Result<P256Signature> P256PrivateKey::Sign(ByteView message) const {
  const DigestContextPtr context(EVP_MD_CTX_new());
  uint8_t der[80];
  size_t size = sizeof(der);
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), der, &size, NonNull(message), message.size()) != 1) {
    return OpenSslFailure("sign with a P-256 key");
  }
  const uint8_t* p = der;
  const SignaturePtr pair(d2i_ECDSA_SIG(nullptr, &p, static_cast<long>(size)));
  P256Signature out;
  Require(pair != nullptr && BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out.data(), 32) == 32 &&
          BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out.data() + 32, 32) == 32);
  return out;
}

Result<SecretBytes> P256PrivateKey::SharedSecret(ByteView peer_public_key) const {
  ASSIGN_OR_RETURN(const PkeyPtr peer, LoadPublicKey(peer_public_key));
  const PkeyContextPtr context(EVP_PKEY_CTX_new(impl_->key.get(), nullptr));
  SecretBytes out(32);
  size_t size = out.size();
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), out.ExposeMutable().data(), &size) != 1 || size != 32) {
    return OpenSslFailure("agree on a P-256 secret");
  }
  return out;
}

Result<> P256CheckPublicKey(ByteView public_key) {
  TRY(LoadPublicKey(public_key));
  return {};
}

Result<> P256Verify(ByteView public_key, ByteView message, ByteView signature) {
  ASSIGN_OR_RETURN(const PkeyPtr key, LoadPublicKey(public_key));
  const auto bad = Fail("crypto.bad_signature", "a P-256 signature does not verify");
  if (signature.size() != 64) return bad;
  BignumPtr r(BN_bin2bn(signature.data(), 32, nullptr));
  BignumPtr s(BN_bin2bn(signature.data() + 32, 32, nullptr));
  const SignaturePtr pair(ECDSA_SIG_new());
  Require(r != nullptr && s != nullptr && pair != nullptr &&
          ECDSA_SIG_set0(pair.get(), r.release(), s.release()) == 1);
  uint8_t der[80];
  uint8_t* end = der;
  const int size = i2d_ECDSA_SIG(pair.get(), &end);
  const DigestContextPtr context(EVP_MD_CTX_new());
  Require(size > 0 && context != nullptr);
  if (EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestVerify(context.get(), der, static_cast<size_t>(size), NonNull(message),
                       message.size()) != 1) {
    (void)OpenSslFailure("verify");
    return bad;
  }
  return {};
}

}  // namespace cce::crypto
