// Small statistics and readers of tables that the builder and the detectors share.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "gate/index_data.h"

namespace cce::gate {

// JSON as programs write it: where it does not parse, the bare words NaN and Infinity are read as
// null. 16 MiB, 64 levels.
Result<json::value> ParseLooseJson(std::string_view text);

// The scalar members of one JSON object (nested objects flattened as "a.b"), as text. False where
// `line` is no object.
bool FlatJson(std::string_view line, std::vector<std::pair<std::string, std::string>>& members);

// From sampled rows: how much of each column is left when another is known (conditional over plain
// entropy of ranks in equal bins), and from that the information of a whole row. Fills factor and
// row_bits.
void EstimateDependence(const std::vector<std::vector<std::string>>& sample, TableInfo& table);

}  // namespace cce::gate
