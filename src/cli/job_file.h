// job.toml: a job as a person writes it (deploy/examples/job.toml), and the job spec made from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/client.h"
#include "protocol/job_spec.h"
#include "protocol/upload.h"

namespace cce::cli {

struct JobFile {
  std::string title;
  std::string image_repository;
  std::string image_digest;
  std::vector<std::string> command;
  std::string source_digest;
  protocol::JobLimits limits;
  struct Dataset {
    protocol::DatasetId dataset{};
    std::optional<protocol::SnapshotId> snapshot;  // none: "latest"
    std::vector<std::string> files;
  };
  std::vector<Dataset> datasets;
};

// Errors: config.invalid.
Result<JobFile> ReadJobFile(const Document& document);

// The newest snapshot of a dataset's list. Error: dataset.unknown_snapshot.
Result<protocol::SnapshotId> LatestSnapshot(const protocol::DatasetInfo& info);

// The spec, with "latest" asked of cced. Errors: dataset.*, net.*.
Result<protocol::JobSpec> MakeJobSpec(const JobFile& file, Client& client,
                                      const protocol::Wallet& wallet,
                                      const ByteArray<65>& consumer_key);

}  // namespace cce::cli
