// Everything that can refuse a job, as one list: asked before a signature (POST /v1/jobs/check), at
// submission, and again before keys leave.
#pragma once

#include <string>
#include <vector>

#include "privacy_plane/core.h"

namespace cce::privacy_plane {

struct CheckedItem {
  std::string name;
  Result<> result;
};

struct JobChecks {
  std::vector<CheckedItem> items;
  json::array rentals;             // what the chain said, at which block: for the journal
  std::vector<Digest32> policies;  // of each dataset, in the spec's order

  // The first refusal, if any.
  Result<> Verdict() const;
};

// `block`: the final block that rentals are read at. `counted`: capacity is asked, too (not again
// for a job that holds its place already). Errors: only where nothing could be asked (chain.*).
Result<JobChecks> CheckJob(Core& core, const protocol::JobSpec& spec, const chain::Block& block,
                           bool counted);

// Capacity alone, on the tables of a transaction: job.too_many_for_wallet, job.too_many.
Result<> CheckCapacity(const Tables& tables, const Config& config, const protocol::JobSpec& spec);

}  // namespace cce::privacy_plane
