#include "privacy_plane/datasets/snapshot_diff.h"

#include "dataset/path.h"

namespace cce::privacy_plane {
namespace {

using dataset::Index;

// Sealed bytes of an index that is taken into memory here.
constexpr uint64_t kMaxIndexBytes = uint64_t{256} << 20;

// Decodes one UTF-8 sequence; 0 where it is none. Overlong forms and surrogates are none.
size_t Utf8Size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  uint32_t point = first & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool good = point >= kLeast[size] && point <= 0x10ffff &&
                    (point < 0xd800 || point > 0xdfff) && point >= 0xa0;
  // Marks that turn the direction of text would make a path look like another one.
  const bool turns = (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
                     (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
  return good && !turns ? size : 0;
}

bool PlainPath(std::string_view path) {
  while (!path.empty()) {
    const auto byte = static_cast<uint8_t>(path.front());
    if (byte < 0x20 || byte == 0x7f || byte == '\\') return false;
    const size_t size = Utf8Size(path);
    if (size == 0) return false;
    path.remove_prefix(size);
  }
  return true;
}

std::string_view TypeName(dataset::EntryType type) {
  switch (type) {
    case dataset::EntryType::kFile:
      return "file";
    case dataset::EntryType::kFolder:
      return "folder";
    case dataset::EntryType::kLink:
      return "link";
  }
  return "file";
}

json::object Side(const dataset::Attributes& a) {
  return {{"type", TypeName(a.type)}, {"size", a.size}, {"mode", a.mode}, {"mtime_ns", a.mtime_ns}};
}

// The first entry behind `path`, by halving: ids are in path order.
Index::Id FirstBehind(const Index& index, std::string_view path) {
  Index::Id low = 1;
  Index::Id high = index.size();
  while (low < high) {
    const Index::Id middle = low + (high - low) / 2;
    if (dataset::ComparePaths(index.Path(middle), path) <= 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The name of what differs, or empty.
std::string_view Difference(const Index& a, Index::Id x, const Index& b, Index::Id y) {
  const dataset::Attributes was = a.GetAttributes(x);
  const dataset::Attributes is = b.GetAttributes(y);
  if (was.type != is.type || was.size != is.size) return "content";
  if (was.type != dataset::EntryType::kFolder && a.ContentDigest(x) != b.ContentDigest(y)) {
    return "content";
  }
  return was.mode != is.mode || was.mtime_ns != is.mtime_ns ? "attributes" : "";
}

// Walks both indexes side by side.
class Walk {
 public:
  Walk(const Index& before, const Index& after) : before_(before), after_(after) {}

  DiffPage Page(std::string_view behind, const DiffLimits& limits) {
    Index::Id x = behind.empty() ? 1 : FirstBehind(before_, behind);
    Index::Id y = behind.empty() ? 1 : FirstBehind(after_, behind);
    DiffPage page;
    for (size_t examined = 0; x < before_.size() || y < after_.size(); ++examined) {
      if (page.changes.size() >= limits.changes || examined >= limits.examined) {
        page.next = last_;
        return page;
      }
      const std::string left = x < before_.size() ? before_.Path(x) : std::string();
      const std::string right = y < after_.size() ? after_.Path(y) : std::string();
      const int order = left.empty() ? 1 : right.empty() ? -1 : dataset::ComparePaths(left, right);
      last_ = order <= 0 ? left : right;
      Compare(order, x, y, page);
      if (order <= 0) ++x;
      if (order >= 0) ++y;
    }
    return page;
  }

 private:
  void Compare(int order, Index::Id x, Index::Id y, DiffPage& page) const {
    const std::string_view change = order < 0   ? "removed"
                                    : order > 0 ? "added"
                                                : Difference(before_, x, after_, y);
    if (change.empty()) return;
    json::object item{{"path", EscapePath(last_)}, {"change", change}};
    if (order <= 0) item["before"] = Side(before_.GetAttributes(x));
    if (order >= 0) item["after"] = Side(after_.GetAttributes(y));
    page.changes.push_back(std::move(item));
  }

  const Index& before_;
  const Index& after_;
  std::string last_;
};

}  // namespace

std::string EscapePath(std::string_view path) {
  if (PlainPath(path)) return std::string(path);
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

DiffPage DiffIndexes(const Index& before, const Index& after_index, std::string_view after,
                     const DiffLimits& limits) {
  return Walk(before, after_index).Page(after, limits);
}

Result<json::object> SnapshotDiffs::Page(const DatasetId& dataset, const SnapshotId& from,
                                         const SnapshotId& to, std::string_view after,
                                         size_t limit) {
  ASSIGN_OR_RETURN(const Bytes behind, FromHex(after));
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const auto before, datasets_.OpenSnapshot(dataset, from, kMaxIndexBytes));
  ASSIGN_OR_RETURN(const auto now, datasets_.OpenSnapshot(dataset, to, kMaxIndexBytes));
  DiffPage page = DiffIndexes(before->index(), now->index(), AsText(behind), {.changes = limit});
  json::object out{{"from", ToHex(from)}, {"to", ToHex(to)}, {"changes", std::move(page.changes)}};
  if (page.next) out["next"] = ToHex(AsBytes(*page.next));
  return out;
}

}  // namespace cce::privacy_plane
