#include "privacy_plane/state/entries.h"

namespace cce::privacy_plane {
namespace {

using protocol::HexField;
using protocol::JobState;

struct At {
  uint64_t seq;
  int64_t millis;
};

uint32_t Attempt(Fields& f) {
  return static_cast<uint32_t>(f.Uint("attempt", {.min = 1, .max = UINT32_MAX}));
}

UnixSeconds Seconds(Fields& f, std::string_view key) {
  return static_cast<UnixSeconds>(f.Uint(key, {.max = INT64_MAX}));
}

json::object ObjectMember(Fields& f, std::string_view key) {
  const json::value* value = f.Raw(key);
  if (value == nullptr || !value->is_object()) {
    f.Reject(key, "must be an object");
    return {};
  }
  return value->get_object();
}

Result<> ApplySubmitted(Tables& tables, At at, JobRecord& job, Fields& f) {
  job.id = HexField<16>(f, "job");
  job.token_hash = HexField<32>(f, "token");
  job.spec_bytes = f.Base64("spec", 1 << 20);
  job.sign_in.message = f.String("message", {.max = 8192});
  job.sign_in.signature = f.Hex("signature", 0);
  for (const std::string& text : f.Strings("policies", {.max = 16})) {
    ASSIGN_OR_RETURN(const auto hash, ArrayFromHex<32>(text));
    job.policies.push_back(hash);
  }
  if (const json::value* rentals = f.Raw("rentals"); rentals != nullptr && rentals->is_array()) {
    job.rentals = rentals->get_array();
  }
  TRY(f.Finish());
  ASSIGN_OR_RETURN(job.spec, protocol::DecodeJobSpec(job.spec_bytes));
  job.submitted_at = at.millis / 1000;
  job.submitted_ms = at.millis;
  tables.job_tokens[job.token_hash] = job.id;
  return {};
}

Result<> ApplyAttempt(Tables&, At at, JobRecord& job, Fields& f) {
  job.attempt = Attempt(f);
  job.credential = f.String("credential", {.max = 16384});
  job.credential_expires = Seconds(f, "expires_at");
  job.launch_document = f.Base64("launch_document", 65536);
  job.credential_spent = false;
  job.credential_ms = at.millis;
  return f.Finish();
}

Result<> ApplyMachineStarted(Tables&, At at, JobRecord& job, Fields& f) {
  job.machine_ms = at.millis;
  return f.Finish();
}

Result<> ApplyChallenge(Tables&, At, JobRecord&, Fields& f) {
  HexField<32>(f, "challenge");
  f.Choice("purpose", {"keys", "submit"});
  return f.Finish();
}

Result<> ApplyKeysReleased(Tables&, At at, JobRecord& job, Fields& f) {
  ReleaseRecord r;
  r.credential = HexField<32>(f, "credential");
  r.request_id = HexField<16>(f, "request_id");
  r.challenge = HexField<32>(f, "challenge");
  r.public_key = HexField<65>(f, "public_key");
  r.reply = f.String("reply", {.max = size_t{8} << 20});
  r.submit_credential = f.String("submit_credential", {.max = 16384});
  r.evidence = f.Base64("evidence", 1 << 17);
  r.collateral = f.String("collateral", {.max = size_t{2} << 20});
  r.measurement = f.String("measurement", {.max = 256});
  r.tee = ObjectMember(f, "tee");
  TRY(f.Finish());
  r.time = at.millis / 1000;
  r.entry = at.seq;
  job.keys_ms = at.millis;
  job.credential_spent = true;
  job.state = JobState::kRunning;
  job.release = std::move(r);
  return {};
}

Result<> ApplyRefused(Tables&, At at, JobRecord& job, Fields& f) {
  RefusalRecord refusal;
  refusal.time = at.millis / 1000;
  refusal.step = f.String("step", {.max = 64});
  refusal.error.code = f.String("code", {.max = 64});
  refusal.error.message = f.String("message", {.max = 65536});
  refusal.error.expected = f.String("expected", {.max = 65536});
  refusal.error.found = f.String("found", {.max = 65536});
  refusal.error.next = f.String("next", {.max = 65536});
  refusal.error.detail = f.String("detail", {.max = 65536});
  if (const json::value* verdict = f.Raw("verdict")) refusal.verdict = *verdict;
  TRY(f.Finish());
  job.refusals.push_back(std::move(refusal));
  return {};
}

Result<> ApplyResult(Tables&, At at, JobRecord& job, Fields& f) {
  ResultRecord r;
  r.output = HexField<32>(f, "output");
  r.output_size = f.Uint("output_size", {});
  r.challenge = HexField<32>(f, "challenge");
  r.evidence = f.Base64("evidence", 1 << 17);
  r.collateral = f.String("collateral", {.max = size_t{2} << 20});
  ASSIGN_OR_RETURN(r.outcome, protocol::ParseOutcome(f.String("outcome", {.max = 32})));
  for (Fields& item : f.Objects("stages", {.max = 32})) {
    r.stages.push_back({item.String("name", {.max = 32}), item.Uint("millis", {})});
  }
  TRY(f.Finish());
  r.time = at.millis / 1000;
  job.result_ms = at.millis;
  job.state = JobState::kReviewing;
  job.result = std::move(r);
  return {};
}

Result<> ApplyGateReported(Tables&, At at, JobRecord& job, Fields& f) {
  job.gate_report = ObjectMember(f, "report");
  job.owner_reports.clear();
  const json::value* reports = f.Raw("owner_reports");
  if (reports == nullptr || !reports->is_array()) {
    f.Reject("owner_reports", "must be a list");
  } else {
    for (const json::value& report : reports->get_array()) {
      if (report.is_object()) job.owner_reports.push_back(report.get_object());
    }
  }
  job.needs_human = f.Bool("needs_human");
  job.decided_ms = at.millis;
  return f.Finish();
}

Result<> ApplyOwnerDecided(Tables&, At, JobRecord& job, Fields& f) {
  DecisionRecord decision;
  decision.dataset = HexField<20>(f, "dataset");
  decision.signer = HexField<20>(f, "signer");
  decision.approved = f.Bool("approved");
  decision.reason = f.String("reason", {.max = 2048});
  decision.signature = f.Hex("signature", 0);
  TRY(f.Finish());
  job.decisions.push_back(std::move(decision));
  return {};
}

Result<> ApplyApproved(Tables&, At at, JobRecord& job, Fields& f) {
  Attempt(f);
  HexField<32>(f, "output");
  HexField<32>(f, "result");
  job.decision = f.Choice("decision", {"auto_approved", "approved"});
  TRY(f.Finish());
  job.approved_entry = at.seq;
  return {};
}

Result<> ApplyReleased(Tables&, At at, JobRecord& job, Fields& f) {
  job.manifest = f.String("manifest", {.max = size_t{16} << 20});
  TRY(f.Finish());
  job.state = JobState::kReleased;
  job.ended_at = at.millis / 1000;
  job.decided_ms = at.millis;
  return {};
}

Result<> ApplyEnded(Tables&, At at, JobRecord& job, Fields& f) {
  ASSIGN_OR_RETURN(const JobState state, protocol::ParseJobState(f.String("state", {.max = 32})));
  ASSIGN_OR_RETURN(job.outcome, protocol::ParseOutcome(f.String("outcome", {.max = 32})));
  TRY(f.Finish());
  job.state = state;
  job.ended_at = at.millis / 1000;
  return {};
}

Result<> ApplyDelivered(Tables&, At, JobRecord&, Fields& f) { return f.Finish(); }

json::object OfJob(const JobId& job) { return {{"job", ToHex(job)}}; }

}  // namespace

Entry JobSubmitted(const JobRecord& job) {
  json::array policies;
  for (const Digest32& hash : job.policies) policies.emplace_back(ToHex(hash));
  return {"job.submitted",
          {{"job", ToHex(job.id)},
           {"token", ToHex(job.token_hash)},
           {"spec", ToBase64(job.spec_bytes)},
           {"message", job.sign_in.message},
           {"signature", ToHex(job.sign_in.signature)},
           {"policies", std::move(policies)},
           {"rentals", job.rentals}}};
}

Entry AttemptStarted(const JobId& job, uint32_t attempt, std::string_view credential,
                     UnixSeconds expires_at, ByteView launch_document) {
  return {"attempt.started",
          {{"job", ToHex(job)},
           {"attempt", attempt},
           {"credential", credential},
           {"expires_at", expires_at},
           {"launch_document", ToBase64(launch_document)}}};
}

Entry MachineStarted(const JobId& job) { return {"machine.started", OfJob(job)}; }

Entry ChallengeIssued(const JobId& job, const protocol::Challenge& challenge,
                      protocol::CredentialPurpose purpose) {
  return {"challenge.issued",
          {{"job", ToHex(job)},
           {"challenge", ToHex(challenge)},
           {"purpose", purpose == protocol::CredentialPurpose::kKeys ? "keys" : "submit"}}};
}

Entry KeysReleased(const JobId& job, const ReleaseRecord& r) {
  return {"keys.released",
          {{"job", ToHex(job)},
           {"credential", ToHex(r.credential)},
           {"request_id", ToHex(r.request_id)},
           {"challenge", ToHex(r.challenge)},
           {"public_key", ToHex(r.public_key)},
           {"reply", r.reply},
           {"submit_credential", r.submit_credential},
           {"evidence", ToBase64(r.evidence)},
           {"collateral", r.collateral},
           {"measurement", r.measurement},
           {"tee", r.tee}}};
}

Entry StepRefused(const JobId& job, const RefusalRecord& refusal) {
  return {"step.refused",
          {{"job", ToHex(job)},
           {"step", refusal.step},
           {"code", refusal.error.code},
           {"message", refusal.error.message},
           {"expected", refusal.error.expected},
           {"found", refusal.error.found},
           {"next", refusal.error.next},
           {"detail", refusal.error.detail},
           {"verdict", refusal.verdict}}};
}

Entry ResultReceived(const JobId& job, const ResultRecord& r) {
  json::array stages;
  for (const protocol::Stage& stage : r.stages) {
    stages.push_back(json::object{{"name", stage.name}, {"millis", stage.millis}});
  }
  return {"result.received",
          {{"job", ToHex(job)},
           {"output", ToHex(r.output)},
           {"output_size", r.output_size},
           {"challenge", ToHex(r.challenge)},
           {"evidence", ToBase64(r.evidence)},
           {"collateral", r.collateral},
           {"outcome", protocol::OutcomeName(r.outcome)},
           {"stages", std::move(stages)}}};
}

Entry GateReported(const JobId& job, const json::object& manifest_report,
                   const std::vector<json::object>& owner_reports, bool needs_human) {
  return {"gate.reported",
          {{"job", ToHex(job)},
           {"report", manifest_report},
           {"owner_reports", json::array(owner_reports.begin(), owner_reports.end())},
           {"needs_human", needs_human}}};
}

Entry OwnerDecided(const JobId& job, const DecisionRecord& decision) {
  return {"owner.decided",
          {{"job", ToHex(job)},
           {"dataset", protocol::AddressText(decision.dataset)},
           {"signer", protocol::AddressText(decision.signer)},
           {"approved", decision.approved},
           {"reason", decision.reason},
           {"signature", ToHex(decision.signature)}}};
}

Entry ResultApproved(const JobId& job, uint32_t attempt, const Digest32& output,
                     const Digest32& result, std::string_view decision) {
  return {"result.approved",
          {{"job", ToHex(job)},
           {"attempt", attempt},
           {"output", ToHex(output)},
           {"result", ToHex(result)},
           {"decision", decision}}};
}

Entry JobReleased(const JobId& job, std::string_view manifest) {
  return {"job.released", {{"job", ToHex(job)}, {"manifest", manifest}}};
}

Entry JobEnded(const JobId& job, JobState state, protocol::Outcome outcome) {
  return {"job.ended",
          {{"job", ToHex(job)},
           {"state", protocol::JobStateName(state)},
           {"outcome", protocol::OutcomeName(outcome)}}};
}

Entry Delivered(const JobId& job) { return {"job.delivered", OfJob(job)}; }

Result<bool> ApplyJobEntry(Tables& tables, uint64_t seq, int64_t millis, std::string_view type,
                           const json::object& entry) {
  using Applier = Result<> (*)(Tables&, At, JobRecord&, Fields&);
  static const std::map<std::string_view, Applier> kAppliers = {
      {"job.submitted", ApplySubmitted},        {"attempt.started", ApplyAttempt},
      {"machine.started", ApplyMachineStarted}, {"challenge.issued", ApplyChallenge},
      {"keys.released", ApplyKeysReleased},     {"step.refused", ApplyRefused},
      {"result.received", ApplyResult},         {"gate.reported", ApplyGateReported},
      {"owner.decided", ApplyOwnerDecided},     {"result.approved", ApplyApproved},
      {"job.released", ApplyReleased},          {"job.ended", ApplyEnded},
      {"job.delivered", ApplyDelivered},
  };
  const auto applier = kAppliers.find(type);
  if (applier == kAppliers.end()) return false;
  Fields f(entry, std::string(type));
  const auto id = HexField<16>(f, "job");
  if (type == "job.submitted") tables.jobs.try_emplace(id);
  const auto job = tables.jobs.find(id);
  if (job == tables.jobs.end()) {
    return Fail("journal.edited", "an entry names a job that no entry before it made");
  }
  TRY(applier->second(tables, {seq, millis}, job->second, f));
  return true;
}

}  // namespace cce::privacy_plane
