#include "dataset/path.h"

#include <algorithm>

namespace cce::dataset {
namespace {

Unexpected BadPath(std::string_view path, std::string_view rule) {
  return Fail(MakeError("dataset.bad_path", "the path '" + ShowPath(path) + "' is refused")
                  .Found(std::string(rule)));
}

Unexpected BadLink(std::string_view link, std::string_view target, std::string_view rule) {
  return Fail(MakeError("dataset.bad_link", "the symbolic link '" + ShowPath(link) + "' is refused")
                  .Expected("a target that stays inside the dataset")
                  .Found("'" + ShowPath(target) + "': " + std::string(rule)));
}

// The rule that `name` breaks, or empty.
std::string_view NameFault(std::string_view name) {
  if (name.empty()) return "an empty component";
  if (name.size() > kMaxName) return "a component longer than 255 bytes";
  if (name == "." || name == "..") return "a component '.' or '..'";
  if (name.find('\0') != std::string_view::npos) return "a NUL byte";
  if (name.find('/') != std::string_view::npos) return "a '/' in a name";
  return {};
}

// Calls `visit(component)` for each piece between slashes.
template <typename Visit>
void ForEachComponent(std::string_view path, Visit visit) {
  size_t at = 0;
  while (true) {
    const size_t slash = path.find('/', at);
    visit(path.substr(at, slash == std::string_view::npos ? slash : slash - at));
    if (slash == std::string_view::npos) return;
    at = slash + 1;
  }
}

}  // namespace

Result<> CheckName(std::string_view name) {
  const std::string_view fault = NameFault(name);
  if (!fault.empty()) return BadPath(name, fault);
  return {};
}

Result<> CheckPath(std::string_view path) {
  if (path.size() > kMaxPath) return BadPath(path, "longer than 4096 bytes");
  if (path.starts_with('/')) return BadPath(path, "an absolute path");
  std::string_view fault;
  ForEachComponent(path, [&](std::string_view name) {
    if (fault.empty()) fault = NameFault(name);
  });
  if (!fault.empty()) return BadPath(path, fault);
  return {};
}

Result<> CheckLinkTarget(std::string_view link_path, std::string_view target) {
  if (target.empty()) return BadLink(link_path, target, "an empty target");
  if (target.size() > kMaxLinkTarget) return BadLink(link_path, target, "too long");
  if (target.starts_with('/')) return BadLink(link_path, target, "an absolute target");
  if (target.find('\0') != std::string_view::npos) return BadLink(link_path, target, "a NUL byte");
  auto depth = std::count(link_path.begin(), link_path.end(), '/');
  bool named = false;
  std::string_view fault;
  ForEachComponent(target, [&](std::string_view name) {
    if (name.empty() || name == ".") return;
    if (name != "..") {
      named = true;
    } else if (named) {
      fault = "'..' after a name";
    } else if (--depth < 0) {
      fault = "it leads above the dataset's top";
    }
  });
  if (!fault.empty()) return BadLink(link_path, target, fault);
  return {};
}

int ComparePaths(std::string_view a, std::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    if (a[i] == b[i]) continue;
    const int left = a[i] == '/' ? 0 : static_cast<uint8_t>(a[i]);
    const int right = b[i] == '/' ? 0 : static_cast<uint8_t>(b[i]);
    return left - right;
  }
  if (a.size() == b.size()) return 0;
  return a.size() < b.size() ? -1 : 1;
}

std::string ShowPath(std::string_view path) {
  constexpr size_t kShown = 200;
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string out;
  for (const char c : path.substr(0, kShown)) {
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      out += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
  if (path.size() > kShown) out += "...";
  return out;
}

}  // namespace cce::dataset
