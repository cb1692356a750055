// Statistical disclosure control on what is visible: small counts, extremes, few degrees of
// freedom, counts not rounded.
#pragma once

#include <vector>

#include "gate/finding.h"
#include "gate/policy.h"
#include "gate/view.h"

namespace cce::gate {

void DetectDisclosure(const View& view, const GatePolicy& policy, std::vector<Finding>& findings);

// Whether a column's or member's name says that it counts people or events ("n", "events",
// "at_risk", not "n_bins").
bool CountLike(std::string_view name);
// "min", "max", "minimum", ... as a word of the name.
bool ExtremeLike(std::string_view name);
// Residual degrees of freedom.
bool FreedomLike(std::string_view name);

}  // namespace cce::gate
