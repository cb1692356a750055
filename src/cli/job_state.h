// What the client keeps of the jobs that it submitted, in the configuration folder:
//   keys/<job spec's SHA-256>.key   the HPKE key that the result's key is sealed to (hex, 0600)
//   jobs/<job id>.toml              the job, its bearer token and its spec (0600)
#pragma once

#include <string>

#include "base/clock.h"
#include "cli/settings.h"
#include "crypto/p256.h"
#include "protocol/job_spec.h"

namespace cce::cli {

struct JobState {
  protocol::JobId job{};
  std::string server;
  std::string token;
  UnixSeconds submitted_at = 0;
  Bytes job_spec;  // as signed
};

std::string EncodeJobState(const JobState& state);  // TOML
Result<JobState> ReadJobState(const Document& document);

Result<> SaveJob(const Settings& settings, const JobState& state);
// `id`: 32 hex digits or an unambiguous beginning; empty: the newest job. Errors:
// cli.unknown_job.
Result<JobState> FindJob(const Settings& settings, const std::string& id);

Result<> SaveConsumerKey(const Settings& settings, const protocol::Digest32& job_spec,
                         const crypto::P256PrivateKey& key);
Result<crypto::P256PrivateKey> LoadConsumerKey(const Settings& settings,
                                               const protocol::Digest32& job_spec);

}  // namespace cce::cli
