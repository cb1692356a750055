// JSON (RFC 8259) through Boost.JSON, behind one strict front: UTF-8, no duplicate members, bounded
// size and depth; and `Fields`, the one way to read an object: every member is asked for by name
// and range, and what nobody asked for is an error.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cce {

namespace json = boost::json;

struct JsonLimits {
  size_t max_bytes = size_t{1} << 20;
  size_t max_depth = 32;
};

// Errors: input.too_large, input.malformed (with the byte offset; duplicate members by name).
Result<json::value> ParseJson(std::string_view text, const JsonLimits& limits = {});
// Compact; members in the order of insertion.
std::string ToJson(const json::value& value);
// Two spaces a level: for people.
std::string ToPrettyJson(const json::value& value);

// A parsed document with its name and, for TOML, where each member stood.
struct Document {
  std::string name;  // shown in errors: a file name or "request"
  json::object root;
  std::map<std::string, int> lines;  // dotted path -> line; empty for JSON
};

// TOML 1.0 (toml++) as the same tree; dates and times are refused, 4 MiB at most.
// Errors: config.invalid (with the line), io.*.
Result<Document> ParseToml(std::string_view text, std::string name);
Result<Document> LoadToml(const std::string& path);
Result<Document> ParseJsonDocument(std::string_view text, std::string name,
                                   const JsonLimits& limits = {});

// Reads one object's members. Getters return a default once anything has failed, so that a reader
// may ask for all members and look at Finish() alone; Finish reports the first failure, else any
// member that was not asked for (input.unknown_member with the nearest known name; config.invalid
// for TOML).
//
//   Fields f(document);
//   job.image = f.String("image", {.max = 256});
//   job.memory = f.Uint("memory_mib", {.min = 64, .max = 65536, .fallback = 1024});
//   TRY(f.Finish());
class Fields {
 public:
  struct StringRule {
    size_t min = 0;
    size_t max = 4096;
    std::optional<std::string> fallback;  // set: the member is optional
  };
  struct UintRule {
    uint64_t min = 0;
    uint64_t max = UINT64_MAX;
    std::optional<uint64_t> fallback;
  };
  struct NumberRule {
    double min = 0;
    double max = 1;
    std::optional<double> fallback;
  };
  struct ListRule {
    size_t min = 0;
    size_t max = 1024;
    bool optional = false;  // absent: empty
    size_t max_item = 4096;
  };

  explicit Fields(const Document& document);
  // An object nested in plain JSON, for messages. `name` is shown in errors. `object` must outlive
  // this.
  Fields(const json::object& object, std::string name);

  bool Has(std::string_view key) const;  // also counts as asking
  std::string String(std::string_view key, const StringRule& rule);
  uint64_t Uint(std::string_view key, const UintRule& rule);
  double Number(std::string_view key, const NumberRule& rule);
  bool Bool(std::string_view key, std::optional<bool> fallback = std::nullopt);
  // One of `choices`.
  std::string Choice(std::string_view key, std::initializer_list<std::string_view> choices,
                     std::optional<std::string> fallback = std::nullopt);
  std::vector<std::string> Strings(std::string_view key, const ListRule& rule);
  // Hex text of exactly `size` bytes (0: any), "0x" allowed; empty when it failed.
  Bytes Hex(std::string_view key, size_t size, bool optional = false);
  // Base64 text of at most `max` bytes.
  Bytes Base64(std::string_view key, size_t max, bool optional = false);
  // A nested object; an absent optional one reads as empty.
  Fields Object(std::string_view key, bool optional = false);
  std::vector<Fields> Objects(std::string_view key, const ListRule& rule);
  // The raw member, or null where absent.
  const json::value* Raw(std::string_view key);
  // All members' names: for objects whose keys are data. Marks all as asked.
  std::vector<std::string> Keys();

  // Records a failure found by the caller about `key` (range across members and the like).
  void Reject(std::string_view key, std::string message);
  Result<> Finish();

 private:
  struct State;  // shared by an object's Fields and those of its nested objects
  Fields(std::shared_ptr<State> state, const json::object* object, std::string path);
  const json::value* Find(std::string_view key, bool required);
  void Fail(std::string_view key, Error error);
  std::string Where(std::string_view key) const;

  std::shared_ptr<State> state_;
  const json::object* object_;
  std::string path_;
  std::shared_ptr<std::set<std::string, std::less<>>> asked_;
};

// The candidate with the smallest edit distance to `word`, or empty where none is near.
std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace cce
