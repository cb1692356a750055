// The inner steps of HPKE (RFC 9180), apart from the messages so that the RFC's vectors reach each
// of them: its vectors for this KEM and KDF use AES-128-GCM. Internal to src/crypto.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/p256.h"

namespace cce::crypto {

constexpr std::string_view kKemSuiteId{"KEM\x00\x10", 5};

// Section 4: both bind "HPKE-v1", the suite and a label.
SecretBytes LabeledExtract(std::string_view suite_id, ByteView salt, std::string_view label,
                           ByteView key);
SecretBytes LabeledExpand(std::string_view suite_id, ByteView pseudorandom_key,
                          std::string_view label, ByteView info, size_t size);

// Section 4.1. Both give the 32-byte shared secret.
Result<SecretBytes> KemEncap(const P256PrivateKey& ephemeral, ByteView recipient_public_key);
Result<SecretBytes> KemDecap(const P256PrivateKey& recipient, ByteView enc);

// Section 5.1, base mode. The values are RFC 9180's AEAD identifiers.
enum class HpkeAead : uint8_t { kAes128Gcm = 1, kAes256Gcm = 2 };
struct HpkeKeys {
  SecretBytes key;
  SecretBytes base_nonce;
  SecretBytes exporter_secret;
};
HpkeKeys KeySchedule(HpkeAead aead, ByteView shared_secret, ByteView info);

// HpkeSeal with the ephemeral key given.
Result<Bytes> HpkeSealWith(const P256PrivateKey& ephemeral, HpkeAead aead,
                           ByteView recipient_public_key, ByteView info, ByteView aad,
                           ByteView plaintext);

}  // namespace cce::crypto
