// trust.toml: whom a verifier believes.
#include "base/toml.h"
#include "manifest/malformed.h"
#include "manifest/verify.h"

namespace cce::manifest {
namespace {

Result<TrustedCced> ReadCced(Fields& f, const std::string& file) {
  TrustedCced cced;
  cced.name = f.String("name", {.min = 1, .max = 100});
  cced.url = f.String("url", {.max = 2000, .fallback = ""});
  cced.identity = protocol::HexField<32>(f, "identity");
  cced.identity_key = protocol::HexField<65>(f, "identity_key");
  const json::value* policy = f.Raw("attestation");
  if (policy == nullptr || !policy->is_object()) {
    // Without a policy nothing would be asked of the engine's machine: that is never meant.
    f.Reject("attestation", "required: what the engine's own evidence must satisfy");
    return cced;
  }
  Result<attest::Policy> typed =
      attest::ReadPolicy(policy->get_object(), file + ": attestation of " + cced.name);
  if (!typed) return Fail(Because("config.invalid", file, typed.error()));
  cced.attestation = std::move(*typed);
  return cced;
}

}  // namespace

Result<Trust> ReadTrust(const Document& document) {
  Fields f(document);
  Trust trust;
  for (Fields& item : f.Objects("cced", {.max = 64, .optional = true})) {
    ASSIGN_OR_RETURN(TrustedCced cced, ReadCced(item, document.name));
    if (const Result<> key = crypto::P256CheckPublicKey(cced.identity_key); !key) {
      item.Reject("identity_key", "is no P-256 public key (65 bytes, 04 || x || y)");
    }
    for (const TrustedCced& other : trust.engines) {
      if (other.identity == cced.identity) item.Reject("identity", "stands in another entry, too");
      if (other.name == cced.name) item.Reject("name", "is another entry's, too");
    }
    trust.engines.push_back(std::move(cced));
  }
  if (const Result<> finished = f.Finish(); !finished) {
    Error error = finished.error();
    error.code = "config.invalid";
    return Fail(std::move(error));
  }
  return trust;
}

std::string TrustToToml(const TrustedCced& cced) {
  json::object entry{{"name", cced.name},
                     {"url", cced.url},
                     {"identity", ToHex(cced.identity)},
                     {"identity_key", ToHex(cced.identity_key)},
                     {"attestation", attest::ToJsonObject(cced.attestation)}};
  return ToToml(json::object{{"cced", json::array{std::move(entry)}}});
}

}  // namespace cce::manifest
