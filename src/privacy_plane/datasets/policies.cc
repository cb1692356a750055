#include "privacy_plane/datasets/policies.h"

namespace cce::privacy_plane {

Result<attest::Policy> AttestationPolicy(const protocol::DatasetPolicy& policy) {
  ASSIGN_OR_RETURN(attest::Policy typed,
                   attest::ReadPolicy(policy.attestation, "policy.attestation"));
  if (typed.any_measurement) {
    return Fail(MakeError("policy.any_measurement", "the policy would let any guest open the data")
                    .Expected("measurements by name")
                    .Next("List the guest images that may open the dataset."));
  }
  for (const attest::TrustedRoot& root : typed.roots) {
    if (!root.vendor && !policy.allow_development) {
      return Fail(MakeError("policy.development",
                            "the policy names the root '" + root.name + "', which is no vendor's")
                      .Expected("vendor roots, or allow_development = true"));
    }
  }
  return typed;
}

Result<gate::GatePolicy> GatePolicyOf(const protocol::DatasetPolicy& policy) {
  Fields fields(policy.gate, "policy.gate");
  gate::GatePolicy typed = gate::ReadGatePolicy(fields);
  TRY(fields.Finish());
  return typed;
}

}  // namespace cce::privacy_plane
