#include "crypto/aead.h"

#include <openssl/evp.h>

#include "crypto/aead_backends.h"
#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

// One update call of OpenSSL takes an int.
constexpr size_t kMaxMessage = size_t{1} << 30;

class OpenSslAead : public Aead {
 public:
  explicit OpenSslAead(ByteView key)
      : key_(SecretBytes::CopyOf(key)),
        seal_(Keyed(key, /*encrypt=*/1)),
        open_(Keyed(key, /*encrypt=*/0)) {}

  Result<> Seal(ByteView nonce, ByteView aad, ByteView plaintext,
                std::span<uint8_t> out) const override {
    TRY(CheckSealSizes(nonce, plaintext, out));
    const CipherContextPtr context = Start(seal_, nonce, aad);
    uint8_t* tag = out.data() + plaintext.size();
    int n = 0;
    Require(EVP_EncryptUpdate(context.get(), out.data(), &n, NonNull(plaintext),
                              static_cast<int>(plaintext.size())) == 1);
    Require(EVP_EncryptFinal_ex(context.get(), tag, &n) == 1);
    Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag) == 1);
    return {};
  }

  Result<> Open(ByteView nonce, ByteView aad, ByteView ciphertext,
                std::span<uint8_t> out) const override {
    TRY(CheckOpenSizes(nonce, ciphertext, out));
    const size_t size = ciphertext.size() - kAeadTagSize;
    ByteArray<kAeadTagSize> tag;
    std::copy_n(ciphertext.begin() + size, kAeadTagSize, tag.begin());
    const CipherContextPtr context = Start(open_, nonce, aad);
    uint8_t unused[kAeadTagSize];
    int n = 0;
    Require(EVP_DecryptUpdate(context.get(), size == 0 ? unused : out.data(), &n,
                              NonNull(ciphertext), static_cast<int>(size)) == 1);
    Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag.data()) ==
            1);
    if (EVP_DecryptFinal_ex(context.get(), unused, &n) != 1) {
      Wipe(out.first(size));
      return DecryptFailure();
    }
    return {};
  }

 private:
  static CipherContextPtr Keyed(ByteView key, int encrypt) {
    CipherContextPtr context(EVP_CIPHER_CTX_new());
    const EVP_CIPHER* cipher = key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    Require(context != nullptr &&
            EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(), nullptr, encrypt) == 1);
    return context;
  }

  // A context for one message: a copy of the keyed one, so that the key is expanded once and
  // threads share it.
  static CipherContextPtr Start(const CipherContextPtr& keyed, ByteView nonce, ByteView aad) {
    CipherContextPtr context(EVP_CIPHER_CTX_new());
    int n = 0;
    Require(context != nullptr && EVP_CIPHER_CTX_copy(context.get(), keyed.get()) == 1 &&
            EVP_CipherInit_ex(context.get(), nullptr, nullptr, nullptr, nonce.data(), -1) == 1);
    if (!aad.empty()) {
      Require(EVP_CipherUpdate(context.get(), nullptr, &n, aad.data(),
                               static_cast<int>(aad.size())) == 1);
    }
    return context;
  }

  const SecretBytes key_;
  const CipherContextPtr seal_;
  const CipherContextPtr open_;
};

}  // namespace

Result<> CheckSealSizes(ByteView nonce, ByteView plaintext, std::span<uint8_t> out) {
  if (nonce.size() != kAeadNonceSize || plaintext.size() > kMaxMessage ||
      out.size() != plaintext.size() + kAeadTagSize) {
    return Fail("crypto.failed", "wrong sizes given to an AEAD");
  }
  return {};
}

Result<> CheckOpenSizes(ByteView nonce, ByteView ciphertext, std::span<uint8_t> out) {
  if (ciphertext.size() < kAeadTagSize) return DecryptFailure();
  if (nonce.size() != kAeadNonceSize || ciphertext.size() > kMaxMessage + kAeadTagSize ||
      out.size() != ciphertext.size() - kAeadTagSize) {
    return Fail("crypto.failed", "wrong sizes given to an AEAD");
  }
  return {};
}

Unexpected DecryptFailure() {
  return Fail("crypto.decrypt_failed", "a ciphertext does not authenticate");
}

std::unique_ptr<Aead> NewOpenSslAead(ByteView key) { return std::make_unique<OpenSslAead>(key); }

Result<Bytes> SealWithRandomNonce(const Aead& aead, ByteView aad, ByteView plaintext) {
  Bytes out = RandomBytes(kAeadNonceSize);
  out.resize(kAeadNonceSize + plaintext.size() + kAeadTagSize);
  const std::span<uint8_t> all(out);
  TRY(aead.Seal(all.first(kAeadNonceSize), aad, plaintext, all.subspan(kAeadNonceSize)));
  return out;
}

Result<SecretBytes> OpenWithNonce(const Aead& aead, ByteView aad, ByteView message) {
  if (message.size() < kAeadNonceSize + kAeadTagSize) return DecryptFailure();
  SecretBytes out(message.size() - kAeadNonceSize - kAeadTagSize);
  TRY(aead.Open(message.first(kAeadNonceSize), aad, message.subspan(kAeadNonceSize),
                out.ExposeMutable()));
  return out;
}

}  // namespace cce::crypto
