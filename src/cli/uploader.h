// Sends the parts of an upload plan that cced has not acknowledged, from several threads, and reads
// those that it has, to see that they are still the same.
#pragma once

#include "cli/client.h"
#include "cli/upload_state.h"
#include "dataset/known_files.h"
#include "dataset/upload_plan.h"

namespace cce::cli {

struct UploadOptions {
  unsigned threads = 3;
  unsigned tries = 6;                          // of each part, where the network fails
  std::chrono::milliseconds first_pause{500};  // doubles with each try
  bool quiet = false;
};

struct UploadOutcome {
  uint32_t parts = 0;
  uint32_t already = 0;     // acknowledged before
  uint64_t sent_bytes = 0;  // content of the parts sent now
};

// Asks first whether there is room for all of it: then nothing is sent in vain (upload.quota*,
// io.disk_full). On success every part is acknowledged with the digest of what was read here, and
// plan.Root works. Errors: upload.part_conflict (a file changed since its part was sent), upload.*,
// net.*, io.*.
Result<UploadOutcome> UploadParts(Client& client, const UploadState& state,
                                  const protocol::DraftStatus& status,
                                  const dataset::UploadPlan& plan, const UploadOptions& options);

// What cced has of the draft, and what may be referred to: the state's base where it has one.
Result<protocol::DraftStatus> AskStatus(Client& client, const UploadState& state);
// The base's files.
Result<dataset::KnownFiles> FetchKnownFiles(Client& client, const UploadState& state,
                                            const protocol::DraftBase& base);

}  // namespace cce::cli
