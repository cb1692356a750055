// The two implementations behind NewAead. Internal to src/crypto.
#pragma once

#include "crypto/aead.h"

namespace cce::crypto {

bool IpsecMbUsable();
std::unique_ptr<Aead> NewIpsecMbAead(ByteView key);  // only where IpsecMbUsable()
std::unique_ptr<Aead> NewOpenSslAead(
    ByteView key);  // also takes 16 bytes: AES-128-GCM, for RFC vectors

// Sizes that both refuse alike, with crypto.failed. GCM allows 2^36 - 32 bytes a message.
Result<> CheckSealSizes(ByteView nonce, ByteView plaintext, std::span<uint8_t> out);
Result<> CheckOpenSizes(ByteView nonce, ByteView ciphertext, std::span<uint8_t> out);
Unexpected DecryptFailure();

}  // namespace cce::crypto
