#include "gate/policy.h"

#include <algorithm>
#include <numeric>

namespace cce::gate {
namespace {

bool AlwaysFull(FindingClass c) {
  return c == FindingClass::kRecords || c == FindingClass::kOverlap ||
         c == FindingClass::kDecoder || c == FindingClass::kNoIndex;
}

bool IsType(std::string_view t) {
  return !t.empty() && t.size() <= 16 && std::all_of(t.begin(), t.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

uint32_t CommonBase(uint32_t a, uint32_t b) {
  if (a == 0 || b == 0) return std::max(a, b);
  const uint64_t both = std::lcm(uint64_t{a}, uint64_t{b});
  return both <= 1000 ? static_cast<uint32_t>(both) : std::max(a, b);
}

}  // namespace

GatePolicy ReadGatePolicy(Fields& fields) {
  GatePolicy p;
  p.threshold = fields.Number("threshold", {.min = 0, .max = 1, .fallback = p.threshold});
  p.max_output_bytes = fields.Uint(
      "max_output_bytes", {.min = 0, .max = uint64_t{1} << 40, .fallback = p.max_output_bytes});
  p.max_files = static_cast<uint32_t>(
      fields.Uint("max_files", {.min = 0, .max = 1'000'000, .fallback = p.max_files}));
  p.min_cell = static_cast<uint32_t>(
      fields.Uint("min_cell", {.min = 1, .max = 10'000, .fallback = p.min_cell}));
  p.rounding_base = static_cast<uint32_t>(
      fields.Uint("rounding_base", {.min = 0, .max = 1000, .fallback = p.rounding_base}));
  if (fields.Has("allowed_types")) {
    p.allowed_types = fields.Strings("allowed_types", {.max = 100, .max_item = 16});
    for (const std::string& t : p.allowed_types) {
      if (!IsType(t))
        fields.Reject("allowed_types",
                      "a type is a file name's ending in lower case, without the dot");
    }
  }
  Fields weights = fields.Object("weights", true);
  for (size_t i = 0; i < kFindingClasses; ++i) {
    const auto c = static_cast<FindingClass>(i);
    const double least = AlwaysFull(c) ? 1.0 : 0.0;
    p.weights[c] = weights.Number(ClassName(c), {.min = least, .max = 1, .fallback = 1.0});
  }
  return p;
}

json::object GatePolicyJson(const GatePolicy& p) {
  json::object out;
  out["threshold"] = p.threshold;
  out["max_output_bytes"] = p.max_output_bytes;
  out["max_files"] = p.max_files;
  out["min_cell"] = p.min_cell;
  out["rounding_base"] = p.rounding_base;
  json::array types;
  for (const std::string& t : p.allowed_types) types.emplace_back(t);
  out["allowed_types"] = std::move(types);
  json::object weights;
  for (size_t i = 0; i < kFindingClasses; ++i) {
    const auto c = static_cast<FindingClass>(i);
    if (p.weights[c] != 1.0) weights[ClassName(c)] = p.weights[c];
  }
  out["weights"] = std::move(weights);
  return out;
}

GatePolicy StrictestGatePolicy(std::span<const GatePolicy> policies) {
  if (policies.empty()) {
    GatePolicy none;
    none.threshold = 0;
    return none;
  }
  GatePolicy out = policies[0];
  for (const GatePolicy& p : policies.subspan(1)) {
    out.threshold = std::min(out.threshold, p.threshold);
    out.max_output_bytes = std::min(out.max_output_bytes, p.max_output_bytes);
    out.max_files = std::min(out.max_files, p.max_files);
    out.min_cell = std::max(out.min_cell, p.min_cell);
    out.rounding_base = CommonBase(out.rounding_base, p.rounding_base);
    std::erase_if(out.allowed_types, [&](const std::string& t) {
      return std::find(p.allowed_types.begin(), p.allowed_types.end(), t) == p.allowed_types.end();
    });
    for (size_t i = 0; i < kFindingClasses; ++i) {
      out.weights.value[i] = std::max(out.weights.value[i], p.weights.value[i]);
    }
  }
  return out;
}

}  // namespace cce::gate
