// Attestation and key release, the CVM's side (design section 5, steps 4 to 6).
#pragma once

#include "computing_plane/tee_agent/cced_client.h"
#include "computing_plane/tee_agent/stages.h"
#include "protocol/credential.h"
#include "protocol/launch_document.h"
#include "tsm/attester.h"

namespace cce::tee_agent {

struct ReleasedKeys {
  protocol::KeyBundle bundle;
  protocol::JobSpec spec;              // decoded from the bundle
  crypto::P256PublicKey public_key{};  // the ephemeral key that the keys came to
};

// Challenge, evidence over a fresh key, keys. Adds the stages "attest" and "keys". The ephemeral
// private key ends with this call. Errors: keys.suite, keys.wrong_cced, keys.mismatch, tsm.*,
// crypto.*, net.*, input.*, and cced's refusals.
Result<ReleasedKeys> ObtainKeys(CcedClient& cced, tsm::Attester& attester,
                                const protocol::LaunchDocument& launch, Stages& stages);

// Whether a bundle is the answer to this credential and launch document, member by member; the job
// spec in it, decoded. Errors: keys.mismatch, input.*.
Result<protocol::JobSpec> CheckBundle(const protocol::KeyBundle& bundle,
                                      const protocol::JobCredential& credential,
                                      const protocol::JobLimits& limits);

}  // namespace cce::tee_agent
