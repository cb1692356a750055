#include "dataset/index.h"

#include <algorithm>

#include "dataset/index_format.h"

namespace cce::dataset {

// In blob_ at a node's `record`: the name; of a file then size 8, digest 32, extent count 4,
// extents; of a link target size 2, digest 32, target.
namespace {
constexpr size_t kFileDigestAt = 8;
constexpr size_t kFileExtentCountAt = kFileDigestAt + 32;
constexpr size_t kFileExtentsAt = kFileExtentCountAt + 4;
constexpr size_t kLinkDigestAt = 2;
constexpr size_t kLinkTargetAt = kLinkDigestAt + 32;
}  // namespace

Attributes Index::GetAttributes(Id id) const {
  const Node& node = nodes_[id];
  return {.type = static_cast<EntryType>(node.type),
          .mode = node.mode,
          .mtime_ns = node.mtime_ns,
          .size = node.size};
}

std::string_view Index::Name(Id id) const {
  const Node& node = nodes_[id];
  return AsText(ByteView(blob_).subspan(node.record, node.name_size));
}

std::string Index::Path(Id id) const {
  std::string path;
  for (; id != kRoot; id = Parent(id)) {
    if (!path.empty()) path.insert(0, 1, '/');
    path.insert(0, Name(id));
  }
  return path;
}

std::span<const Index::Id> Index::Children(Id folder) const {
  const Node& node = nodes_[folder];
  return std::span(children_).subspan(node.first_child, node.child_count);
}

std::optional<Index::Id> Index::Lookup(Id folder, std::string_view name) const {
  const std::span<const Id> children = Children(folder);
  const auto at = std::lower_bound(children.begin(), children.end(), name,
                                   [this](Id id, std::string_view n) { return Name(id) < n; });
  if (at == children.end() || Name(*at) != name) return std::nullopt;
  return *at;
}

std::optional<Index::Id> Index::Find(std::string_view path) const {
  Id id = kRoot;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::optional<Id> next = Lookup(id, path.substr(0, slash));
    if (!next) return std::nullopt;
    id = *next;
    if (slash == std::string_view::npos) return id;
    path.remove_prefix(slash + 1);
    if (path.empty()) return std::nullopt;  // "a/"
  }
  return id;
}

Digest Index::ContentDigest(Id id) const {
  const Node& node = nodes_[id];
  const auto type = static_cast<EntryType>(node.type);
  Digest digest{};
  if (type == EntryType::kFolder) return digest;
  const size_t at = type == EntryType::kFile ? kFileDigestAt : kLinkDigestAt;
  std::copy_n(blob_.data() + node.record + node.name_size + at, digest.size(), digest.begin());
  return digest;
}

std::string_view Index::LinkTarget(Id id) const {
  const Node& node = nodes_[id];
  if (static_cast<EntryType>(node.type) != EntryType::kLink) return {};
  return AsText(ByteView(blob_).subspan(node.record + node.name_size + kLinkTargetAt, node.size));
}

uint32_t Index::ExtentCount(Id file) const {
  const Node& node = nodes_[file];
  if (static_cast<EntryType>(node.type) != EntryType::kFile) return 0;
  return ReadU32(blob_.data() + node.record + node.name_size + kFileExtentCountAt);
}

Extent Index::GetExtent(Id file, uint32_t i) const {
  const Node& node = nodes_[file];
  const uint8_t* at =
      blob_.data() + node.record + node.name_size + kFileExtentsAt + size_t{i} * kIndexExtentSize;
  return {.object = ReadU32(at), .offset = ReadU32(at + 4), .length = ReadU32(at + 8)};
}

}  // namespace cce::dataset
