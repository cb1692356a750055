#include "gate/overlap.h"

#include <algorithm>

#include "gate/flat_set.h"
#include "gate/text.h"
#include "gate/winnow.h"

namespace cce::gate {

void DetectOverlap(LeakLookup& lookup, const View& view, int dataset,
                   std::vector<Finding>& findings) {
  const LeakIndexStats& stats = lookup.data().stats;
  if (stats.shingles == 0 || view.bytes.empty()) return;
  Winnower winnower(lookup.hash());
  TextNormaliser normaliser;
  const bool text = view.kind != ViewKind::kBinary && view.kind != ViewKind::kUnreadable;
  const uint64_t thin = (uint64_t{1} << stats.shingle_thinning) - 1;
  FlatSet seen;
  seen.Reserve((view.bytes.size() / (kWindow / 2)) >> stats.shingle_thinning);
  size_t hits = 0;
  std::string normal;
  std::vector<uint64_t> prints, fresh;
  // In order, so that each page of the index is read once.
  const auto look_up = [&] {
    std::ranges::sort(fresh, {}, [](uint64_t f) { return f & kKeyMask; });
    for (const uint64_t f : fresh) {
      lookup.Trim();
      hits += lookup.HasShingle(f);
    }
    fresh.clear();
  };
  constexpr size_t kAhead = 12;  // memory is slower than arithmetic
  constexpr size_t kPiece = size_t{1} << 16;
  constexpr size_t kBatch = size_t{1} << 20;
  for (size_t at = 0; at < view.bytes.size(); at += kPiece) {
    const std::string_view piece = AsText(view.bytes).substr(at, kPiece);
    normal.clear();
    if (text) normaliser.Feed(piece, normal);
    prints.clear();
    winnower.Feed(text ? std::string_view(normal) : piece, [&](uint64_t f, uint64_t) {
      if ((f & thin) == 0) prints.push_back(f);
    });
    for (size_t i = 0; i < prints.size(); ++i) {
      if (i + kAhead < prints.size()) seen.Prefetch(prints[i + kAhead]);
      if (seen.Insert(prints[i])) fresh.push_back(prints[i]);
    }
    if (fresh.size() > kBatch) look_up();
  }
  look_up();
  if (hits < 60 && (hits < 3 || hits * 50 < seen.size())) return;
  findings.push_back({.cls = FindingClass::kOverlap,
                      .strength = std::min(0.95, 0.5 + 0.05 * static_cast<double>(hits)),
                      .file = ChainText(view),
                      .message = std::to_string(hits) + " of " + std::to_string(seen.size()) +
                                 " fingerprints are of the dataset's bytes",
                      .count = hits,
                      .dataset = dataset});
}

}  // namespace cce::gate
