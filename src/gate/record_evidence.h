// What speaks for rows of a dataset in one file of an output, and when it is enough. Evidence is
// counted in bits: a row is there when the likelihood ratio of "this row, each cell with chance q"
// against "these cells fell so by chance" beats log2(rows) + log2(windows) + 8.
#pragma once

#include <string>
#include <vector>

#include "gate/finding.h"
#include "gate/flat_set.h"
#include "gate/leak_lookup.h"

namespace cce::gate {

// A cell of a row that stands in a window.
struct CellMatch {
  uint32_t column = 0;   // of all tables
  uint32_t token = 0;    // among the window's different tokens
  float bits = 0;        // that this cell of the row stands in the window by chance
  float token_bits = 0;  // that this token equals some cell of the row by chance
};

struct Candidate {
  uint32_t row = 0;
  uint32_t table = 0;
  uint64_t place = 0;
  uint32_t tokens = 0;  // different ones in the window
  float bits = 0;
  std::vector<CellMatch> matches;
};

struct FileEvidence {
  std::string file;
  std::vector<Candidate> candidates;
  uint64_t full_lines = 0;   // that hold nearly all cells of some row
  uint64_t lines = 0;        // with three and more cells
  uint64_t whole_lines = 0;  // equal to a row of the dataset
  float whole_bits = 0;      // of the strongest of them
  uint32_t whole_row = 0;
  FlatSet precise;  // distinct numbers of 4 and more digits
  uint64_t contained = 0, near = 0;
};

// Columns of a table that say anything.
size_t InformativeColumns(const TableInfo& table);

// The findings (kRecords, kValues) that a file's evidence is worth; `windows`: looked at in all.
void ReportEvidence(LeakLookup& lookup, const FileEvidence& evidence, uint64_t windows, int dataset,
                    std::vector<Finding>& findings);

}  // namespace cce::gate
