// Look-ups in an opened leak index, for one review: pages are read when they are needed, and held
// within a budget.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "gate/index_data.h"

namespace cce::gate {

// Not thread-safe; `index` must outlive it. Keys are cut to their low 48 bits. What cannot be read
// is as if it were not there, and error() says so: such a review says nothing.
class LeakLookup {
 public:
  static constexpr size_t kMemory = size_t{32} << 20;
  explicit LeakLookup(const LeakIndex& index, size_t memory = kMemory);

  const LeakIndex::Data& data() const { return data_; }
  const KeyedHash& hash() const { return data_.hash; }

  // Valid until Trim.
  std::span<const Posting> Rare(uint64_t key) { return Find(Section::kRare, key); }
  std::span<const Posting> Common(uint64_t key) { return Find(Section::kCommon, key); }
  std::span<const Posting> Pairs(uint64_t key) { return Find(Section::kPairs, key); }
  // The row's cells' signatures, as many as its table has columns; none where it cannot be read.
  std::span<const uint8_t> Signature(uint32_t row);

  // The first row that has exactly these cells.
  std::optional<uint32_t> Whole(uint64_t key);
  bool HasShingle(uint64_t key);
  RowInfo Row(uint32_t row);
  // "row 12 of ACTG175.csv"
  std::string RowName(uint32_t row);

  // Drops pages while they take more than the budget, those longest out of use first.
  void Trim() {
    if (memory_ > max_memory_) Drop();
  }
  size_t memory() const { return memory_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  struct Held {
    Section section;
    size_t number;
  };
  const Page& PageAt(Section section, size_t number) {
    std::unique_ptr<Page>& slot = slots_[static_cast<size_t>(section)][number];
    if (!slot) return Load(section, number);
    slot->used = true;
    return *slot;
  }
  std::span<const Posting> Find(Section section, uint64_t key) {
    key &= kKeyMask;
    const Page& page = PageAt(section, data_.section(section).PageOf(key));
    const auto at = page.keys.Find(key);
    if (!at) return {};
    return std::span(page.postings).subspan(page.start[*at], page.start[*at + 1] - page.start[*at]);
  }
  const Page& Load(Section section, size_t number);
  void Drop();

  const LeakIndex::Data& data_;
  size_t max_memory_;
  size_t memory_ = 0;
  std::array<std::vector<std::unique_ptr<Page>>, kSections> slots_;
  std::deque<Held> held_;  // oldest first
  std::optional<Error> error_;
};

}  // namespace cce::gate
