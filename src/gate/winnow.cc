#include "gate/winnow.h"

namespace cce::gate {

Winnower::Winnower(const KeyedHash& hash) : hash_(hash) {
  base_ = hash(KeyKind::kRoll, AsBytes("base")) | 1;
  mix_ = hash(KeyKind::kRoll, AsBytes("mix")) | 1;
  top_ = 1;
  for (size_t i = 0; i < kShingle; ++i) top_ *= base_;
}

void Winnower::Reset() {
  rolling_ = 0;
  count_ = 0;
  chosen_ = UINT64_MAX;
}

bool Winnower::Step(uint8_t c) {
  const uint8_t old = bytes_[(count_ + kRing - kShingle) % kRing];
  bytes_[count_ % kRing] = c;
  rolling_ = rolling_ * base_ + c + 1;
  ++count_;
  if (count_ > kShingle) rolling_ -= top_ * (uint64_t{old} + 1);
  if (count_ < kShingle) return false;
  const uint64_t position = count_ - kShingle;
  uint64_t x = rolling_ * mix_;
  x ^= x >> 32;
  order_[position % kWindow] = x * mix_;
  if (position + 1 < kWindow) return false;
  // The rightmost least of the last kWindow: the one before, unless it left or the new one beats
  // it.
  uint64_t best = position;
  if (chosen_ != UINT64_MAX && chosen_ + kWindow > position) {
    if (order_[position % kWindow] > order_[chosen_ % kWindow]) return false;
  } else {
    for (uint64_t p = position; p + kWindow > position; --p) {
      if (order_[p % kWindow] < order_[best % kWindow]) best = p;
      if (p == 0) break;
    }
  }
  if (best == chosen_) return false;
  chosen_ = best;
  return true;
}

uint64_t Winnower::Fingerprint() const {
  std::array<uint8_t, kShingle> gram;
  for (size_t i = 0; i < kShingle; ++i) gram[i] = bytes_[(chosen_ + i) % kRing];
  return hash_(KeyKind::kShingle, gram);
}

}  // namespace cce::gate
