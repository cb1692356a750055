#include <algorithm>
#include <utility>

#include "base/json.h"

namespace cce {

struct Fields::State {
  std::string name;
  std::map<std::string, int> lines;
  std::optional<Error> error;
  // Every object that was read, with the members asked for: checked for unknown ones at Finish.
  struct Visited {
    const json::object* object;
    std::string path;
    std::shared_ptr<std::set<std::string, std::less<>>> asked;
  };
  std::vector<Visited> visited;

  bool is_toml() const { return !lines.empty(); }
};

std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t change = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

Fields::Fields(std::shared_ptr<State> state, const json::object* object, std::string path)
    : state_(std::move(state)),
      object_(object),
      path_(std::move(path)),
      asked_(std::make_shared<std::set<std::string, std::less<>>>()) {
  if (object_ != nullptr) state_->visited.push_back({object_, path_, asked_});
}

Fields::Fields(const Document& document) : Fields(std::make_shared<State>(), &document.root, "") {
  state_->name = document.name;
  state_->lines = document.lines;
}

Fields::Fields(const json::object& object, std::string name)
    : Fields(std::make_shared<State>(), &object, "") {
  state_->name = std::move(name);
}

std::string Fields::Where(std::string_view key) const {
  const std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  if (const auto line = state_->lines.find(path); line != state_->lines.end()) {
    return state_->name + ":" + std::to_string(line->second) + ": " + path;
  }
  return state_->name + ": " + path;
}

void Fields::Fail(std::string_view key, Error error) {
  if (state_->error) return;
  error.message = Where(key) + ": " + error.message;
  if (state_->is_toml()) error.code = "config.invalid";
  state_->error = std::move(error);
}

void Fields::Reject(std::string_view key, std::string message) {
  Fail(key, MakeError("input.malformed", std::move(message)));
}

bool Fields::Has(std::string_view key) const {
  asked_->emplace(key);
  return object_ != nullptr && object_->contains(key);
}

const json::value* Fields::Find(std::string_view key, bool required) {
  asked_->emplace(key);
  const json::value* value = object_ == nullptr ? nullptr : object_->if_contains(key);
  if (value == nullptr && required) {
    Fail(key, MakeError("input.missing_member", "required, but absent"));
  }
  return value;
}

const json::value* Fields::Raw(std::string_view key) { return Find(key, false); }

std::string Fields::String(std::string_view key, const StringRule& rule) {
  const json::value* value = Find(key, !rule.fallback);
  if (value == nullptr) return rule.fallback.value_or("");
  if (!value->is_string()) {
    Reject(key, "must be a text");
    return {};
  }
  const json::string& text = value->get_string();
  if (text.size() < rule.min || text.size() > rule.max) {
    Fail(key, MakeError("input.malformed", "a text has the wrong length")
                  .Expected(std::to_string(rule.min) + " to " + std::to_string(rule.max) + " bytes")
                  .Found(std::to_string(text.size()) + " bytes"));
    return {};
  }
  if (text.find('\0') != json::string::npos) {
    Reject(key, "holds a NUL");
    return {};
  }
  return std::string(text);
}

uint64_t Fields::Uint(std::string_view key, const UintRule& rule) {
  const json::value* value = Find(key, !rule.fallback);
  if (value == nullptr) return rule.fallback.value_or(rule.min);
  uint64_t number = 0;
  if (value->is_uint64()) {
    number = value->get_uint64();
  } else if (value->is_int64() && value->get_int64() >= 0) {
    number = static_cast<uint64_t>(value->get_int64());
  } else {
    Reject(key, "must be a whole number, 0 or more");
    return rule.min;
  }
  if (number < rule.min || number > rule.max) {
    Fail(key, MakeError("input.malformed", "a number is out of range")
                  .Expected(std::to_string(rule.min) + " to " + std::to_string(rule.max))
                  .Found(std::to_string(number)));
    return rule.min;
  }
  return number;
}

double Fields::Number(std::string_view key, const NumberRule& rule) {
  const json::value* value = Find(key, !rule.fallback);
  if (value == nullptr) return rule.fallback.value_or(rule.min);
  if (!value->is_number()) {
    Reject(key, "must be a number");
    return rule.min;
  }
  const double number = value->to_number<double>();
  if (!(number >= rule.min && number <= rule.max)) {
    Fail(key, MakeError("input.malformed", "a number is out of range")
                  .Expected(std::to_string(rule.min) + " to " + std::to_string(rule.max))
                  .Found(std::to_string(number)));
    return rule.min;
  }
  return number;
}

bool Fields::Bool(std::string_view key, std::optional<bool> fallback) {
  const json::value* value = Find(key, !fallback);
  if (value == nullptr) return fallback.value_or(false);
  if (!value->is_bool()) {
    Reject(key, "must be true or false");
    return false;
  }
  return value->get_bool();
}

std::string Fields::Choice(std::string_view key, std::initializer_list<std::string_view> choices,
                           std::optional<std::string> fallback) {
  const bool given = Has(key);
  std::string text = String(key, {.max = 256, .fallback = std::move(fallback)});
  if (!given || std::ranges::find(choices, text) != choices.end()) return text;
  std::string list;
  for (const std::string_view choice : choices) {
    list += (list.empty() ? "" : ", ") + std::string(choice);
  }
  Fail(key, MakeError("input.malformed", "unknown choice").Expected(list).Found(text));
  return {};
}

std::vector<std::string> Fields::Strings(std::string_view key, const ListRule& rule) {
  const json::value* value = Find(key, !rule.optional);
  if (value == nullptr) return {};
  const json::array* array = value->if_array();
  if (array == nullptr || array->size() < rule.min || array->size() > rule.max) {
    Reject(key, "must be a list of " + std::to_string(rule.min) + " to " +
                    std::to_string(rule.max) + " texts");
    return {};
  }
  std::vector<std::string> out;
  for (const json::value& item : *array) {
    if (!item.is_string() || item.get_string().size() > rule.max_item ||
        item.get_string().find('\0') != json::string::npos) {
      Reject(key, "holds an item that is no text, too long or has a NUL");
      return {};
    }
    out.emplace_back(item.get_string());
  }
  return out;
}

Bytes Fields::Hex(std::string_view key, size_t size, bool optional) {
  if (optional && !Has(key)) return {};
  const std::string text = String(key, {.max = size == 0 ? 1 << 20 : 2 * size + 2});
  if (state_->error) return {};
  Result<Bytes> bytes = FromHex(text, /*allow_0x=*/true);
  if (!bytes || (size != 0 && bytes->size() != size)) {
    Fail(key, MakeError("input.malformed", "must be hex")
                  .Expected(size == 0 ? "hex digits" : std::to_string(2 * size) + " hex digits")
                  .Found(std::to_string(text.size()) + " characters"));
    return {};
  }
  return std::move(*bytes);
}

Bytes Fields::Base64(std::string_view key, size_t max, bool optional) {
  if (optional && !Has(key)) return {};
  const std::string text = String(key, {.max = max / 3 * 4 + 8});
  if (state_->error) return {};
  Result<Bytes> bytes = FromBase64(text);
  if (!bytes || bytes->size() > max) {
    Reject(key, "must be base64 of at most " + std::to_string(max) + " bytes");
    return {};
  }
  return std::move(*bytes);
}

Fields Fields::Object(std::string_view key, bool optional) {
  const json::value* value = Find(key, !optional);
  const std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  if (value != nullptr && !value->is_object()) Reject(key, "must be an object");
  return {state_, value == nullptr ? nullptr : value->if_object(), path};
}

std::vector<Fields> Fields::Objects(std::string_view key, const ListRule& rule) {
  const json::value* value = Find(key, !rule.optional);
  std::vector<Fields> out;
  if (value == nullptr) return out;
  const json::array* array = value->if_array();
  if (array == nullptr || array->size() < rule.min || array->size() > rule.max) {
    Reject(key, "must be a list of " + std::to_string(rule.min) + " to " +
                    std::to_string(rule.max) + " objects");
    return out;
  }
  const std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  for (size_t i = 0; i < array->size(); ++i) {
    if (!(*array)[i].is_object()) {
      Reject(key, "holds an item that is no object");
      return {};
    }
    out.push_back(Fields(state_, &(*array)[i].get_object(), path + "[" + std::to_string(i) + "]"));
  }
  return out;
}

std::vector<std::string> Fields::Keys() {
  std::vector<std::string> out;
  if (object_ == nullptr) return out;
  for (const auto& member : *object_) {
    out.emplace_back(member.key());
    asked_->emplace(member.key());
  }
  return out;
}

Result<> Fields::Finish() {
  if (state_->error) return Unexpected(*state_->error);
  for (const State::Visited& visited : state_->visited) {
    for (const auto& member : *visited.object) {
      const std::string key(member.key());
      if (visited.asked->contains(key)) continue;
      const std::vector<std::string> known(visited.asked->begin(), visited.asked->end());
      const std::string nearest = NearestWord(key, known);
      Error error = MakeError("input.unknown_member", "unknown key");
      if (!nearest.empty()) {
        error.message += "; the nearest known one is '" + nearest + "'";
      }
      Fields at(state_, nullptr, visited.path);
      at.Fail(key, std::move(error));
      return Unexpected(*state_->error);
    }
  }
  return {};
}

}  // namespace cce
