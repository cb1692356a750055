#include "crypto/ed25519.h"

#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

Result<PkeyPtr> LoadSeed(ByteView seed) {
  if (seed.size() != 32) return Fail("crypto.bad_key", "an Ed25519 seed must have 32 bytes");
  PkeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  if (key == nullptr) return OpenSslFailure("load an Ed25519 seed");
  return key;
}

}  // namespace

Result<Ed25519PublicKey> Ed25519PublicFromSeed(ByteView seed) {
  ASSIGN_OR_RETURN(const PkeyPtr key, LoadSeed(seed));
  Ed25519PublicKey out;
  size_t size = out.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) != 1 || size != out.size()) {
    return OpenSslFailure("read an Ed25519 public key");
  }
  return out;
}

Result<Ed25519Signature> Ed25519Sign(ByteView seed, ByteView message) {
  ASSIGN_OR_RETURN(const PkeyPtr key, LoadSeed(seed));
  const DigestContextPtr context(EVP_MD_CTX_new());
  Ed25519Signature out;
  size_t size = out.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), out.data(), &size, NonNull(message), message.size()) != 1 ||
      size != out.size()) {
    return OpenSslFailure("sign with an Ed25519 key");
  }
  return out;
}

Result<> Ed25519Verify(ByteView public_key, ByteView message, ByteView signature) {
  if (public_key.size() != 32) {
    return Fail("crypto.bad_key", "an Ed25519 public key must have 32 bytes");
  }
  const PkeyPtr key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()));
  if (key == nullptr) {
    (void)OpenSslFailure("load");
    return Fail("crypto.bad_key", "an Ed25519 public key is malformed");
  }
  const DigestContextPtr context(EVP_MD_CTX_new());
  Require(context != nullptr);
  if (signature.size() != 64 ||
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), NonNull(message),
                       message.size()) != 1) {
    (void)OpenSslFailure("verify");
    return Fail("crypto.bad_signature", "an Ed25519 signature does not verify");
  }
  return {};
}

}  // namespace cce::crypto
