// Percent-coding of RFC 3986.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace cce::net {

// input.malformed for a bad escape or a NUL. `plus_is_space` in queries.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_space = false);
// "a=1&b=2", decoded; a name that occurs twice is input.malformed.
Result<std::map<std::string, std::string>> ParseQuery(std::string_view text);

}  // namespace cce::net
