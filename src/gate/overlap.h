// Runs of the dataset's own bytes in an output, by winnowed shingles.
#pragma once

#include <vector>

#include "gate/finding.h"
#include "gate/leak_lookup.h"
#include "gate/view.h"

namespace cce::gate {

// A finding of class kOverlap where at least 3 fingerprints and 2 % of them, or 60, are the
// dataset's.
void DetectOverlap(LeakLookup& lookup, const View& view, int dataset,
                   std::vector<Finding>& findings);

}  // namespace cce::gate
