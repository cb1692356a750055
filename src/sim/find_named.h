// The row with `name` in a table of defects, whose first row is none.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cce::sim {

// input.malformed with the known names.
template <typename Row>
Result<const Row*> FindNamed(std::span<const Row> rows, std::string_view name) {
  std::string known;
  for (const Row& row : rows) {
    if (row.name == name) return &row;
    if (!row.name.empty()) known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return Fail(MakeError("input.malformed", "there is no such defect")
                  .Expected("one of " + known)
                  .Found(std::string(name)));
}

}  // namespace cce::sim
