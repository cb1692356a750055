#include "protocol/result_submission.h"

#include <array>
#include <utility>

namespace cce::protocol {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 6> kOutcomes = {{
    {Outcome::kSucceeded, "succeeded"},
    {Outcome::kContainerFailed, "container_failed"},
    {Outcome::kLimitExceeded, "limit_exceeded"},
    {Outcome::kImageUnusable, "image_unusable"},
    {Outcome::kDataUnusable, "data_unusable"},
    {Outcome::kInternal, "internal"},
}};

Outcome OutcomeField(Fields& f) {
  const Result<Outcome> outcome = ParseOutcome(f.String("outcome", {.max = 32}));
  if (!outcome) f.Reject("outcome", "unknown outcome");
  return outcome.value_or(Outcome::kInternal);
}

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  for (const auto& [value, name] : kOutcomes) {
    if (value == outcome) return name;
  }
  return "internal";
}

Result<Outcome> ParseOutcome(std::string_view text) {
  for (const auto& [value, name] : kOutcomes) {
    if (name == text) return value;
  }
  return Fail("input.malformed", "unknown outcome");
}

json::object ToJsonObject(const ResultHeader& header) {
  json::array stages;
  for (const Stage& stage : header.stages) {
    stages.push_back(json::object{{"name", stage.name}, {"millis", stage.millis}});
  }
  return {{"credential", header.credential},        {"challenge", ToHex(header.challenge)},
          {"public_key", ToHex(header.public_key)}, {"evidence", ToBase64(header.evidence)},
          {"output", ToHex(header.output)},         {"output_size", header.output_size},
          {"outcome", OutcomeName(header.outcome)}, {"stages", std::move(stages)}};
}

Result<ResultHeader> ReadResultHeader(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "result header", {.max_bytes = kMaxResultHeader}));
  Fields f(document);
  ResultHeader header;
  header.credential = f.String("credential", {.min = 1, .max = 16384});
  header.challenge = HexField<32>(f, "challenge");
  header.public_key = HexField<65>(f, "public_key");
  header.evidence = f.Base64("evidence", kMaxEvidence);
  header.output = HexField<32>(f, "output");
  header.output_size = f.Uint("output_size", {.min = 1});
  header.outcome = OutcomeField(f);
  for (Fields& item : f.Objects("stages", {.max = 32})) {
    header.stages.push_back({item.String("name", {.min = 1, .max = 32}), item.Uint("millis", {})});
  }
  TRY(f.Finish());
  return header;
}

json::object ToJsonObject(const CvmEnd& end) {
  return {{"credential", end.credential},
          {"outcome", OutcomeName(end.outcome)},
          {"code", end.code},
          {"detail", end.detail}};
}

Result<CvmEnd> ReadCvmEnd(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "end of a CVM"));
  Fields f(document);
  CvmEnd end;
  end.credential = f.String("credential", {.min = 1, .max = 16384});
  end.outcome = OutcomeField(f);
  end.code = f.String("code", {.max = 64});
  end.detail = f.String("detail", {.max = 2048});
  TRY(f.Finish());
  return end;
}

crypto::StreamContext OutputContext(const JobId& job, uint32_t attempt,
                                    const std::vector<JobDataset>& datasets) {
  crypto::StreamContext context{"cce4long/v1/output", {ToBytes(ByteView(job)), {}}};
  AppendU32(context.fields[1], attempt);
  for (const JobDataset& dataset : datasets) {
    context.fields.push_back(ToBytes(ByteView(dataset.dataset)));
    context.fields.push_back(ToBytes(ByteView(dataset.snapshot)));
  }
  return context;
}

}  // namespace cce::protocol
