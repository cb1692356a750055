// What an owner allows out: the gate's part of the dataset policy.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "gate/finding.h"

namespace cce::gate {

struct GatePolicy {
  // An output whose score reaches this goes to a person. 0: everything does.
  double threshold = 0.5;
  uint64_t max_output_bytes = uint64_t{16} << 20;  // the packed output, and the views together
  uint32_t max_files = 100;
  uint32_t min_cell =
      10;  // counts of 1 to min_cell - 1 are small cells; also the least degrees of freedom
  uint32_t rounding_base =
      0;  // 5: counts under count-like headers must be multiples of 5; 0: not asked
  // File types that may be released without a person. A known one is: csv tsv txt log json jsonl
  // svg xml html md and archives of these (zip tar gz bz2 xz zst 7z); anything else listed here
  // (png, pdf) is let through unread.
  std::vector<std::string> allowed_types = {"csv", "tsv", "txt",  "log", "json", "jsonl",
                                            "svg", "xml", "html", "md",  "zip",  "tar",
                                            "gz",  "bz2", "xz",   "zst", "7z"};
  // Strength of a class is multiplied by its weight (0 to 1); 1 unless set. Record classes cannot
  // be weighed below 1.
  ClassWeights weights;

  bool operator==(const GatePolicy&) const = default;
};

// Every member optional: threshold, max_output_bytes, max_files, min_cell, rounding_base,
// allowed_types, weights {class: number}. Does not call Finish: the caller does, on the whole
// document.
GatePolicy ReadGatePolicy(Fields& fields);
json::object GatePolicyJson(const GatePolicy& policy);

// The strictest of several in each member: least threshold, sizes; greatest min_cell, weights; the
// common multiple of rounding bases (at most 1000, else the greatest); the intersection of types.
// None given: the default policy with threshold 0 (a person decides).
GatePolicy StrictestGatePolicy(std::span<const GatePolicy> policies);

}  // namespace cce::gate
