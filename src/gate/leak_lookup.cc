#include "gate/leak_lookup.h"

namespace cce::gate {

LeakLookup::LeakLookup(const LeakIndex& index, size_t memory)
    : data_(index.data()), max_memory_(memory) {
  for (size_t s = 0; s < kSections; ++s) slots_[s].resize(data_.sections[s].pages.size());
}

const Page& LeakLookup::Load(Section section, size_t number) {
  static const Page kEmpty;
  if (error_ || data_.section(section).pages[number].size == 0) return kEmpty;
  Result<Page> page = data_.ReadPage(section, number);
  if (!page) {
    error_ = std::move(page.error());
    return kEmpty;
  }
  std::unique_ptr<Page>& slot = slots_[static_cast<size_t>(section)][number];
  slot = std::make_unique<Page>(std::move(*page));
  memory_ += slot->memory;
  held_.push_back({section, number});
  return *slot;
}

// The clock algorithm: a page that was used since the hand passed is passed once more.
void LeakLookup::Drop() {
  while (memory_ > max_memory_ && !held_.empty()) {
    const Held oldest = held_.front();
    held_.pop_front();
    std::unique_ptr<Page>& slot = slots_[static_cast<size_t>(oldest.section)][oldest.number];
    if (std::exchange(slot->used, false)) {
      held_.push_back(oldest);
      continue;
    }
    memory_ -= slot->memory;
    slot.reset();
  }
}

std::optional<uint32_t> LeakLookup::Whole(uint64_t key) {
  const auto found = Find(Section::kWhole, key);
  return found.empty() ? std::nullopt : std::optional(found[0].value);
}

bool LeakLookup::HasShingle(uint64_t key) {
  key &= kKeyMask;
  return PageAt(Section::kShingles, data_.section(Section::kShingles).PageOf(key))
      .keys.Find(key)
      .has_value();
}

RowInfo LeakLookup::Row(uint32_t row) {
  const Page& page = PageAt(Section::kRows, row / kRowsOfPage);
  const size_t at = row % kRowsOfPage;
  return at < page.rows.size() ? page.rows[at] : RowInfo{};
}

std::span<const uint8_t> LeakLookup::Signature(uint32_t row) {
  const Page& page = PageAt(Section::kRows, row / kRowsOfPage);
  const size_t at = row % kRowsOfPage;
  if (at >= page.rows.size()) return {};
  return std::span(page.signatures)
      .subspan(page.signature_at[at], data_.tables[page.rows[at].table].columns.size());
}

std::string LeakLookup::RowName(uint32_t row) {
  const RowInfo info = Row(row);
  return "row " + std::to_string(info.number) + " of " + data_.tables[info.table].name;
}

}  // namespace cce::gate
