// Digests, HMAC, HKDF (RFC 5869, SHA-256) and randomness, over OpenSSL 3 and
// libipsec-mb; Keccak-256 over Botan 2.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::crypto {

using Sha256Digest = ByteArray<32>;
using Sha384Digest = ByteArray<48>;
using Sha512Digest = ByteArray<64>;

Sha256Digest Sha256(ByteView data);
Sha384Digest Sha384(ByteView data);
Sha512Digest Sha512(ByteView data);
ByteArray<32> Keccak256(ByteView data);
ByteArray<32> HmacSha256(ByteView key, ByteView data);

// The SHA-256 of each message, side by side in the lanes of the vector unit where the processor has
// AVX-512 (libipsec-mb), else one after the other. The most is gained by kSha256Lanes messages of
// one length, at most 32 KiB each. `digests` has as many elements as `messages`. Thread-safe.
inline constexpr size_t kSha256Lanes = 16;
void Sha256Each(std::span<const ByteView> messages, std::span<Sha256Digest> digests);

// Incremental SHA-256. Not thread-safe.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  void Update(ByteView data);
  Sha256Digest Finish();  // then starts anew

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// HKDF-SHA-256 with the project's labels: info = Frame(label, fields) (docs/formats/crypto.md).
// `size` <= 8160.
SecretBytes Hkdf(ByteView key, ByteView salt, std::string_view label,
                 std::initializer_list<ByteView> fields, size_t size);

// From the kernel's generator by way of OpenSSL; failure ends the process (nothing may go on
// without it).
Bytes RandomBytes(size_t size);
SecretBytes RandomSecret(size_t size);
template <size_t N>
ByteArray<N> RandomArray() {
  ByteArray<N> out;
  const Bytes bytes = RandomBytes(N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

}  // namespace cce::crypto
