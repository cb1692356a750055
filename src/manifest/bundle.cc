// The bundle: the signed statement, and all that a stranger needs to check it.
#include "crypto/hash.h"
#include "manifest/malformed.h"
#include "manifest/manifest.h"

namespace cce::manifest {
namespace {

constexpr size_t kMaxDocument = size_t{1} << 20;
constexpr size_t kMaxCollateral = size_t{2} << 20;
constexpr size_t kMaxCredential = 16384;

// The end of an encoded object, before which the last member goes.
constexpr std::string_view kEnd = "\n}\n";

std::string LastMember(std::string_view before) {
  return ",\n  \"sha256\": \"" + ToHex(crypto::Sha256(AsBytes(before))) + "\"\n}\n";
}

// Documents are JSON, so they stand here as texts that people can read.
json::array Texts(const std::vector<Bytes>& documents) {
  json::array out;
  for (const Bytes& document : documents) out.emplace_back(AsText(document));
  return out;
}

Bytes ReadDocument(Fields& f, std::string_view key) {
  return ToBytes(f.String(key, {.min = 1, .max = kMaxDocument}));
}

KeysProof ReadKeysProof(Fields f) {
  return {.evidence = f.Base64("evidence", protocol::kMaxEvidence),
          .collateral = f.String("collateral", {.max = kMaxCollateral}),
          .challenge = protocol::HexField<32>(f, "challenge"),
          .request_id = protocol::HexField<16>(f, "request_id"),
          .public_key = protocol::HexField<65>(f, "public_key"),
          .credential = f.String("credential", {.min = 1, .max = kMaxCredential}),
          .suite = f.String("suite", {.min = 1, .max = 64})};
}

ResultProof ReadResultProof(Fields f) {
  return {.evidence = f.Base64("evidence", protocol::kMaxEvidence),
          .collateral = f.String("collateral", {.max = kMaxCollateral}),
          .challenge = protocol::HexField<32>(f, "challenge"),
          .credential = f.String("credential", {.min = 1, .max = kMaxCredential})};
}

IdentityProof ReadIdentityProof(Fields f) {
  return {.document = ReadDocument(f, "document"),
          .evidence = f.Base64("evidence", protocol::kMaxEvidence),
          .collateral = f.String("collateral", {.max = kMaxCollateral})};
}

Result<Bundle> Read(const Document& document) {
  Fields f(document);
  Bundle b;
  f.Uint("version", {.min = 1, .max = 1});
  b.envelope = f.String("envelope", {.min = 1, .max = kMaxBundle});
  b.identity = ReadIdentityProof(f.Object("identity"));
  b.job_spec = ReadDocument(f, "job_spec");
  b.launch_document = ReadDocument(f, "launch_document");
  for (const std::string& text :
       f.Strings("policies", {.min = 1, .max = 16, .max_item = kMaxDocument})) {
    b.policies.push_back(ToBytes(text));
  }
  b.keys = ReadKeysProof(f.Object("keys"));
  b.result = ReadResultProof(f.Object("result"));
  const json::value* log = f.Raw("log");
  if (log == nullptr || !log->is_object()) f.Reject("log", "must be an object");
  f.String("sha256", {.min = 64, .max = 64});  // compared already
  TRY(f.Finish());
  ASSIGN_OR_RETURN(b.log, tlog::ReadEntryProof(Fields(log->get_object(), "log")));
  return b;
}

}  // namespace

std::string EncodeBundle(const Bundle& b) {
  std::string text = ToPrettyJson(
      json::object{{"version", 1},
                   {"envelope", b.envelope},
                   {"identity", json::object{{"document", AsText(b.identity.document)},
                                             {"evidence", ToBase64(b.identity.evidence)},
                                             {"collateral", b.identity.collateral}}},
                   {"job_spec", AsText(b.job_spec)},
                   {"launch_document", AsText(b.launch_document)},
                   {"policies", Texts(b.policies)},
                   {"keys", json::object{{"evidence", ToBase64(b.keys.evidence)},
                                         {"collateral", b.keys.collateral},
                                         {"challenge", ToHex(b.keys.challenge)},
                                         {"request_id", ToHex(b.keys.request_id)},
                                         {"public_key", ToHex(b.keys.public_key)},
                                         {"credential", b.keys.credential},
                                         {"suite", b.keys.suite}}},
                   {"result", json::object{{"evidence", ToBase64(b.result.evidence)},
                                           {"collateral", b.result.collateral},
                                           {"challenge", ToHex(b.result.challenge)},
                                           {"credential", b.result.credential}}},
                   {"log", tlog::EntryProofJson(b.log)}});
  text.resize(text.size() - kEnd.size());
  return text + LastMember(text);
}

Result<Bundle> DecodeBundle(std::string_view text) {
  constexpr std::string_view kWhat = "a manifest's bundle";
  if (text.size() > kMaxBundle) {
    return Fail(MakeError("manifest.malformed", "a manifest's bundle is too large")
                    .Expected("at most " + std::to_string(kMaxBundle) + " bytes")
                    .Found(std::to_string(text.size()) + " bytes"));
  }
  const size_t tail = LastMember("").size();
  const std::string_view before = text.substr(0, text.size() - std::min(tail, text.size()));
  if (text.substr(before.size()) != LastMember(before)) {
    return Fail(MakeError("manifest.malformed", "a manifest's bundle was changed or cut off")
                    .Expected("sha256 " + ToHex(crypto::Sha256(AsBytes(before))) +
                              " as its last member, in the bytes as sent"));
  }
  const Result<Document> document = ParseJsonDocument(text, "bundle", {.max_bytes = kMaxBundle});
  if (!document) return Fail(Malformed(kWhat, document.error()));
  Result<Bundle> bundle = Read(*document);
  if (!bundle) return Fail(Malformed(kWhat, bundle.error()));
  return bundle;
}

}  // namespace cce::manifest
