// The Output Gate's judgement of one output: detectors over views, a score, a decision, and what
// each reader of it may see. Pure: no clock, file, network or process.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "gate/finding.h"
#include "gate/leak_index.h"
#include "gate/policy.h"
#include "gate/view.h"

namespace cce::gate {

struct ReviewedDataset {
  std::string id;                    // as shown in reports
  const LeakIndex* index = nullptr;  // null: not built yet; the output goes to a person
};

enum class Decision : uint8_t { kAutoApproved, kNeedsHuman };
std::string_view DecisionName(Decision d);  // "auto_approved", "needs_human"

struct GateReport {
  double score = 0;  // 1 - product over classes of (1 - strongest weighted finding)
  double threshold = 0;
  Decision decision = Decision::kNeedsHuman;
  std::vector<Finding> findings;  // strongest first, at most 1000 (counts go on)
  std::vector<std::string> datasets;
  uint64_t output_bytes = 0;  // of the packed output
  uint32_t files = 0, views = 0;
  // The most records that an output of this size could hold, for the ledger: bytes * 8 / bits of a
  // record; per dataset.
  std::vector<uint64_t> capacity_records;
};

// `decoded`: DecodeOutput's result as it is; an error in it gives needs_human. `output_bytes`: the
// packed output's size. `policies`: one for each dataset or fewer; the strictest holds. Never
// fails; takes CPU time in proportion to the output.
GateReport Review(const Result<std::vector<View>>& decoded, uint64_t output_bytes,
                  std::span<const ReviewedDataset> datasets, std::span<const GatePolicy> policies);

// For the owner of dataset `dataset`: score, decision, findings on his own rows and on none.
json::object ToOwnerJson(const GateReport& report, size_t dataset);
// For the manifest, and anyone: score, threshold, decision, class names with counts. No row, value,
// name or place.
json::object ToManifestJson(const GateReport& report);
// The consumer gets the decision's state and nothing of this.

}  // namespace cce::gate
