// HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message a
// context. The suite is named in every envelope ("hpke-p256-sha256-aes256gcm").
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/p256.h"

namespace cce::crypto {

constexpr std::string_view kHpkeSuite = "hpke-p256-sha256-aes256gcm";

// enc (65 bytes) || ciphertext.
Result<Bytes> HpkeSeal(ByteView recipient_public_key, ByteView info, ByteView aad,
                       ByteView plaintext);
// crypto.decrypt_failed for any change of envelope, info or aad.
Result<SecretBytes> HpkeOpen(const P256PrivateKey& recipient, ByteView info, ByteView aad,
                             ByteView envelope);

}  // namespace cce::crypto
