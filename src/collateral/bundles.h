// Collateral bundles as files: the offline way in. A path is one bundle file, or a folder whose
// *.json files are bundles, one a platform.
#pragma once

#include <string>
#include <vector>

#include "attest/collateral.h"

namespace cce::collateral {

struct BundleFile {
  std::string path;
  attest::Collateral collateral;
};

// Errors: io.*, input.*, collateral.malformed; input.too_large beyond 64 files.
Result<std::vector<BundleFile>> ReadBundles(const std::string& path);
// Names, sizes and times of the files: another text once any of them changed. Errors: io.*.
Result<std::string> StampOf(const std::string& path);

}  // namespace cce::collateral
