#include "gate/finding.h"

namespace cce::gate {
namespace {
constexpr std::array<std::string_view, kFindingClasses> kNames = {
    "records", "overlap", "values", "small_cell", "extreme", "freedom", "rounding",
    "shape",   "opaque",  "type",   "size",       "name",    "decoder", "no_index"};
}

std::string_view ClassName(FindingClass c) { return kNames[static_cast<size_t>(c)]; }

std::optional<FindingClass> ClassFromName(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<FindingClass>(i);
  }
  return std::nullopt;
}

}  // namespace cce::gate
