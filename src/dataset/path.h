// The paths that a dataset may hold. Any bytes are allowed in a name but '/' and NUL. Only the
// normal form is accepted, so that two paths name the same file exactly if their bytes are equal.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cce::dataset {

constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxName = 255;
constexpr size_t kMaxLinkTarget = 4095;

// Relative, not empty, components of 1..255 bytes that are neither "." nor "..", at most 4096 bytes
// together, no NUL. dataset.bad_path names the path (escaped) and the rule.
Result<> CheckPath(std::string_view path);
Result<> CheckName(std::string_view name);

// Whether a symbolic link at `link_path` stays inside the dataset whatever else the dataset holds:
// a relative target,
// ".." only at its front and never above the root. (".." after a name could climb out by way of
// another link.) dataset.bad_link.
Result<> CheckLinkTarget(std::string_view link_path, std::string_view target);

// The order of all entries: as bytes, but '/' before every other byte, so that a folder's whole
// content follows it directly. < 0, 0, > 0.
int ComparePaths(std::string_view a, std::string_view b);

// For messages: printable ASCII stays, everything else becomes \xNN; cut to a readable length.
std::string ShowPath(std::string_view path);

}  // namespace cce::dataset
