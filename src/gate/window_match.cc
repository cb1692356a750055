#include "gate/window_match.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cce::gate {
namespace {

constexpr size_t kMaxCandidates = 50'000;  // of one file
constexpr size_t kMaxPaired = 40;          // common tokens of a window that are tried in pairs
constexpr uint32_t kNoColumn = UINT32_MAX;
constexpr uint32_t kNone = UINT32_MAX;
constexpr double kRounding = 0.01;  // bits that sums of floats may be off

double RarityBits(double rows, double frequency) {
  return std::log2(std::max(1.0, rows / frequency));
}

// How surprising it is that a token equals a cell of this rarity: less in long windows, and never
// more than its digits can say.
double ChanceBits(double bits, int digits, size_t window, size_t columns) {
  if (digits > 0) bits = std::min(bits, 3.33 * digits + 1);
  if (window > columns) {
    bits -= std::log2(static_cast<double>(window) / static_cast<double>(columns));
  }
  return bits;
}

// What an equal signature byte is worth at most.
double SignatureBits(size_t window) { return 8 - std::log2(static_cast<double>(window) + 1); }

// Most windows are a line of some cells: for so few, insertion beats the library's sort.
void SortByKey(std::vector<std::pair<uint64_t, uint32_t>>& items) {
  constexpr size_t kFew = 24;
  if (items.size() > kFew) {
    std::sort(items.begin(), items.end());
    return;
  }
  for (size_t i = 1; i < items.size(); ++i) {
    const auto item = items[i];
    size_t at = i;
    for (; at > 0 && items[at - 1].first > item.first; --at) items[at] = items[at - 1];
    items[at] = item;
  }
}

}  // namespace

WindowMatcher::WindowMatcher(LeakLookup& lookup)
    : lookup_(lookup), data_(lookup.data()), common_(data_.tables.size()) {
  fewest_informative_ = SIZE_MAX;
  for (const TableInfo& table : data_.tables) {
    std::array<double, kRareRows + 1>& rare = rare_bits_.emplace_back();
    for (uint32_t n = 1; n <= kRareRows; ++n) {
      rare[n] = std::log2(std::max(1.0, static_cast<double>(table.rows) / n));
    }
    informative_.push_back(static_cast<uint32_t>(InformativeColumns(table)));
    if (informative_.back() >= 4) {
      fewest_informative_ = std::min<size_t>(fewest_informative_, informative_.back());
    }
  }
  const auto& pairs = data_.section(Section::kPairs).pages;
  has_pairs_ = std::ranges::any_of(pairs, [](const PageAt& page) { return page.size != 0; });
  floor_bits_ = std::log2(static_cast<double>(std::max<uint32_t>(data_.rows, 1))) + 3;
}

void WindowMatcher::CollectUnique(std::span<const OutToken> tokens) {
  order_.clear();
  for (uint32_t i = 0; i < tokens.size(); ++i) order_.emplace_back(tokens[i].exact, i);
  SortByKey(order_);
  unique_.clear();
  for (const auto& [exact, i] : order_) {
    if (unique_.empty() || unique_.back().token->exact != exact) {
      unique_.push_back({&tokens[i], 0, {}});
    }
    ++unique_.back().count;
  }
}

// The row's slot, or the free one where it belongs.
size_t WindowMatcher::SlotOf(uint32_t row) const {
  const size_t mask = slots_.size() - 1;
  size_t at = row & mask;
  while (slots_[at] != kNone && groups_[slots_[at]].row != row) at = (at + 1) & mask;
  return at;
}

void WindowMatcher::ReserveSlots(size_t groups) {
  if (groups * 2 <= slots_.size()) return;
  slots_.assign(std::bit_ceil(groups * 8), kNone);
  for (uint32_t g = 0; g < groups_.size(); ++g) {
    groups_[g].slot = SlotOf(groups_[g].row);
    slots_[groups_[g].slot] = g;
  }
}

// Inlined and by its numbers: a match that goes through memory waits for itself.
[[gnu::always_inline]] inline void WindowMatcher::AddHit(uint32_t row, uint32_t column,
                                                         uint32_t token, float bits,
                                                         float token_bits) {
  const auto at_hit = static_cast<uint32_t>(hits_.size());
  Hit& hit = hits_.emplace_back();
  hit.match.column = column;
  hit.match.token = token;
  hit.match.bits = bits;
  hit.match.token_bits = token_bits;
  const size_t slot = SlotOf(row);
  if (slots_[slot] == kNone) {
    slots_[slot] = static_cast<uint32_t>(groups_.size());
    groups_.push_back({row, at_hit, at_hit, 1, slot, static_cast<double>(bits)});
    return;
  }
  Group& group = groups_[slots_[slot]];
  hits_[group.last].next = at_hit;
  group.last = at_hit;
  ++group.hits;
  group.bits += static_cast<double>(bits);
}

