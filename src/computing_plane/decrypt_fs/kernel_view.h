// What the kernel holds of a snapshot: which entries it knows by inode, and which small files'
// content it was given unasked. A hint: the kernel may drop either at any time.
#pragma once

#include <atomic>
#include <vector>

#include "dataset/index.h"

namespace cce::decrypt_fs {

// Two bits an entry. Thread-safe.
class KernelView {
 public:
  using Id = dataset::Index::Id;

  explicit KernelView(size_t entries) : known_(entries / 64 + 1), given_(entries / 64 + 1) {}

  void Learn(Id id) { known_[id / 64].fetch_or(Bit(id), std::memory_order_relaxed); }
  void Forget(Id id) {
    known_[id / 64].fetch_and(~Bit(id), std::memory_order_relaxed);
    given_[id / 64].fetch_and(~Bit(id), std::memory_order_relaxed);
  }
  bool Knows(Id id) const { return Has(known_, id); }
  bool Wants(Id id) const { return Knows(id) && !Has(given_, id); }
  // Before giving it: true for the first that does.
  bool Give(Id id) {
    if (!Wants(id)) return false;
    return (given_[id / 64].fetch_or(Bit(id), std::memory_order_relaxed) & Bit(id)) == 0;
  }

 private:
  using Bits = std::vector<std::atomic<uint64_t>>;
  static uint64_t Bit(Id id) { return uint64_t{1} << (id % 64); }
  static bool Has(const Bits& bits, Id id) {
    return (bits[id / 64].load(std::memory_order_relaxed) & Bit(id)) != 0;
  }

  Bits known_;
  Bits given_;
};

}  // namespace cce::decrypt_fs
