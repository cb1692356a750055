// A set of keyed hashes by open addressing: one cache line an insertion, no allocation but growth.
// Its members must be spread by a secret key already, or an output could choose its collisions.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace cce::gate {

class FlatSet {
 public:
  // Whether `key` was not there before.
  bool Insert(uint64_t key) {
    if ((size_ + 1) * 2 > slots_.size()) Resize(slots_.empty() ? 64 : slots_.size() * 2);
    if (!Put(key)) return false;
    ++size_;
    return true;
  }
  size_t size() const { return size_; }
  // Room for so many without growing.
  void Reserve(size_t keys) {
    if (keys * 2 > slots_.size()) Resize(std::bit_ceil(keys * 2));
  }
  // Insert(key) will follow soon.
  void Prefetch(uint64_t key) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[Begin(key)], 1);
  }

 private:
  bool Put(uint64_t key) {
    if (key == kEmpty) {  // the sentinel itself
      const bool fresh = !has_empty_;
      has_empty_ = true;
      return fresh;
    }
    const size_t mask = slots_.size() - 1;
    for (size_t at = Begin(key);; at = (at + 1) & mask) {
      if (slots_[at] == key) return false;
      if (slots_[at] == kEmpty) {
        slots_[at] = key;
        return true;
      }
    }
  }
  size_t Begin(uint64_t key) const { return (key * 0x9e3779b97f4a7c15) >> shift_; }
  void Resize(size_t slots) {
    std::vector<uint64_t> old(slots, kEmpty);
    old.swap(slots_);
    shift_ = 64 - std::countr_zero(slots_.size());
    for (const uint64_t key : old) {
      if (key != kEmpty) Put(key);
    }
  }

  static constexpr uint64_t kEmpty = UINT64_MAX;
  std::vector<uint64_t> slots_;
  size_t size_ = 0;
  int shift_ = 63;  // as for two slots, the fewest
  bool has_empty_ = false;
};

}  // namespace cce::gate
