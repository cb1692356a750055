// What does not need the dataset's contents: things nobody can read, forbidden types, sizes, names,
// and things shaped like one record for each person.
#pragma once

#include <span>
#include <vector>

#include "gate/finding.h"
#include "gate/policy.h"
#include "gate/view.h"

namespace cce::gate {

void DetectOpaque(const View& view, const GatePolicy& policy, std::vector<Finding>& findings);
// `table_rows`: how many rows each table of the datasets has.
void DetectShape(const View& view, std::span<const uint64_t> table_rows,
                 std::vector<Finding>& findings);
// Sizes, counts, types and names of the whole output.
void DetectBudget(std::span<const View> views, uint64_t output_bytes, const GatePolicy& policy,
                  std::vector<Finding>& findings);
uint32_t CountFiles(std::span<const View> views);
// The file names, one a line: content like any other.
View NamesView(std::span<const View> views);

}  // namespace cce::gate
