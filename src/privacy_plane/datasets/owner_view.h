// What an owner sees of his datasets, as JSON (docs/openapi.yaml, OwnerDataset).
#pragma once

#include "privacy_plane/config.h"
#include "privacy_plane/state/tables.h"

namespace cce::privacy_plane {

// All that cced holds of one dataset: for its owner alone, since it names paths.
json::object OwnerView(const Tables& tables, const DatasetRecord& dataset, const Config& config);

// {"datasets": [..], "next"}: those of `owner` with an id above `after`, at most `limit`. Public:
// the contracts, their owners and these sums are.
json::object ListDatasets(const Tables& tables, const Wallet& owner, const DatasetId& after,
                          size_t limit);

// How far rotation and scrubs are: {"rotation", "verifications"}; small, for polling.
json::object TasksView(const DatasetRecord& dataset);

}  // namespace cce::privacy_plane
