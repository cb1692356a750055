#include "privacy_plane/volumes/volume_metadata.h"

namespace cce::privacy_plane {
namespace {

// Of the settings, what a reader needs.
constexpr std::string_view kSettings[] = {"Name",
                                          "UUID",
                                          "Storage",
                                          "Bucket",
                                          "BlockSize",
                                          "Compression",
                                          "EncryptAlgo",
                                          "HashPrefix",
                                          "Shards",
                                          "TrashDays",
                                          "MetaVersion",
                                          "MinClientVersion",
                                          "MaxClientVersion",
                                          "DirStats",
                                          "EnableACL",
                                          "Tiers"};

Unexpected Malformed() {
  return Fail("store.failed", "the volume's metadata does not have the form that is known");
}

// Not operator[]: it may move the members even where the key is there.
json::value Taken(json::object& object, std::string_view key) {
  json::value* value = object.if_contains(key);
  return value == nullptr ? json::value() : std::move(*value);
}

json::object* Entries(json::object& folder) {
  json::value* entries = folder.if_contains("entries");
  return entries != nullptr && entries->is_object() ? &entries->get_object() : nullptr;
}

// The folder with those of its files that are wanted; each is taken off the list.
json::object Select(json::object& folder, std::set<dataset::ObjectName>& wanted) {
  json::object kept;
  if (json::object* entries = Entries(folder)) {
    for (auto& [name, entry] : *entries) {
      const Result<dataset::ObjectName> object = ArrayFromHex<32>(name);
      if (object && wanted.erase(*object) == 1) kept[name] = std::move(entry);
    }
  }
  return json::object{{"attr", Taken(folder, "attr")}, {"entries", std::move(kept)}};
}

}  // namespace

Result<json::object> SelectObjects(std::string_view dump,
                                   const std::set<dataset::ObjectName>& names) {
  ASSIGN_OR_RETURN(json::value parsed, ParseJson(dump, {.max_bytes = kMaxVolumeMetadata}));
  if (!parsed.is_object()) return Malformed();
  json::object& all = parsed.get_object();
  json::value* settings = all.if_contains("Setting");
  json::value* tree = all.if_contains("FSTree");
  if (settings == nullptr || !settings->is_object() || tree == nullptr || !tree->is_object() ||
      !all.contains("Counters")) {
    return Malformed();
  }
  json::object setting;
  for (const std::string_view key : kSettings) {
    if (json::value* value = settings->get_object().if_contains(key)) {
      setting[key] = std::move(*value);
    }
  }
  std::set<dataset::ObjectName> wanted = names;
  json::object folders;
  json::object* top = Entries(tree->get_object());
  if (top == nullptr) return Malformed();
  for (auto& [name, entry] : *top) {
    if (name.size() != 2 || !entry.is_object()) continue;
    json::object folder = Select(entry.get_object(), wanted);
    if (!folder["entries"].get_object().empty()) folders[name] = std::move(folder);
  }
  if (!wanted.empty()) {
    return Fail("dataset.missing_object", "object " + ToHex(*wanted.begin()) + " is missing");
  }
  return json::object{{"Setting", std::move(setting)},
                      {"Counters", Taken(all, "Counters")},
                      {"Sustained", json::array()},
                      {"DelFiles", json::array()},
                      {"FSTree", json::object{{"attr", Taken(tree->get_object(), "attr")},
                                              {"entries", std::move(folders)}}}};
}

}  // namespace cce::privacy_plane