// The rows that hold the value, if few do.
void WindowMatcher::AddHits(uint64_t key, uint32_t token, int digits, size_t window) {
  const auto postings = lookup_.Rare(key);
  if (postings.empty()) return;
  ReserveSlots(groups_.size() + postings.size());
  uint32_t table = kNone;
  float bits = 0, token_bits = 0;
  for (const Posting& p : postings) {
    if (data_.column_table[p.column] != table) {
      table = data_.column_table[p.column];
      const double rarity = rare_bits_[table][postings.size()];
      bits = static_cast<float>(
          ChanceBits(rarity, digits, window, data_.tables[table].columns.size()));
      token_bits = static_cast<float>(ChanceBits(rarity, digits, 0, 1));
    }
    if (bits > 0.5f) AddHit(p.value, p.column, token, bits, token_bits);
  }
}

void WindowMatcher::CollectHits(size_t window) {
  for (const Group& group : groups_) slots_[group.slot] = kNone;
  groups_.clear();
  hits_.clear();
  for (uint32_t u = 0; u < unique_.size(); ++u) {
    const OutToken& t = *unique_[u].token;
    unique_[u].common = lookup_.Common(t.exact);
    AddHits(t.exact, u, std::min<int>(t.digits, 13), window);
    if (t.digits == 0) continue;
    if (t.six != 0) AddHits(t.six, u, std::min<int>(t.digits, 6), window);
    if (t.exact_of_six != 0) AddHits(t.exact_of_six, u, std::min<int>(t.digits, 6), window);
    AddHits(t.three, u, std::min<int>(t.digits, 3), window);
  }
}

// Two common values that only few rows have both.
void WindowMatcher::CollectPairs() {
  if (!has_pairs_) return;
  paired_.clear();
  for (const Unique& u : unique_) {
    if (!u.common.empty() && paired_.size() < kMaxPaired) paired_.push_back(&u);
  }
  for (size_t a = 0; a < paired_.size(); ++a) {
    for (size_t b = a; b < paired_.size(); ++b) {
      if (a == b && paired_[a]->count < 2) continue;
      const uint64_t key = lookup_.hash().Pair(paired_[a]->token->exact, paired_[b]->token->exact);
      const auto postings = lookup_.Pairs(key);
      ReserveSlots(groups_.size() + postings.size());
      for (const Posting& p : postings) AddHit(p.value, kNoColumn, 0, 0, 0);
    }
  }
}

void WindowMatcher::FindLimits(size_t window) {
  possible_ = likely_ = 0;
  common_tokens_ = 0;
  may_fill_ = fewest_informative_ != SIZE_MAX && window * 5 >= fewest_informative_ * 4;
  const double signature_bits = std::max(0.0, SignatureBits(window));
  for (const Unique& u : unique_) {
    if (u.common.empty()) continue;
    uint32_t least = UINT32_MAX;
    for (const Posting& p : u.common) least = std::min(least, p.value);
    const double bits = std::log2(std::max(1.0, static_cast<double>(data_.rows) / least));
    common_tokens_ += u.count;
    possible_ += u.count * bits;
    likely_ += u.count * std::min(bits, signature_bits);
  }
}

// Whether so many matches are nearly all cells of the row.
bool WindowMatcher::Full(uint32_t row, size_t matches) {
  const uint32_t columns = informative_[lookup_.Row(row).table];
  return columns >= 4 && matches * 5 >= size_t{columns} * 4;
}

// Whether the row can have more bits than `best`, or be full where none was: each token counts for
// one cell, and settling only takes away.
bool WindowMatcher::WorthALook(const Group& group, double best, bool full) {
  if (group.bits + likely_ >= std::max(best, floor_bits_) - kRounding) return true;
  return !full && may_fill_ && group.bits + possible_ >= floor_bits_ &&
         Full(group.row, group.hits + common_tokens_);
}

