// The signed part: in-toto Statement v1 with this project's predicate.
#include <set>

#include "manifest/malformed.h"
#include "manifest/manifest.h"

namespace cce::manifest {
namespace {

constexpr size_t kMaxFiles = 100'000;
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxItems = 64;

json::array ToArray(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::object Subject(std::string_view name, const Digest32& sha256) {
  return {{"name", name}, {"digest", json::object{{"sha256", ToHex(sha256)}}}};
}

json::array SubjectsOf(const Statement& s) {
  json::array out{Subject(kOutputSubject, s.output)};
  for (const FileSubject& file : s.files) out.push_back(Subject(file.path, file.sha256));
  return out;
}

json::array DatasetsOf(const Statement& s) {
  json::array out;
  for (const DatasetUse& use : s.datasets) {
    out.push_back(json::object{{"dataset", protocol::AddressText(use.dataset)},
                               {"snapshot", ToHex(use.snapshot)},
                               {"policy", ToHex(use.policy)},
                               {"policy_version", use.policy_version},
                               {"access_mode", use.access_mode}});
  }
  return out;
}

json::object PredicateOf(const Statement& s) {
  json::array signers;
  for (const protocol::Wallet& wallet : s.decided_by) {
    signers.emplace_back(protocol::AddressText(wallet));
  }
  return {{"job", json::object{{"id", ToHex(s.job)},
                               {"attempt", s.attempt},
                               {"spec", ToHex(s.job_spec)},
                               {"wallet", protocol::AddressText(s.wallet)},
                               {"chain_id", s.chain_id}}},
          {"image", json::object{{"repository", s.image_repository},
                                 {"digest", s.image_digest},
                                 {"source", s.source_digest},
                                 {"command", ToArray(s.command)}}},
          {"datasets", DatasetsOf(s)},
          {"rentals", s.rentals},
          {"machine", json::object{{"measurement", s.measurement},
                                   {"fields", s.machine},
                                   {"keys_evidence", ToHex(s.keys_evidence)},
                                   {"result_evidence", ToHex(s.result_evidence)}}},
          {"result", json::object{{"sealed", ToHex(s.sealed_output)}, {"outcome", s.outcome}}},
          {"review",
           json::object{
               {"decision", s.decision}, {"decided_by", std::move(signers)}, {"gate", s.gate}}},
          {"development", ToArray(s.development)},
          {"times", json::object{{"submitted", FormatTime(s.submitted_at)},
                                 {"keys", FormatTime(s.keys_at)},
                                 {"result", FormatTime(s.result_at)},
                                 {"decided", FormatTime(s.decided_at)}}}};
}

UnixSeconds ReadMoment(Fields& f, std::string_view key) {
  const std::string text = f.String(key, {.min = 1, .max = 32});
  const Result<UnixSeconds> time = ParseTime(text);
  if (!time) f.Reject(key, "must be a time as 2026-11-22T15:52:00Z");
  return time.value_or(0);
}

json::object ReadFree(Fields& f, std::string_view key) {
  const json::value* value = f.Raw(key);
  if (value != nullptr && value->is_object()) return value->get_object();
  f.Reject(key, "must be an object");
  return {};
}

void ReadSubjects(Fields& f, Statement& s) {
  bool whole = true;
  std::set<std::string> seen;
  for (Fields& item : f.Objects("subject", {.min = 1, .max = kMaxFiles + 1})) {
    std::string name = item.String("name", {.min = 1, .max = kMaxPath});
    Fields digest = item.Object("digest");
    const auto sha256 = protocol::HexField<32>(digest, "sha256");
    if (whole) {
      if (name != kOutputSubject) item.Reject("name", "the first subject must be the whole output");
      s.output = sha256;
      whole = false;
      continue;
    }
    if (!seen.insert(name).second) item.Reject("name", "names a file twice");
    s.files.push_back({std::move(name), sha256});
  }
}

void ReadJob(Fields job, Statement& s) {
  s.job = protocol::HexField<16>(job, "id");
  s.attempt = static_cast<uint32_t>(job.Uint("attempt", {.min = 1, .max = UINT32_MAX}));
  s.job_spec = protocol::HexField<32>(job, "spec");
  s.wallet = protocol::HexField<20>(job, "wallet");
  s.chain_id = job.Uint("chain_id", {.min = 1});
}

void ReadImage(Fields image, Statement& s) {
  s.image_repository = image.String("repository", {.min = 1, .max = 200});
  s.image_digest = image.String("digest", {.min = 71, .max = 71});
  s.source_digest = image.String("source", {.max = 71});
  s.command = image.Strings("command", {.max = 256, .max_item = 65536});
}

void ReadDatasets(Fields& predicate, Statement& s) {
  for (Fields& item : predicate.Objects("datasets", {.min = 1, .max = 16})) {
    DatasetUse& use = s.datasets.emplace_back();
    use.dataset = protocol::HexField<20>(item, "dataset");
    use.snapshot = protocol::HexField<32>(item, "snapshot");
    use.policy = protocol::HexField<32>(item, "policy");
    use.policy_version = item.Uint("policy_version", {.min = 1});
    use.access_mode = item.Choice("access_mode", {"prefetch", "demand"});
  }
  const json::value* rentals = predicate.Raw("rentals");
  if (rentals == nullptr || !rentals->is_array() || rentals->get_array().size() > kMaxItems) {
    predicate.Reject("rentals", "must be a list");
    return;
  }
  s.rentals = rentals->get_array();
}

void ReadMachine(Fields machine, Statement& s) {
  s.measurement = machine.String("measurement", {.min = 1, .max = 256});
  s.machine = ReadFree(machine, "fields");
  s.keys_evidence = protocol::HexField<32>(machine, "keys_evidence");
  s.result_evidence = protocol::HexField<32>(machine, "result_evidence");
}

void ReadReview(Fields review, Statement& s) {
  s.decision = review.Choice("decision", {"auto_approved", "approved"});
  for (const std::string& text : review.Strings("decided_by", {.max = kMaxItems, .max_item = 42})) {
    const Result<protocol::Wallet> wallet = protocol::AddressFromHex(text);
    if (!wallet) review.Reject("decided_by", "holds no address");
    s.decided_by.push_back(wallet.value_or(protocol::Wallet{}));
  }
  s.gate = ReadFree(review, "gate");
}

void ReadTimes(Fields times, Statement& s) {
  s.submitted_at = ReadMoment(times, "submitted");
  s.keys_at = ReadMoment(times, "keys");
  s.result_at = ReadMoment(times, "result");
  s.decided_at = ReadMoment(times, "decided");
}

void ReadPredicate(Fields predicate, Statement& s) {
  ReadJob(predicate.Object("job"), s);
  ReadImage(predicate.Object("image"), s);
  ReadDatasets(predicate, s);
  ReadMachine(predicate.Object("machine"), s);
  Fields result = predicate.Object("result");
  s.sealed_output = protocol::HexField<32>(result, "sealed");
  s.outcome = result.String("outcome", {.min = 1, .max = 32});
  ReadReview(predicate.Object("review"), s);
  s.development = predicate.Strings("development", {.max = kMaxItems, .max_item = 256});
  ReadTimes(predicate.Object("times"), s);
}

}  // namespace

std::string EncodeStatement(const Statement& statement) {
  return ToJson(json::object{{"_type", kStatementType},
                             {"subject", SubjectsOf(statement)},
                             {"predicateType", kPredicateType},
                             {"predicate", PredicateOf(statement)}});
}

Result<Statement> DecodeStatement(std::string_view text) {
  constexpr std::string_view kWhat = "a manifest's statement";
  const Result<Document> document =
      ParseJsonDocument(text, "statement", {.max_bytes = kMaxStatement});
  if (!document) return Fail(Malformed(kWhat, document.error()));
  Fields f(*document);
  Statement s;
  f.Choice("_type", {kStatementType});
  ReadSubjects(f, s);
  f.Choice("predicateType", {kPredicateType});
  ReadPredicate(f.Object("predicate"), s);
  if (const Result<> finished = f.Finish(); !finished) {
    return Fail(Malformed(kWhat, finished.error()));
  }
  return s;
}

}  // namespace cce::manifest
