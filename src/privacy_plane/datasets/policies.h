// What a dataset's policy must fulfil to be taken, and its typed parts.
#pragma once

#include "attest/policy.h"
#include "gate/policy.h"
#include "protocol/dataset_policy.h"

namespace cce::privacy_plane {

// The attestation part, typed. Errors: those of attest::ReadPolicy; policy.development where it
// names a root that is no vendor's without allow_development; policy.any_measurement where any
// guest may open the data.
Result<attest::Policy> AttestationPolicy(const protocol::DatasetPolicy& policy);
Result<gate::GatePolicy> GatePolicyOf(const protocol::DatasetPolicy& policy);

}  // namespace cce::privacy_plane
