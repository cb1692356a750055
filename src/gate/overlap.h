// Runs of the dataset's own bytes in an output, by winnowed shingles.
#pragma once

#include <vector>

#include "gate/finding.h"
#include "gate/index_data.h"
#include "gate/view.h"

namespace cce::gate {

// A finding of class kOverlap where at least 3 fingerprints and 2 % of them, or 60, are the
// dataset's.
void DetectOverlap(const LeakIndex::Data& data, const View& view, int dataset,
                   std::vector<Finding>& findings);

}  // namespace cce::gate
