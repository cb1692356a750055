// OpenSSL handles that free themselves, and what several files of this folder need. Internal to
// src/crypto.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/hash.h"

namespace cce::crypto {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};

using PkeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using PkeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>>;

// crypto.failed with what was tried; empties OpenSSL's error queue, whose texts name no secret but
// help nobody.
Unexpected OpenSslFailure(std::string_view what);

// For calls that can fail only where the library is broken or memory is gone: ends the process.
void Require(bool ok);

// OpenSSL rejects null pointers in places where it takes an empty input.
inline const uint8_t* NonNull(ByteView bytes) {
  static const uint8_t kEmpty = 0;
  return bytes.empty() ? &kEmpty : bytes.data();
}

// RFC 5869's two steps, SHA-256. `size` <= 8160.
SecretBytes HkdfExtract(ByteView salt, ByteView key);
SecretBytes HkdfExpand(ByteView pseudorandom_key, ByteView info, size_t size);

}  // namespace cce::crypto
