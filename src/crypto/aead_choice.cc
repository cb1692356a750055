// Which AES-256-GCM serves. In a file of its own: a bench links another choice in its place.
#include "crypto/aead_backends.h"

namespace cce::crypto {

Result<std::unique_ptr<Aead>> NewAead(ByteView key, AeadBackend backend) {
  if (key.size() != kAeadKeySize) return Fail("crypto.bad_key", "an AEAD key must have 32 bytes");
  const bool fast = backend != AeadBackend::kOpenSsl && IpsecMbUsable();
  if (fast) return NewIpsecMbAead(key);
  if (backend == AeadBackend::kIpsecMb) {
    return Fail("internal.unavailable", "this processor lacks VAES, VPCLMULQDQ or AVX-512");
  }
  return NewOpenSslAead(key);
}

}  // namespace cce::crypto
