// The files that commands about evidence read.
#pragma once

#include <string>

#include "attest/collateral.h"
#include "attest/policy.h"
#include "base/clock.h"

namespace cce::cli {

// A file's bytes; hex text (with or without 0x) is decoded.
Result<Bytes> ReadEvidence(const std::string& path);
// A bundle, or a folder with its parts.
Result<attest::Collateral> ReadCollateral(const std::string& path);
// TOML or JSON; the strict default where `path` is empty.
Result<attest::Policy> ReadPolicyFile(const std::string& path);
// Unix seconds or RFC 3339; now where `text` is empty.
Result<UnixSeconds> ReadMoment(const std::string& text);

}  // namespace cce::cli
