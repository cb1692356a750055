// Record recognition: an output's views as windows of tokens, each matched against the dataset's
// rows (window_match.h); whole rows, whatever the order of their cells; and a column's own values.
#pragma once

#include <string_view>
#include <vector>

#include "gate/finding.h"
#include "gate/record_evidence.h"
#include "gate/view.h"
#include "gate/window_match.h"

namespace cce::gate {

// One dataset against all views of one output. Not thread-safe.
class RecordDetector {
 public:
  explicit RecordDetector(LeakLookup& lookup);
  // Views in any order, then Finish once: findings of classes kRecords and kValues, with `dataset`
  // set.
  void Add(const View& view);
  void Finish(int dataset, std::vector<Finding>& findings);

 private:
  void AddText(std::string_view text, FileEvidence& evidence, bool slide);
  void AddTableColumns(std::string_view text, FileEvidence& evidence);
  bool AddJson(std::string_view text, FileEvidence& evidence);
  void Tokenise(std::string_view text, std::vector<OutToken>& out) const;
  void WindowsOf(std::span<const OutToken> tokens, uint64_t place, FileEvidence& evidence);
  void MatchWhole(std::span<const OutToken> tokens, FileEvidence& evidence);
  void CountValues(std::span<const OutToken> tokens, FileEvidence& evidence);

  LeakLookup& lookup_;
  size_t span_ = 64;  // tokens of a sliding window
  WindowMatcher matcher_;
  std::vector<FileEvidence> files_;
  std::vector<uint64_t> cells_;  // of the line at hand
};

}  // namespace cce::gate
