// Seeds for the fuzz targets of the verifier's parsers: the chip's own evidence and collateral,
// each structure by itself.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace cce::sim {

// Writes <folder>/<target>/<name>; the chip whose evidence it is stays in <folder>/chip.
Result<> WriteSeeds(const std::string& folder, const Clock& clock);

}  // namespace cce::sim