// The window's common cells, as they would stand in any row of the table.
const std::vector<WindowMatcher::CommonCell>& WindowMatcher::CommonOf(uint32_t table,
                                                                      size_t window) {
  CommonCells& out = common_[table];
  if (out.known) return out.cells;
  out.known = true;
  out.cells.clear();
  common_tables_.push_back(table);
  const TableInfo& info = data_.tables[table];
  const double most = SignatureBits(window);
  for (uint32_t u = 0; u < unique_.size(); ++u) {
    const OutToken& token = *unique_[u].token;
    double anywhere = 0;  // cells of this value in the table, in whatever column
    for (const Posting& p : unique_[u].common) {
      if (data_.column_table[p.column] == table) anywhere += p.value;
    }
    if (anywhere == 0) continue;
    const double token_bits = std::clamp(
        ChanceBits(RarityBits(info.rows, anywhere), token.digits, 0, 1), 0.0, std::max(most, 0.0));
    for (const Posting& p : unique_[u].common) {
      if (data_.column_table[p.column] != table) continue;
      const double bits = std::min(most, ChanceBits(RarityBits(info.rows, p.value), token.digits,
                                                    window, info.columns.size()));
      out.cells.push_back(
          {p.column - info.first_column,
           static_cast<uint8_t>(token.exact),
           {p.column, u, static_cast<float>(std::max(bits, 0.0)), static_cast<float>(token_bits)}});
    }
  }
  return out.cells;
}

// The group's hits, and the row's common cells that stand in the window too, by their signatures.
void WindowMatcher::GatherMatches(const Group& group, size_t window) {
  matches_.clear();
  const std::span<const uint8_t> signature = lookup_.Signature(group.row);
  if (signature.empty()) return;
  const uint32_t table = lookup_.Row(group.row).table;
  for (uint32_t h = group.first; h != kNone; h = hits_[h].next) {
    const uint32_t column = hits_[h].match.column;
    if (column != kNoColumn && data_.column_table[column] == table) {
      matches_.push_back(hits_[h].match);
    }
  }
  for (const CommonCell& cell : CommonOf(table, window)) {
    if (signature[cell.local] == cell.signature) matches_.push_back(cell.match);
  }
}

// Lets each token and each column count once, the strongest first, and what another column already
// told not at all. Leaves them in kept_; returns their bits.
float WindowMatcher::Settle(const TableInfo& table) {
  std::sort(matches_.begin(), matches_.end(), [](const CellMatch& a, const CellMatch& b) {
    if (a.bits != b.bits) return a.bits > b.bits;
    return std::tie(a.column, a.token) < std::tie(b.column, b.token);
  });
  used_.assign(unique_.size(), 0);
  kept_.clear();
  float sum = 0;
  for (CellMatch m : matches_) {
    if (used_[m.token] >= unique_[m.token].count) continue;
    if (std::any_of(kept_.begin(), kept_.end(),
                    [&](const CellMatch& k) { return k.column == m.column; })) {
      continue;
    }
    uint8_t byte = UINT8_MAX;
    for (const CellMatch& k : kept_) {
      byte = std::min(byte,
                      table.LeftByte(m.column - table.first_column, k.column - table.first_column));
    }
    const double left = byte / 255.0;
    ++used_[m.token];
    m.bits *= static_cast<float>(left);
    m.token_bits *= static_cast<float>(left);
    sum += m.bits;
    kept_.push_back(m);
  }
  return sum;
}

void WindowMatcher::Match(std::span<const OutToken> tokens, uint64_t place,
                          FileEvidence& evidence) {
  ++windows_;
  const size_t window = tokens.size();
  if (window < 2 || data_.rows == 0) return;
  lookup_.Trim();
  CollectUnique(tokens);
  CollectHits(window);
  CollectPairs();
  if (groups_.empty()) return;
  FindLimits(window);
  for (const uint32_t table : common_tables_) common_[table].known = false;
  common_tables_.clear();
  Candidate best;
  bool full = false;
  const auto look = [&](const Group& group) {
    if (!WorthALook(group, static_cast<double>(best.bits), full)) return;
    GatherMatches(group, window);
    double sum = kRounding;
    for (const CellMatch& m : matches_) sum += static_cast<double>(m.bits);
    const bool strong = sum >= floor_bits_ && sum >= static_cast<double>(best.bits);
    if (!strong && (full || !Full(group.row, matches_.size()))) return;
    const uint32_t table = lookup_.Row(group.row).table;
    const float bits = Settle(data_.tables[table]);
    full = full || Full(group.row, kept_.size());
    if (bits > best.bits || (bits == best.bits && group.row < best.row)) {
      best = {group.row, table, place, static_cast<uint32_t>(unique_.size()), bits, kept_};
    }
  };
  // The likeliest row first: most others then need no look.
  look(*std::max_element(groups_.begin(), groups_.end(),
                         [](const Group& a, const Group& b) { return a.bits < b.bits; }));
  for (const Group& group : groups_) look(group);
  evidence.full_lines += full;
  if (static_cast<double>(best.bits) >= floor_bits_ &&
      evidence.candidates.size() < kMaxCandidates) {
    evidence.candidates.push_back(std::move(best));
  }
}

}  // namespace cce::gate
