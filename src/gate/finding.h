// What a detector says about an output.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cce::gate {

// Classes of evidence. Their names (ClassName) are public; they stand in the manifest.
enum class FindingClass : uint8_t {
  kRecords,    // rows of the dataset, whole or in part, rounded or reordered
  kOverlap,    // runs of the dataset's bytes
  kValues,     // a column's own values without their rows
  kSmallCell,  // counts below the least cell, or a total that betrays one
  kExtreme,    // minimum, maximum
  kFreedom,    // too few degrees of freedom, or observations, behind a model
  kRounding,   // counts that are not rounded as the owner asks
  kShape,      // one number, line or dot for each person
  kOpaque,     // encrypted, compressed beyond reading, unknown format, unreadable
  kType,       // a file type that the owner does not release unseen
  kSize,       // more bytes or files than the owner allows
  kName,       // a file name that carries content
  kDecoder,    // the decoder failed: nothing is known
  kNoIndex,    // a dataset without an index: its rows cannot be recognised
};
constexpr size_t kFindingClasses = 14;

std::string_view ClassName(FindingClass c);
std::optional<FindingClass> ClassFromName(std::string_view name);

struct ClassWeights {
  std::array<double, kFindingClasses> value;
  ClassWeights() { value.fill(1.0); }
  double operator[](FindingClass c) const { return value[static_cast<size_t>(c)]; }
  double& operator[](FindingClass c) { return value[static_cast<size_t>(c)]; }
  bool operator==(const ClassWeights&) const = default;
};

struct Finding {
  FindingClass cls = FindingClass::kDecoder;
  double strength = 0;  // 0 to 1
  std::string file;     // ChainText of the view; empty: the whole output
  std::string place;    // "line 12", "column n"; may be empty
  std::string message;  // for the owner: may name row numbers, bits, values. Never for anyone else
  uint64_t count = 1;   // how many records, cells, files
  int dataset =
      -1;  // index into the datasets reviewed; -1: about no dataset's rows (every owner sees it)
};

}  // namespace cce::gate
