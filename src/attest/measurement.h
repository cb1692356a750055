// Evidence against a list of known guests. Internal to src/attest.
#pragma once

#include "attest/verdict.h"

namespace cce::attest {

struct MeasurementMatch {
  std::string name;                           // of the entry that matched; empty: none did
  std::optional<NearestMeasurement> nearest;  // where none did and any is known for this TEE
};
MeasurementMatch MatchMeasurement(const std::vector<Measurement>& entries, const TdBody& body,
                                  UnixSeconds time);
MeasurementMatch MatchMeasurement(const std::vector<Measurement>& entries, const SnpReport& report,
                                  UnixSeconds time);

}  // namespace cce::attest
