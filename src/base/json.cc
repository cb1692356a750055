#include "base/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/serializer.hpp>
#include <boost/json/value_stack.hpp>

namespace cce {
namespace {

// A SAX handler that builds a value and refuses an object with the same member twice, which
// Boost.JSON's own parser would silently resolve to the last one.
class StrictHandler {
 public:
  static constexpr size_t max_object_size = 1 << 20;
  static constexpr size_t max_array_size = 1 << 24;
  static constexpr size_t max_key_size = 1 << 16;
  static constexpr size_t max_string_size = size_t{1} << 30;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(size_t n, json::error_code&) {
    stack_.push_array(n);
    return true;
  }
  bool on_object_begin(json::error_code&) {
    members_.emplace_back();
    return true;
  }
  bool on_object_end(size_t n, json::error_code&) {
    members_.pop_back();
    stack_.push_object(n);
    return true;
  }
  bool on_string_part(std::string_view s, size_t, json::error_code&) {
    stack_.push_chars(s);
    return true;
  }
  bool on_string(std::string_view s, size_t, json::error_code&) {
    stack_.push_string(s);
    return true;
  }
  bool on_key_part(std::string_view s, size_t, json::error_code&) {
    key_.append(s);
    stack_.push_chars(s);
    return true;
  }
  bool on_key(std::string_view s, size_t, json::error_code& ec) {
    key_.append(s);
    if (!members_.back().insert(key_).second) {
      duplicate = key_;
      ec = json::error::syntax;
      return false;
    }
    key_.clear();
    stack_.push_key(s);
    return true;
  }
  bool on_number_part(std::string_view, json::error_code&) { return true; }
  bool on_int64(int64_t i, std::string_view, json::error_code&) {
    stack_.push_int64(i);
    return true;
  }
  bool on_uint64(uint64_t u, std::string_view, json::error_code&) {
    stack_.push_uint64(u);
    return true;
  }
  bool on_double(double d, std::string_view, json::error_code&) {
    stack_.push_double(d);
    return true;
  }
  bool on_bool(bool b, json::error_code&) {
    stack_.push_bool(b);
    return true;
  }
  bool on_null(json::error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(std::string_view, json::error_code&) { return true; }
  bool on_comment(std::string_view, json::error_code&) { return true; }

  void Begin() { stack_.reset(); }
  json::value Release() { return stack_.release(); }

  std::string duplicate;

 private:
  json::value_stack stack_;
  std::string key_;
  std::vector<std::set<std::string, std::less<>>> members_;
};

void AppendPretty(std::string& out, const json::value& value, int depth) {
  const std::string indent(static_cast<size_t>(depth + 1) * 2, ' ');
  const std::string close(static_cast<size_t>(depth) * 2, ' ');
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    for (auto it = object->begin(); it != object->end(); ++it) {
      if (it != object->begin()) out += ",\n";
      out += indent + json::serialize(json::value(it->key())) + ": ";
      AppendPretty(out, it->value(), depth + 1);
    }
    out += "\n" + close + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[\n";
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ",\n";
      out += indent;
      AppendPretty(out, (*array)[i], depth + 1);
    }
    out += "\n" + close + "]";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

Result<json::value> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Fail(MakeError("input.too_large", "a JSON text is too large")
                    .Expected("at most " + std::to_string(limits.max_bytes) + " bytes")
                    .Found(std::to_string(text.size()) + " bytes"));
  }
  json::parse_options options;
  options.max_depth = limits.max_depth;
  json::basic_parser<StrictHandler> parser(options);
  parser.handler().Begin();
  json::error_code ec;
  const size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!parser.handler().duplicate.empty()) {
    return Fail("input.malformed",
                "a JSON object holds the member '" + parser.handler().duplicate + "' twice");
  }
  if (ec || !parser.done()) {
    return Fail("input.malformed",
                "a JSON text is malformed at byte " + std::to_string(used) + ": " + ec.message());
  }
  if (text.substr(used).find_first_not_of(" \t\r\n") != std::string_view::npos) {
    return Fail("input.malformed", "text follows the JSON value at byte " + std::to_string(used));
  }
  return parser.handler().Release();
}

std::string ToJson(const json::value& value) { return json::serialize(value); }

std::string ToPrettyJson(const json::value& value) {
  std::string out;
  AppendPretty(out, value, 0);
  return out + "\n";
}

Result<Document> ParseJsonDocument(std::string_view text, std::string name,
                                   const JsonLimits& limits) {
  ASSIGN_OR_RETURN(json::value value, ParseJson(text, limits));
  if (!value.is_object()) return cce::Fail("input.malformed", name + " is not a JSON object");
  return Document{std::move(name), std::move(value.as_object()), {}};
}

}  // namespace cce
