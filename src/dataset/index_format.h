// Constants of the index's binary form (docs/formats/dataset.md, "Index").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cce::dataset {

constexpr std::string_view kIndexMagic = "CCEX";
constexpr std::string_view kIndexEndMagic = "CCEXEND\n";
constexpr uint8_t kIndexVersion = 1;
constexpr size_t kIndexHeaderSize = 28;
constexpr size_t kIndexObjectSize = 92;
constexpr size_t kIndexFooterSize = 56;
constexpr size_t kIndexEntryHead = 14;  // type, mode, depth, mtime, name size
constexpr size_t kIndexExtentSize = 12;
constexpr uint64_t kMaxIndexEntries = (uint64_t{1} << 31) - 2;

}  // namespace cce::dataset
