#include "gate/index_data.h"

#include <bit>

namespace cce::gate {

void KeySet::Assign(std::vector<uint64_t> sorted, int common) {
  keys_ = std::move(sorted);
  const int bits = std::min(static_cast<int>(std::bit_width(keys_.size())), 48 - common);
  mask_ = kKeyMask >> common;
  shift_ = 48 - common - bits;
  buckets_.assign((size_t{1} << bits) + 1, 0);
  size_t at = 0;
  for (size_t b = 0; b + 1 < buckets_.size(); ++b) {
    buckets_[b] = static_cast<uint32_t>(at);
    while (at < keys_.size() && (keys_[at] & mask_) >> shift_ == b) ++at;
  }
  buckets_.back() = static_cast<uint32_t>(keys_.size());
}

LeakIndex::LeakIndex(std::unique_ptr<Data> data) : data_(std::move(data)) {}
LeakIndex::LeakIndex(LeakIndex&&) noexcept = default;
LeakIndex& LeakIndex::operator=(LeakIndex&&) noexcept = default;
LeakIndex::~LeakIndex() = default;
LeakIndexStats LeakIndex::stats() const { return data_->stats; }

}  // namespace cce::gate
