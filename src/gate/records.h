// Record recognition: is this row of the dataset in this window of the output? Evidence is counted
// in bits: a row is there when the likelihood ratio of "this row, each cell with chance q" against
// "these cells fell so by chance" beats log2(rows) + log2(windows) + 8. Also whole rows, whatever
// the order of their cells, and a column's own values.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gate/finding.h"
#include "gate/index_data.h"
#include "gate/view.h"

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

// One dataset against all views of one output. Not thread-safe.
class RecordDetector {
 public:
  explicit RecordDetector(const LeakIndex::Data& data);
  // Views in any order, then Finish once: findings of classes kRecords and kValues, with `dataset`
  // set.
  void Add(const View& view);
  void Finish(int dataset, std::vector<Finding>& findings);

 private:
  struct Match {
    uint32_t column = 0;   // of all tables
    uint32_t token = 0;    // index into unique_
    float bits = 0;        // that this cell of the row stands in the window by chance
    float token_bits = 0;  // that this token equals some cell of the row by chance
  };
  struct Hit {
    uint32_t row = 0;
    Match match;
  };
  struct Unique {
    const OutToken* token = nullptr;
    uint32_t count = 0;
    std::span<const Posting> common;
  };
  struct Candidate {
    uint32_t row = 0;
    uint64_t place = 0;
    uint32_t tokens = 0;  // different ones in the window
    float bits = 0;
    std::vector<Match> matches;
  };
  struct FileEvidence {
    std::string file;
    bool columns_only = false;
    std::vector<Candidate> candidates;
    uint64_t full_lines = 0;   // that hold nearly all cells of some row
    uint64_t lines = 0;        // with three and more cells
    uint64_t whole_lines = 0;  // equal to a row of the dataset
    float whole_bits = 0;      // of the strongest of them
    uint32_t whole_row = 0;
    std::set<uint64_t> precise;  // distinct numbers of 4 and more digits
    uint64_t contained = 0, near = 0;
  };

  double Evidence(const Candidate& candidate) const;
  static std::set<uint32_t> ColumnsOf(const FileEvidence& evidence);
  static double EvidenceWithin(const Candidate& candidate, const std::set<uint32_t>& columns);
  void AddText(std::string_view text, FileEvidence& evidence, bool slide);
  void AddTableColumns(std::string_view text, FileEvidence& evidence);
  bool AddJson(std::string_view text, FileEvidence& evidence);
  void Tokenise(std::string_view text, std::vector<OutToken>& out) const;
  void WindowsOf(std::span<const OutToken> tokens, uint64_t place, FileEvidence& evidence);
  void MatchWindow(std::span<const OutToken> tokens, uint64_t place, FileEvidence& evidence);
  void MatchWhole(std::span<const OutToken> tokens, FileEvidence& evidence);
  void CollectHits(size_t window_size);
  void CollectPairs();
  void VerifyRow(uint32_t row, std::vector<Match>& matches, size_t window_size) const;
  float Settle(uint32_t row, std::vector<Match>& matches) const;
  double ChanceBits(uint32_t rows, double frequency, const OutToken& token, size_t window,
                    size_t columns) const;
  void CountValues(std::span<const OutToken> tokens, FileEvidence& evidence);
  void ReportRecords(const FileEvidence& evidence, int dataset,
                     std::vector<Finding>& findings) const;
  void ReportTogether(const FileEvidence& evidence, int dataset,
                      std::vector<Finding>& findings) const;
  void ReportWhole(const FileEvidence& evidence, int dataset, std::vector<Finding>& findings) const;
  void ReportValues(const FileEvidence& evidence, int dataset,
                    std::vector<Finding>& findings) const;
  std::string Describe(const Candidate& candidate, double bits) const;

  const LeakIndex::Data& data_;
  size_t span_ = 64;  // tokens of a sliding window
  uint64_t windows_ = 0;
  std::vector<FileEvidence> files_;
  std::vector<Unique> unique_;
  std::vector<Hit> hits_;
};

}  // namespace cce::gate
