// Reading an image's manifest and configuration: hostile bytes, although the digest fits (the
// consumer chose it).
#include <algorithm>

#include "base/json.h"
#include "executor/image.h"

namespace cce::executor {
namespace {

constexpr size_t kMaxListItems = 1024;
constexpr size_t kMaxItemBytes = 64 << 10;

constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

// These documents are other people's formats, which grow: unknown members are let through, unlike
// in ours.
const json::value* Member(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_null() ? nullptr : found;
}

Result<std::vector<std::string>> StringList(const json::object& object, std::string_view key) {
  std::vector<std::string> out;
  const json::value* member = Member(object, key);
  if (member == nullptr) return out;
  const json::array* list = member->if_array();
  if (list == nullptr || list->size() > kMaxListItems) {
    return Fail("image.unsupported", "the image configuration's " + std::string(key) +
                                         " is not a list of at most 1024 texts");
  }
  for (const json::value& item : *list) {
    const json::string* text = item.if_string();
    if (text == nullptr || text->size() > kMaxItemBytes || text->find('\0') != json::string::npos) {
      return Fail("image.unsupported", "the image configuration's " + std::string(key) +
                                           " holds something other than a short text");
    }
    out.emplace_back(text->data(), text->size());
  }
  return out;
}

Result<std::string> Text(const json::object& object, std::string_view key) {
  const json::value* member = Member(object, key);
  if (member == nullptr) return std::string();
  const json::string* text = member->if_string();
  if (text == nullptr || text->size() > 4096 || text->find('\0') != json::string::npos) {
    return Fail("image.unsupported", "the image's " + std::string(key) + " is not a short text");
  }
  return std::string(text->data(), text->size());
}

bool IsDigest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  return text.size() == kPrefix.size() + 64 && text.starts_with(kPrefix) &&
         std::all_of(text.begin() + kPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<ManifestBlob> Blob(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return Fail("image.unsupported", "a manifest's entry is not an object");
  ManifestBlob out;
  ASSIGN_OR_RETURN(out.digest, Text(*object, "digest"));
  if (!IsDigest(out.digest)) {
    return Fail(MakeError("image.unsupported", "a manifest's entry has another kind of digest")
                    .Expected("sha256: and 64 hex digits"));
  }
  const json::value* size = Member(*object, "size");
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0) {
    return Fail("image.unsupported", "a manifest's entry has no size");
  }
  out.size = static_cast<uint64_t>(size->get_int64());
  if (Member(*object, "urls") != nullptr) {
    return Fail("image.unsupported", "a layer lies outside the registry (urls)");
  }
  return out;
}

}  // namespace

Result<Manifest> ParseManifest(ByteView bytes, const ImageLimits& limits) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(AsText(bytes), {.max_bytes = 4 << 20}));
  const json::object* root = value.if_object();
  if (root == nullptr) return Fail("image.unsupported", "the manifest is not an object");
  const json::value* version = Member(*root, "schemaVersion");
  ASSIGN_OR_RETURN(const std::string media_type, Text(*root, "mediaType"));
  const bool known_type =
      media_type.empty() || media_type == kOciManifest || media_type == kDockerManifest;
  const json::value* config = Member(*root, "config");
  const json::value* layers = Member(*root, "layers");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 2 || !known_type ||
      config == nullptr || layers == nullptr || !layers->is_array() ||
      Member(*root, "manifests") != nullptr) {
    return Fail(MakeError("image.unsupported", "the digest does not name an image manifest")
                    .Expected("an OCI or Docker v2 image manifest")
                    .Found(media_type.empty() ? "another document" : media_type));
  }
  Manifest out;
  ASSIGN_OR_RETURN(out.config, Blob(*config));
  const json::array& list = layers->get_array();
  if (list.empty() || list.size() > limits.max_layers) {
    return Fail(MakeError("image.too_large", "the image has too many layers, or none")
                    .Expected("1 to " + std::to_string(limits.max_layers))
                    .Found(std::to_string(list.size())));
  }
  uint64_t total = out.config.size;
  for (const json::value& item : list) {
    ASSIGN_OR_RETURN(ManifestBlob blob, Blob(item));
    if (blob.size > limits.max_compressed || total + blob.size > limits.max_compressed) {
      return Fail(MakeError("image.too_large", "the image's layers exceed the limit")
                      .Expected("at most " + std::to_string(limits.max_compressed) + " bytes"));
    }
    total += blob.size;
    out.layers.push_back(std::move(blob));
  }
  return out;
}

Result<ImageConfig> ParseImageConfig(ByteView bytes) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(AsText(bytes), {.max_bytes = 8 << 20}));
  const json::object* root = value.if_object();
  if (root == nullptr) return Fail("image.unsupported", "the image configuration is not an object");
  ASSIGN_OR_RETURN(const std::string os, Text(*root, "os"));
  ASSIGN_OR_RETURN(const std::string architecture, Text(*root, "architecture"));
  if (os != "linux" || architecture != "amd64") {
    return Fail(MakeError("image.unsupported", "the image is for another machine")
                    .Expected("linux/amd64")
                    .Found(os + "/" + architecture));
  }
  ImageConfig out;
  out.working_folder = "/";
  const json::value* config = Member(*root, "config");
  if (config == nullptr) return out;
  const json::object* object = config->if_object();
  if (object == nullptr) return Fail("image.unsupported", "the image configuration is malformed");
  ASSIGN_OR_RETURN(out.entrypoint, StringList(*object, "Entrypoint"));
  ASSIGN_OR_RETURN(out.command, StringList(*object, "Cmd"));
  ASSIGN_OR_RETURN(out.environment, StringList(*object, "Env"));
  ASSIGN_OR_RETURN(out.user, Text(*object, "User"));
  ASSIGN_OR_RETURN(const std::string folder, Text(*object, "WorkingDir"));
  if (!folder.empty()) out.working_folder = folder.front() == '/' ? folder : "/" + folder;
  return out;
}

}  // namespace cce::executor
