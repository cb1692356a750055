#include "protocol/dataset_policy.h"

#include "protocol/job_spec.h"

namespace cce::protocol {

Bytes EncodePolicy(const DatasetPolicy& p) {
  json::array reviewers;
  for (const Wallet& wallet : p.reviewers) reviewers.emplace_back(AddressText(wallet));
  return ToBytes(ToJson(json::object{{"format", 1},
                                     {"dataset", AddressText(p.dataset)},
                                     {"chain_id", p.chain_id},
                                     {"version", p.version},
                                     {"previous", ToHex(p.previous)},
                                     {"attestation", p.attestation},
                                     {"images", json::array(p.images.begin(), p.images.end())},
                                     {"access_mode", p.access_mode},
                                     {"gate", p.gate},
                                     {"reviewers", std::move(reviewers)},
                                     {"release_failed_output", p.release_failed_output},
                                     {"allow_development", p.allow_development}}));
}

Result<DatasetPolicy> DecodePolicy(ByteView bytes) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(AsText(bytes), "dataset policy"));
  return ReadPolicy(document);
}

Result<DatasetPolicy> ReadPolicy(const Document& document) {
  Fields f(document);
  DatasetPolicy p;
  f.Uint("format", {.min = 1, .max = 1, .fallback = 1});
  p.dataset = HexField<20>(f, "dataset");
  p.chain_id = f.Uint("chain_id", {.min = 1});
  p.version = f.Uint("version", {.min = 1, .fallback = 1});
  if (f.Has("previous")) p.previous = HexField<32>(f, "previous");
  const auto object = [&f](std::string_view key) -> json::object {
    const json::value* value = f.Raw(key);
    if (value == nullptr) return {};
    if (!value->is_object()) {
      f.Reject(key, "must be an object");
      return {};
    }
    return value->get_object();
  };
  p.attestation = object("attestation");
  p.gate = object("gate");
  p.images = f.Strings("images", {.max = 1024, .optional = true});
  for (const std::string& image : p.images) {
    if (!IsImageDigest(image)) f.Reject("images", "must be sha256: and 64 hex digits");
  }
  p.access_mode = f.Choice("access_mode", {"prefetch", "demand"}, "prefetch");
  for (const std::string& text : f.Strings("reviewers", {.max = 64, .optional = true})) {
    const Result<Wallet> wallet = AddressFromHex(text);
    if (!wallet) {
      f.Reject("reviewers", "holds no address");
      break;
    }
    p.reviewers.push_back(*wallet);
  }
  p.release_failed_output = f.Bool("release_failed_output", false);
  p.allow_development = f.Bool("allow_development", false);
  TRY(f.Finish());
  return p;
}

std::string PolicySummary(const DatasetPolicy& policy) {
  std::string text = "Dataset " + AddressText(policy.dataset) + ", policy version " +
                     std::to_string(policy.version) + ": access " + policy.access_mode + ", ";
  text += policy.images.empty() ? std::string("any container image")
                                : std::to_string(policy.images.size()) + " container image(s)";
  if (policy.allow_development) text += ", DEVELOPMENT parts allowed";
  return text;
}

json::object ToJsonObject(const SetPolicyRequest& request) {
  return {{"document", ToBase64(request.document)},
          {"signature", ToHex(request.signature)},
          {"signer", AddressText(request.signer)}};
}

Result<SetPolicyRequest> ReadSetPolicyRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "policy request", {.max_bytes = size_t{2} << 20}));
  Fields f(document);
  SetPolicyRequest request;
  request.document = f.Base64("document", 1 << 20);
  request.signature = f.Hex("signature", 0);
  request.signer = HexField<20>(f, "signer");
  TRY(f.Finish());
  return request;
}

}  // namespace cce::protocol
