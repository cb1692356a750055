// Result submission and the end of a CVM, between tee-agent and cced.
//
//   POST /v1/cvm/challenge  with the submit credential
//   POST /v1/cvm/result     body: u32 big-endian length, ResultHeader as JSON, then the sealed
//   output POST /v1/cvm/end        CvmEnd -> {}: the attempt ends without a result
//
// The sealed output is a sealed stream (crypto/stream.h) under the REK, label "cce4long/v1/output",
// fields: job id, attempt (u32), and each dataset id and snapshot id in the job spec's order; its
// plaintext is the output's tar.
#pragma once

#include <vector>

#include "base/secret.h"
#include "crypto/stream.h"
#include "protocol/key_release.h"

namespace cce::protocol {

// How a container ended; all that a consumer may learn of a failure.
enum class Outcome {
  kSucceeded,
  kContainerFailed,
  kLimitExceeded,
  kImageUnusable,
  kDataUnusable,
  kInternal
};
std::string_view OutcomeName(Outcome outcome);
Result<Outcome> ParseOutcome(std::string_view name);

// Stages that tee-agent reports, in order, with the milliseconds that each took.
struct Stage {
  std::string name;  // attest, keys, mount, pull, run, collect
  uint64_t millis = 0;
};

struct ResultHeader {
  std::string credential;  // purpose "submit"
  Challenge challenge{};
  ByteArray<65> public_key{};  // the key that the keys were released to
  Bytes evidence;
  Digest32 output{};  // SHA-256 of the sealed output
  uint64_t output_size = 0;
  Outcome outcome = Outcome::kSucceeded;
  std::vector<Stage> stages;
};
constexpr size_t kMaxResultHeader = size_t{256} << 10;
json::object ToJsonObject(const ResultHeader& header);
Result<ResultHeader> ReadResultHeader(std::string_view text);

struct CvmEnd {
  std::string credential;  // either purpose
  Outcome outcome = Outcome::kInternal;
  std::string code;    // an error code of the table, for owner and operator
  std::string detail;  // for the owner; at most 2048 bytes
};
json::object ToJsonObject(const CvmEnd& end);
Result<CvmEnd> ReadCvmEnd(std::string_view text);

crypto::StreamContext OutputContext(const JobId& job, uint32_t attempt,
                                    const std::vector<JobDataset>& datasets);

}  // namespace cce::protocol
