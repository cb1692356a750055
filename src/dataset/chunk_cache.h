// Decrypted chunks kept for reads smaller than a chunk: neighbours in a pack, and random reads that
// come back. Direct-mapped; a slot's lock is held while its chunk is filled, so that two readers of
// one chunk decrypt it once.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/secret.h"

namespace cce::dataset {

// Thread-safe.
class ChunkCache {
 public:
  explicit ChunkCache(size_t slots)
      : count_(std::max<size_t>(slots, 1)), slots_(new Slot[count_]) {}
  ~ChunkCache() {
    for (size_t i = 0; i < count_; ++i) Wipe(slots_[i].plain);
  }
  ChunkCache(const ChunkCache&) = delete;
  ChunkCache& operator=(const ChunkCache&) = delete;

  // Calls `use(chunk plaintext)`; on a miss `fill(buffer)` first, which sizes the buffer and may
  // fail.
  template <typename Fill, typename Use>
  Result<> With(uint32_t object, uint64_t chunk, Fill fill, Use use) {
    Slot& slot = slots_[(uint64_t{object} * 2654435761u + chunk) % count_];
    const std::lock_guard lock(slot.mutex);
    if (!slot.filled || slot.object != object || slot.chunk != chunk) {
      slot.filled = false;
      TRY(fill(slot.plain));
      slot.object = object;
      slot.chunk = chunk;
      slot.filled = true;
    }
    use(ByteView(slot.plain));
    return {};
  }

 private:
  struct Slot {
    std::mutex mutex;
    bool filled = false;
    uint32_t object = 0;
    uint64_t chunk = 0;
    Bytes plain;
  };
  const size_t count_;
  const std::unique_ptr<Slot[]> slots_;
};

}  // namespace cce::dataset
