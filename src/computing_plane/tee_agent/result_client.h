// Packing, sealing and handing in a result (design section 5, step 7).
#pragma once

#include <string>

#include "base/file.h"
#include "computing_plane/tee_agent/cced_client.h"
#include "crypto/stream.h"
#include "executor/container.h"
#include "executor/output.h"
#include "tsm/attester.h"

namespace cce::tee_agent {

struct SealedOutput {
  UniqueFd file;
  uint64_t size = 0;
  protocol::Digest32 digest{};
};

// Streams the output's tar through the REK into a new file at `path`. Errors: output.*, io.*,
// crypto.*.
Result<SealedOutput> SealOutput(const executor::OutputRequest& output, ByteView rek,
                                const crypto::StreamContext& context, const std::string& path);

struct Submission {
  protocol::JobId job{};
  uint32_t attempt = 1;
  std::string credential;              // purpose "submit"
  crypto::P256PublicKey public_key{};  // the key that the keys were released to
  protocol::Outcome outcome = protocol::Outcome::kSucceeded;
  std::vector<protocol::Stage> stages;
};

// A new challenge and fresh evidence, then the header and the sealed output; the same anew while
// the way to cced is broken. A result that arrived although its answer was lost is a success.
// Errors: tsm.*, net.*, cced's refusals.
Result<> SubmitResult(CcedClient& cced, tsm::Attester& attester, const Submission& submission,
                      const SealedOutput& output);

// How a container's end reads to the consumer.
protocol::Outcome OutcomeOf(executor::EndReason reason, int exit_code);
// The same for an attempt that ended without a result.
protocol::Outcome OutcomeOfFailure(std::string_view code);

}  // namespace cce::tee_agent
