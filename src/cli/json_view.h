// Reading cced's answers for display: what is absent, or of another kind, is empty.
#pragma once

#include <string>

#include "base/json.h"

namespace cce::cli {

// A member's text, whatever it is, safe for a terminal.
std::string TextOf(const json::object& object, std::string_view key);
uint64_t NumberOf(const json::object& object, std::string_view key);
bool FlagOf(const json::object& object, std::string_view key);
const json::array& ListOf(const json::object& object, std::string_view key);
const json::object& ObjectOf(const json::object& object, std::string_view key);
const json::object& ObjectOf(const json::value& value);

}  // namespace cce::cli
