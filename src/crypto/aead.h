// AES-256-GCM (NIST SP 800-38D) behind one interface: libipsec-mb where the CPU has VAES, else
// OpenSSL; chosen at run time, both give equal bytes. An Aead holds the expanded key and is safe to
// use from many threads.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::crypto {

constexpr size_t kAeadKeySize = 32;
constexpr size_t kAeadNonceSize = 12;
constexpr size_t kAeadTagSize = 16;

enum class AeadBackend { kBest, kOpenSsl, kIpsecMb };

class Aead {
 public:
  virtual ~Aead() = default;
  // Writes plaintext.size() + 16 bytes to `out` (ciphertext, then tag). `out` may begin at
  // plaintext.data().
  virtual Result<> Seal(ByteView nonce, ByteView aad, ByteView plaintext,
                        std::span<uint8_t> out) const = 0;
  // Writes ciphertext.size() - 16 bytes to `out`, and only what authenticated; else
  // crypto.decrypt_failed with `out` wiped.
  virtual Result<> Open(ByteView nonce, ByteView aad, ByteView ciphertext,
                        std::span<uint8_t> out) const = 0;
};

// `key` of 32 bytes. kIpsecMb fails with internal.unavailable where the CPU lacks VAES or AVX-512.
Result<std::unique_ptr<Aead>> NewAead(ByteView key, AeadBackend backend = AeadBackend::kBest);

// Convenience for single messages: a fresh random nonce stands before the ciphertext (RFC 5116
// form). One key must seal fewer than 2^32 messages this way.
Result<Bytes> SealWithRandomNonce(const Aead& aead, ByteView aad, ByteView plaintext);
Result<SecretBytes> OpenWithNonce(const Aead& aead, ByteView aad, ByteView message);

}  // namespace cce::crypto
