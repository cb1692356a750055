// A consumer's view of his job, and an owner's.
//
//   POST /v1/jobs/check          job spec bytes -> JobCheckReply: everything that would refuse it;
//   nothing is kept GET  /v1/jobs/<job>          bearer of the job -> JobStatus GET
//   /v1/jobs/<job>/delivery bearer of the job -> Delivery (state "released" only) GET
//   /v1/jobs/<job>/result   bearer of the job -> the sealed output POST /v1/jobs/<job>/cancel
//   bearer of the job -> JobStatus GET  /v1/owner/<dataset>/jobs            bearer of the owner ->
//   {jobs: [OwnerJob]} GET  /v1/owner/<dataset>/jobs/<job>      bearer of the owner -> OwnerJob,
//   explained POST /v1/owner/<dataset>/jobs/<job>/decision   ReviewDecisionRequest (EIP-712) ->
//   OwnerJob
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "protocol/identifiers.h"
#include "protocol/job_spec.h"
#include "protocol/result_submission.h"

namespace cce::protocol {

// What a consumer sees: the state, never the reason of a decision.
enum class JobState {
  kQueued,     // credential issued, machine starting
  kRunning,    // keys are released
  kReviewing,  // the result is in: at the gate, or with people
  kReleased,
  kRejected,
  kFailed,  // `outcome` says which of the closed list
  kCancelled,
};
std::string_view JobStateName(JobState state);
Result<JobState> ParseJobState(std::string_view name);
bool IsFinal(JobState state);

struct JobStatus {
  JobId job{};
  JobState state = JobState::kQueued;
  Outcome outcome = Outcome::kSucceeded;  // of a failed job
  UnixSeconds submitted_at = 0;
};
json::object ToJsonObject(const JobStatus& status);
Result<JobStatus> ReadJobStatus(std::string_view text);

struct JobCheck {
  std::string name;  // "rental 0x..", "policy 0x..", "container image"
  bool passed = false;
  std::string code;  // of a failure
  std::string message;
  std::string expected;
  std::string found;
  std::string next;
};
struct JobCheckReply {
  std::vector<JobCheck> checks;
};
json::object ToJsonObject(const JobCheckReply& reply);
Result<JobCheckReply> ReadJobCheckReply(std::string_view text);

// info of rek_envelope (HPKE to the job spec's consumer key): Frame("cce4long/v1/rek", job, attempt
// u32, output).
struct Delivery {
  uint32_t attempt = 1;
  Digest32 output{};  // SHA-256 of the sealed output
  uint64_t output_size = 0;
  Bytes rek_envelope;
  std::string manifest;  // the Result Manifest's bundle (manifest part), as JSON text
};
Bytes RekInfo(const JobId& job, uint32_t attempt, const Digest32& output);
json::object ToJsonObject(const Delivery& delivery);
Result<Delivery> ReadDelivery(std::string_view text);

struct ReviewDecisionRequest {
  std::string decision;  // "approve" or "reject"
  std::string reason;    // for the journal and the other owners; not for the consumer
  uint32_t attempt = 1;
  Digest32 output{};
  Wallet signer{};
  Bytes signature;  // EIP-712 ReviewDecision
};
json::object ToJsonObject(const ReviewDecisionRequest& request);
Result<ReviewDecisionRequest> ReadReviewDecisionRequest(std::string_view text);

}  // namespace cce::protocol
