// toml++ is included here and nowhere else.
#define TOML_EXCEPTIONS 0
#include "base/toml.h"

#include <toml++/toml.h>

#include <sstream>

#include "base/file.h"

namespace cce {
namespace {

constexpr size_t kMaxTomlBytes = size_t{4} << 20;

struct Converter {
  Document& document;

  Result<json::value> Value(const toml::node& node, const std::string& path) {
    document.lines.emplace(path, static_cast<int>(node.source().begin.line));
    if (const auto* table = node.as_table()) return Table(*table, path);
    if (const auto* array = node.as_array()) {
      json::array out;
      for (size_t i = 0; i < array->size(); ++i) {
        ASSIGN_OR_RETURN(json::value item,
                         Value(*array->get(i), path + "[" + std::to_string(i) + "]"));
        out.push_back(std::move(item));
      }
      return out;
    }
    if (const auto* text = node.as_string()) return json::value(json::string(text->get()));
    if (const auto* number = node.as_integer()) return json::value(number->get());
    if (const auto* number = node.as_floating_point()) return json::value(number->get());
    if (const auto* flag = node.as_boolean()) return json::value(flag->get());
    return Fail("config.invalid", document.name + ":" + std::to_string(node.source().begin.line) +
                                      ": " + path + ": dates and times are written as texts here");
  }

  Result<json::value> Table(const toml::table& table, const std::string& path) {
    json::object out;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      std::string child = path;
      if (!child.empty()) child += '.';
      child += name;
      ASSIGN_OR_RETURN(json::value value, Value(node, child));
      document.lines[child] = static_cast<int>(key.source().begin.line);
      out.emplace(name, std::move(value));
    }
    return out;
  }
};

toml::table TableFrom(const json::object& object);

toml::array ArrayFrom(const json::array& array) {
  toml::array out;
  for (const json::value& item : array) {
    if (const auto* object = item.if_object()) out.push_back(TableFrom(*object));
    if (const auto* list = item.if_array()) out.push_back(ArrayFrom(*list));
    if (const auto* text = item.if_string()) out.push_back(std::string(*text));
    if (const auto* flag = item.if_bool()) out.push_back(*flag);
    if (const auto* number = item.if_double()) out.push_back(*number);
    if (const auto* number = item.if_int64()) out.push_back(*number);
    if (const auto* number = item.if_uint64(); number != nullptr && *number <= INT64_MAX) {
      out.push_back(static_cast<int64_t>(*number));
    }
  }
  return out;
}

toml::table TableFrom(const json::object& object) {
  toml::table out;
  for (const auto& member : object) {
    // One conversion of values for both: a list of one, whose only item moves here.
    toml::array one = ArrayFrom({member.value()});
    if (one.empty()) continue;
    one.front().visit([&](auto& node) { out.insert(std::string(member.key()), std::move(node)); });
  }
  return out;
}

}  // namespace

std::string ToToml(const json::object& root) {
  std::ostringstream out;
  out << TableFrom(root) << "\n";
  return out.str();
}

Result<Document> ParseToml(std::string_view text, std::string name) {
  if (text.size() > kMaxTomlBytes) return Fail("input.too_large", name + " exceeds 4 MiB");
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Fail("config.invalid", name + ":" + std::to_string(error.source().begin.line) + ": " +
                                      std::string(error.description()));
  }
  Document document{std::move(name), {}, {{"", 1}}};
  Converter converter{document};
  ASSIGN_OR_RETURN(json::value root, converter.Table(parsed.table(), ""));
  document.root = std::move(root.as_object());
  return document;
}

Result<Document> LoadToml(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxTomlBytes));
  return ParseToml(text, path);
}

}  // namespace cce
