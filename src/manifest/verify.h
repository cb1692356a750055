// Offline verification of a result and its manifest: no network, no clock but the manifest's own moments.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "attest/policy.h"
#include "manifest/manifest.h"

namespace cce::manifest {

// Whom the verifier believes: trust.toml, written by `cce trust add` (deploy/examples/trust.toml).
struct TrustedCced {
  std::string name;                  // for people
  std::string url;                   // where it answers; not used offline
  Digest32 identity{};               // SHA-256 of the identity document
  crypto::P256PublicKey identity_key{};
  attest::Policy attestation;        // what cced's own evidence must satisfy
};
struct Trust {
  std::vector<TrustedCced> engines;
};

// Reads trust.toml: [[cced]] tables with name, url, identity, identity_key and attestation. Errors: config.invalid.
Result<Trust> ReadTrust(const Document& document);
std::string TrustToToml(const TrustedCced& cced);  // one [[cced]] table

struct Step {
  std::string name;      // "result", "signature", "cced", "machine: keys", "machine: result", "policy 0x..",
                         // "audit log", "development"
  bool passed = false;
  std::string says;      // for people: what this step established, or found instead
};

struct VerifiedManifest {
  Statement statement;
  std::vector<Step> steps;  // in order, all of them where accepted
};

// `output_tar`: the output as delivered. Errors name the first step that fails:
// manifest.result_mismatch, manifest.bad_signature, manifest.unknown_cced, manifest.cced_evidence,
// manifest.machine_evidence, manifest.policy, manifest.log, manifest.development, manifest.malformed.
Result<VerifiedManifest> Verify(ByteView output_tar, const Bundle& bundle, const Trust& trust,
                                bool allow_development);

}  // namespace cce::manifest
