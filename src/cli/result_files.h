// A released result on this machine: downloaded, opened, checked, unpacked.
#pragma once

#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/job_state.h"
#include "manifest/verify.h"
#include "protocol/job_api.h"

namespace cce::cli {

// Fetches what the delivery names and leaves in `folder` (made where absent): output.tar,
// manifest.json, output/ with the files; gives the report of an
// accepted verification. Nothing is left of a result that does not verify. Errors:
// result.digest, crypto.*, manifest.*, result.bad_archive, io.*.
Result<manifest::Report> FetchResult(const Settings& settings, Client& client,
                                     const JobState& state, const std::string& folder);

struct ExtractLimits {
  uint64_t max_bytes = uint64_t{1} << 30;
  size_t max_entries = 200'000;
};
// Unpacks a tar's regular files and folders below `folder`, which must not exist yet or be empty.
// Links, devices, absolute paths, ".." and names twice are result.bad_archive. Modes: 0644 or 0755.
Result<size_t> ExtractTar(const std::string& tar, const std::string& folder,
                          const ExtractLimits& limits = {});

}  // namespace cce::cli
