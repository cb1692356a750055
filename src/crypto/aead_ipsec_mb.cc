#include <intel-ipsec-mb.h>

#include <cstdlib>
#include <new>

#include "crypto/aead_backends.h"
#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

constexpr uint64_t kNeeded = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

// The manager is only a table of functions for the direct GCM calls, which keep all state in their
// arguments: one serves all threads. Null where the CPU lacks what is needed.
IMB_MGR* Manager() {
  static IMB_MGR* const manager = [] {
    IMB_MGR* m = alloc_mb_mgr(0);
    if (m == nullptr) return m;
    if ((m->features & kNeeded) != kNeeded) {
      free_mb_mgr(m);
      return static_cast<IMB_MGR*>(nullptr);
    }
    init_mb_mgr_avx512(m);
    return m;
  }();
  return manager;
}

class IpsecMbAead : public Aead {
 public:
  explicit IpsecMbAead(ByteView key) : memory_(sizeof(gcm_key_data)) {
    // Locked memory begins on a page, which also gives the 64-byte alignment that the library
    // wants.
    keys_ = new (memory_.ExposeMutable().data()) gcm_key_data;
    IMB_AES256_GCM_PRE(Manager(), key.data(), keys_);
  }

  Result<> Seal(ByteView nonce, ByteView aad, ByteView plaintext,
                std::span<uint8_t> out) const override {
    TRY(CheckSealSizes(nonce, plaintext, out));
    gcm_context_data context;
    uint8_t* tag = out.data() + plaintext.size();
    IMB_AES256_GCM_ENC(Manager(), keys_, &context, out.data(), NonNull(plaintext), plaintext.size(),
                       nonce.data(), NonNull(aad), aad.size(), tag, kAeadTagSize);
    return {};
  }

  Result<> Open(ByteView nonce, ByteView aad, ByteView ciphertext,
                std::span<uint8_t> out) const override {
    TRY(CheckOpenSizes(nonce, ciphertext, out));
    const size_t size = ciphertext.size() - kAeadTagSize;
    gcm_context_data context;
    uint8_t unused = 0;
    uint8_t tag[kAeadTagSize];
    IMB_AES256_GCM_DEC(Manager(), keys_, &context, size == 0 ? &unused : out.data(),
                       NonNull(ciphertext), size, nonce.data(), NonNull(aad), aad.size(), tag,
                       kAeadTagSize);
    if (!ConstantTimeEqual(tag, ciphertext.subspan(size))) {
      Wipe(out.first(size));
      Wipe(tag);
      return DecryptFailure();
    }
    return {};
  }

 private:
  SecretBytes memory_;
  gcm_key_data* keys_;
};

}  // namespace

bool IpsecMbUsable() { return Manager() != nullptr; }

std::unique_ptr<Aead> NewIpsecMbAead(ByteView key) { return std::make_unique<IpsecMbAead>(key); }

}  // namespace cce::crypto
