// What a dataset may take up, and what it does.
#pragma once

#include "privacy_plane/config.h"
#include "privacy_plane/state/tables.h"

namespace cce::privacy_plane {

// Live snapshots and open drafts together. A snapshot under rotation counts once.
struct Usage {
  uint64_t bytes = 0;  // of plaintext
  uint64_t files = 0;  // of drafts: records, which are files, folders and links
  uint64_t snapshots = 0;
};
Usage UsageOf(const Tables& tables, const DatasetRecord& dataset);

// `more` on top of what is there: upload.quota, upload.quota_files, upload.quota_snapshots.
Result<> CheckQuota(const Tables& tables, const DatasetRecord& dataset, const Config& config,
                    const Usage& more);

// What is left of it; zero where it is exceeded already.
Usage QuotaLeft(const Tables& tables, const DatasetRecord& dataset, const Config& config);

}  // namespace cce::privacy_plane
