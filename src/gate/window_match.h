// One window of an output's tokens against all rows of a dataset: which row is likeliest to stand
// there, and what speaks for it.
#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "gate/leak_lookup.h"
#include "gate/record_evidence.h"

namespace cce::gate {

struct OutToken {
  uint64_t exact = 0;
  uint64_t six = 0, three = 0;  // 0: not a number
  uint64_t exact_of_six = 0;    // where the number has more than 6 digits
  uint64_t mantissa = 0;
  int32_t exponent = 0;
  uint8_t digits = 0;  // 0: a word
  bool negative = false;
};

// Not thread-safe. Its buffers live on from window to window: a window costs no allocation.
class WindowMatcher {
 public:
  explicit WindowMatcher(LeakLookup& lookup);
  // Adds the window's best candidate to `evidence`, if one is worth it. `place` is for people.
  void Match(std::span<const OutToken> tokens, uint64_t place, FileEvidence& evidence);
  uint64_t windows() const { return windows_; }

 private:
  struct Unique {
    const OutToken* token = nullptr;
    uint32_t count = 0;
    std::span<const Posting> common;
  };
  struct Hit {
    CellMatch match;
    uint32_t next = UINT32_MAX;  // of the same row, among the hits
  };
  // The hits of one row.
  struct Group {
    uint32_t row = 0;
    uint32_t first = 0, last = 0, hits = 0;
    size_t slot = 0;
    double bits = 0;
  };
  // A common value that stands in the window, in one column of one table: the same for all rows.
  struct CommonCell {
    uint32_t local = 0;  // column of its table
    uint8_t signature = 0;
    CellMatch match;
  };
  struct CommonCells {
    bool known = false;
    std::vector<CommonCell> cells;
  };

  void CollectUnique(std::span<const OutToken> tokens);
  void CollectHits(size_t window);
  void AddHits(uint64_t key, uint32_t token, int digits, size_t window);
  void CollectPairs();
  void AddHit(uint32_t row, uint32_t column, uint32_t token, float bits, float token_bits);
  size_t SlotOf(uint32_t row) const;
  void ReserveSlots(size_t groups);
  void FindLimits(size_t window);
  bool Full(uint32_t row, size_t matches);
  bool WorthALook(const Group& group, double best, bool full);
  const std::vector<CommonCell>& CommonOf(uint32_t table, size_t window);
  void GatherMatches(const Group& group, size_t window);
  float Settle(const TableInfo& table);

  LeakLookup& lookup_;
  const LeakIndex::Data& data_;
  std::vector<uint32_t> informative_;  // columns of each table that say anything
  std::vector<std::array<double, kRareRows + 1>> rare_bits_;  // of a value in so many rows of it
  size_t fewest_informative_ = 0;
  double floor_bits_ = 0;
  uint64_t windows_ = 0;
  bool has_pairs_ = false;

  std::vector<std::pair<uint64_t, uint32_t>> order_;
  std::vector<Unique> unique_;
  std::vector<const Unique*> paired_;
  std::vector<Hit> hits_;
  std::vector<Group> groups_;
  std::vector<uint32_t> slots_;  // groups by their row, open addressing
  std::vector<CommonCells> common_;
  std::vector<uint32_t> common_tables_;  // whose common_ is known
  std::vector<CellMatch> matches_, kept_;
  std::vector<uint32_t> used_;
  size_t common_tokens_ = 0;
  bool may_fill_ = false;  // whether the window has tokens enough for a full row
  double possible_ = 0;    // what common cells could add at most
  double likely_ = 0;      // the same, where no signature says more than its byte
};

}  // namespace cce::gate
