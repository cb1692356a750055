// SHA-256 of many messages at once, in the lanes of libipsec-mb's AVX-512 code.
#include <intel-ipsec-mb.h>

#include <cstdlib>

#include "crypto/hash.h"

namespace cce::crypto {
namespace {

// Fewer fill too few lanes: a message at a time is as fast, since it has instructions of its own.
constexpr size_t kWorthwhile = kSha256Lanes / 2 + 1;
// What the library takes as one job.
constexpr size_t kMaxMessage = size_t{1} << 15;
constexpr size_t kAlignment = 64;

// The library's state for one thread. It keeps the last bytes of messages, so it ends wiped.
class Lanes {
 public:
  Lanes() {
    const size_t size = (imb_get_mb_mgr_size() + kAlignment - 1) / kAlignment * kAlignment;
    memory_ = {static_cast<uint8_t*>(std::aligned_alloc(kAlignment, size)), size};
    if (memory_.data() == nullptr) return;
    IMB_MGR* manager = imb_set_pointers_mb_mgr(memory_.data(), 0, 1);
    if (manager == nullptr || (manager->features & IMB_FEATURE_AVX512_SKX) == 0) return;
    init_mb_mgr_avx512(manager);
    manager_ = manager;
  }
  ~Lanes() {
    if (memory_.data() == nullptr) return;
    Wipe(memory_);
    std::free(memory_.data());
  }
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // False where the library did not do all of it.
  bool Run(std::span<const ByteView> messages, std::span<Sha256Digest> digests) {
    if (manager_ == nullptr) return false;
    size_t done = 0;
    const auto count = [&done](const IMB_JOB* job) {
      if (job != nullptr && job->status == IMB_STATUS_COMPLETED) ++done;
      return job != nullptr;
    };
    for (size_t i = 0; i < messages.size(); ++i) {
      IMB_JOB* job = IMB_GET_NEXT_JOB(manager_);
      *job = {};
      job->cipher_mode = IMB_CIPHER_NULL;
      job->cipher_direction = IMB_DIR_ENCRYPT;
      job->chain_order = IMB_ORDER_HASH_CIPHER;
      job->hash_alg = IMB_AUTH_SHA_256;
      job->src = messages[i].data();
      job->msg_len_to_hash_in_bytes = messages[i].size();
      job->auth_tag_output = digests[i].data();
      job->auth_tag_output_len_in_bytes = digests[i].size();
      count(IMB_SUBMIT_JOB(manager_));
    }
    while (count(IMB_FLUSH_JOB(manager_))) {
    }
    return done == messages.size();
  }

 private:
  std::span<uint8_t> memory_;
  IMB_MGR* manager_ = nullptr;
};

bool Fits(const ByteView& message) { return !message.empty() && message.size() <= kMaxMessage; }

}  // namespace

void Sha256Each(std::span<const ByteView> messages, std::span<Sha256Digest> digests) {
  while (!messages.empty()) {
    const size_t n = std::min(messages.size(), kSha256Lanes);
    const std::span<const ByteView> batch = messages.first(n);
    bool hashed = false;
    if (n >= kWorthwhile && std::ranges::all_of(batch, Fits)) {
      thread_local Lanes lanes;
      hashed = lanes.Run(batch, digests.first(n));
    }
    for (size_t i = 0; !hashed && i < n; ++i) digests[i] = Sha256(batch[i]);
    messages = messages.subspan(n);
    digests = digests.subspan(n);
  }
}

}  // namespace cce::crypto
