// Offline verification of a result and its manifest: no network, no clock but the manifest's own
// moments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/policy.h"
#include "manifest/manifest.h"

namespace cce::manifest {

// Whom the verifier believes: trust.toml, written by `cce trust add` (deploy/examples/trust.toml).
struct TrustedCced {
  std::string name;     // for people
  std::string url;      // where it answers; not used offline
  Digest32 identity{};  // SHA-256 of the identity document
  crypto::P256PublicKey identity_key{};
  attest::Policy attestation;  // what cced's own evidence must satisfy
};
struct Trust {
  std::vector<TrustedCced> engines;
};

// Reads trust.toml: [[cced]] tables with name, url, identity, identity_key and attestation. Errors:
// config.invalid.
Result<Trust> ReadTrust(const Document& document);
std::string TrustToToml(const TrustedCced& cced);  // one [[cced]] table

struct Step {
  std::string name;  // "signature", "cced", "result", "job", "policy 0x..", "machine: keys",
                     // "machine: result", "audit log", "development"
  bool passed = false;
  std::string says;  // for people: what this step established, or found instead
};

// What an examination found: the steps up to and with the first that failed.
struct Report {
  std::vector<Step> steps;
  // Once its signature verified; what it says is proven only where `error` is empty.
  std::optional<Statement> statement;
  std::string cced;                      // the trusted engine's name, once known
  std::vector<std::string> development;  // the statement's, and those that evidence shows
  std::optional<Error> error;            // absent: accepted
};

struct VerifiedManifest {
  Statement statement;
  std::vector<Step> steps;  // in order, all of them
  std::vector<std::string> development;
};

// `output_tar`: the output as delivered. Never throws; `bundle` and the tar may be hostile: nothing
// in the tar is parsed before a trusted engine's signature over its digest holds. Errors name the
// first step that fails: manifest.malformed, manifest.unknown_cced, manifest.bad_signature,
// manifest.cced_evidence, manifest.result_mismatch, manifest.job, manifest.policy,
// manifest.machine_evidence, manifest.log, manifest.development.
Report Examine(ByteView output_tar, const Bundle& bundle, const Trust& trust,
               bool allow_development);
Result<VerifiedManifest> Verify(ByteView output_tar, const Bundle& bundle, const Trust& trust,
                                bool allow_development);

}  // namespace cce::manifest
