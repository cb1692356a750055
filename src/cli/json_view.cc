#include "cli/json_view.h"

#include <array>
#include <cstdio>

#include "cli/answer.h"

namespace cce::cli {

std::string TextOf(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  if (const json::string* text = value->if_string()) return Clean(*text);
  if (const double* number = value->if_double()) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f", *number);
    return text.data();
  }
  return Clean(ToJson(*value));
}

uint64_t NumberOf(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0 ? static_cast<uint64_t>(value->get_int64())
                                                     : 0;
}

bool FlagOf(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::array& ListOf(const json::object& object, std::string_view key) {
  static const json::array kEmpty;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

const json::object& ObjectOf(const json::value& value) {
  static const json::object kEmpty;
  return value.is_object() ? value.get_object() : kEmpty;
}

const json::object& ObjectOf(const json::object& object, std::string_view key) {
  static const json::value kNull;
  const json::value* value = object.if_contains(key);
  return ObjectOf(value == nullptr ? kNull : *value);
}

}  // namespace cce::cli
