#include "protocol/job_api.h"

#include <array>
#include <utility>

namespace cce::protocol {
namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 7> kStates = {{
    {JobState::kQueued, "queued"},
    {JobState::kRunning, "running"},
    {JobState::kReviewing, "reviewing"},
    {JobState::kReleased, "released"},
    {JobState::kRejected, "rejected"},
    {JobState::kFailed, "failed"},
    {JobState::kCancelled, "cancelled"},
}};

}  // namespace

std::string_view JobStateName(JobState state) {
  for (const auto& [value, name] : kStates) {
    if (value == state) return name;
  }
  return "failed";
}

Result<JobState> ParseJobState(std::string_view text) {
  for (const auto& [value, name] : kStates) {
    if (name == text) return value;
  }
  return Fail("input.malformed", "unknown job state");
}

bool IsFinal(JobState state) {
  return state != JobState::kQueued && state != JobState::kRunning && state != JobState::kReviewing;
}

json::object ToJsonObject(const JobStatus& status) {
  json::object out{{"job", ToHex(status.job)},
                   {"state", JobStateName(status.state)},
                   {"submitted_at", status.submitted_at}};
  if (status.state == JobState::kFailed) out["outcome"] = OutcomeName(status.outcome);
  return out;
}

Result<JobStatus> ReadJobStatus(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "job status"));
  Fields f(document);
  JobStatus status;
  status.job = HexField<16>(f, "job");
  status.submitted_at = static_cast<UnixSeconds>(f.Uint("submitted_at", {.max = INT64_MAX}));
  const Result<JobState> state = ParseJobState(f.String("state", {.max = 32}));
  const Result<Outcome> outcome =
      ParseOutcome(f.String("outcome", {.max = 32, .fallback = "succeeded"}));
  if (!state) f.Reject("state", "unknown state");
  if (!outcome) f.Reject("outcome", "unknown outcome");
  TRY(f.Finish());
  status.state = *state;
  status.outcome = *outcome;
  return status;
}

json::object ToJsonObject(const JobCheckReply& reply) {
  json::array checks;
  for (const JobCheck& check : reply.checks) {
    checks.push_back(json::object{{"name", check.name},
                                  {"passed", check.passed},
                                  {"code", check.code},
                                  {"message", check.message},
                                  {"expected", check.expected},
                                  {"found", check.found},
                                  {"next", check.next}});
  }
  return {{"checks", std::move(checks)}};
}

Result<JobCheckReply> ReadJobCheckReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "job check"));
  Fields f(document);
  JobCheckReply reply;
  for (Fields& item : f.Objects("checks", {.max = 1024})) {
    JobCheck& check = reply.checks.emplace_back();
    check.name = item.String("name", {});
    check.passed = item.Bool("passed");
    check.code = item.String("code", {});
    check.message = item.String("message", {});
    check.expected = item.String("expected", {});
    check.found = item.String("found", {});
    check.next = item.String("next", {});
  }
  TRY(f.Finish());
  return reply;
}

Bytes RekInfo(const JobId& job, uint32_t attempt, const Digest32& output) {
  Bytes number;
  AppendU32(number, attempt);
  return Frame("cce4long/v1/rek", {job, number, output});
}

json::object ToJsonObject(const Delivery& delivery) {
  return {{"attempt", delivery.attempt},
          {"output", ToHex(delivery.output)},
          {"output_size", delivery.output_size},
          {"rek_envelope", ToBase64(delivery.rek_envelope)},
          {"manifest", delivery.manifest}};
}

Result<Delivery> ReadDelivery(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "delivery", {.max_bytes = size_t{16} << 20}));
  Fields f(document);
  Delivery delivery;
  delivery.attempt = static_cast<uint32_t>(f.Uint("attempt", {.min = 1, .max = UINT32_MAX}));
  delivery.output = HexField<32>(f, "output");
  delivery.output_size = f.Uint("output_size", {});
  delivery.rek_envelope = f.Base64("rek_envelope", 4096);
  delivery.manifest = f.String("manifest", {.max = size_t{15} << 20});
  TRY(f.Finish());
  return delivery;
}

json::object ToJsonObject(const ReviewDecisionRequest& request) {
  return {{"decision", request.decision},
          {"reason", request.reason},
          {"attempt", request.attempt},
          {"output", ToHex(request.output)},
          {"signer", AddressText(request.signer)},
          {"signature", ToHex(request.signature)}};
}

Result<ReviewDecisionRequest> ReadReviewDecisionRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "review decision"));
  Fields f(document);
  ReviewDecisionRequest request;
  request.decision = f.Choice("decision", {"approve", "reject"});
  request.reason = f.String("reason", {.max = 2048});
  request.attempt = static_cast<uint32_t>(f.Uint("attempt", {.min = 1, .max = UINT32_MAX}));
  request.output = HexField<32>(f, "output");
  request.signer = HexField<20>(f, "signer");
  request.signature = f.Hex("signature", 0);
  TRY(f.Finish());
  return request;
}

}  // namespace cce::protocol
