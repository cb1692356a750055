// Writing TOML; it is read by LoadToml (base/json.h).
#pragma once

#include <string>

#include "base/json.h"

namespace cce {

// The tree as TOML 1.0 text, members sorted by name; objects become tables. What TOML cannot say
// (null, a whole number past 2^63 - 1) is left out.
std::string ToToml(const json::object& root);

}  // namespace cce
