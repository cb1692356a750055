#include "gate/review.h"

#include <zstd.h>

#include <algorithm>
#include <map>

#include "gate/disclosure.h"
#include "gate/index_data.h"
#include "gate/overlap.h"
#include "gate/records.h"
#include "gate/shape.h"
#include "gate/svg.h"

namespace cce::gate {
namespace {

constexpr size_t kMaxFindings = 1000;
constexpr uint64_t kMaxExamined = uint64_t{256} << 20;  // bytes of text that detectors look at

// The size of everything in the output after good compression: what it can say at most.
uint64_t CompressedSize(std::span<const View> views) {
  uint64_t total = 0;
  Bytes buffer;
  for (const View& v : views) {
    constexpr size_t kPiece = size_t{8} << 20;
    for (size_t at = 0; at < v.bytes.size(); at += kPiece) {
      const size_t n = std::min(kPiece, v.bytes.size() - at);
      buffer.resize(ZSTD_compressBound(n));
      const size_t size = ZSTD_compress(buffer.data(), buffer.size(), v.bytes.data() + at, n, 3);
      total += ZSTD_isError(size) != 0 ? n : size;
    }
    for (const std::string& name : v.chain) total += name.size();
  }
  return total;
}

std::vector<uint64_t> TableRows(std::span<const ReviewedDataset> datasets) {
  std::vector<uint64_t> out;
  for (const ReviewedDataset& d : datasets) {
    if (d.index == nullptr) continue;
    for (const TableInfo& t : d.index->data().tables) out.push_back(t.all_rows);
  }
  return out;
}

uint64_t Capacity(const ReviewedDataset& dataset, uint64_t compressed) {
  double bits = 8;
  if (dataset.index != nullptr) {
    for (const TableInfo& t : dataset.index->data().tables) {
      bits = std::max(bits, static_cast<double>(t.row_bits));
    }
  }
  return static_cast<uint64_t>(static_cast<double>(compressed) * 8 / bits);
}

void DetectAll(std::span<const View> views, std::span<const ReviewedDataset> datasets,
               const GatePolicy& policy, std::vector<Finding>& findings) {
  const std::vector<uint64_t> table_rows = TableRows(datasets);
  for (const View& view : views) {
    DetectOpaque(view, policy, findings);
    DetectShape(view, table_rows, findings);
    DetectDisclosure(view, policy, findings);
  }
  // What plots draw as glyphs, and what file names say, is text like any other.
  std::vector<View> extra = {NamesView(views)};
  for (const View& view : views) {
    if (view.kind != ViewKind::kSvg) continue;
    const SvgFacts facts = ReadSvg(AsText(view.bytes));
    if (facts.glyph_text.empty()) continue;
    View text{.chain = view.chain, .kind = ViewKind::kText, .bytes = ToBytes(facts.glyph_text)};
    text.chain.emplace_back("drawn text");
    extra.push_back(std::move(text));
  }
  for (size_t d = 0; d < datasets.size(); ++d) {
    const auto number = static_cast<int>(d);
    if (datasets[d].index == nullptr) {
      findings.push_back({.cls = FindingClass::kNoIndex,
                          .strength = 1,
                          .message = "the dataset's leak index is not built yet",
                          .dataset = number});
      continue;
    }
    LeakLookup lookup(*datasets[d].index);
    RecordDetector records(lookup);
    for (const std::span<const View> list : {views, std::span<const View>(extra)}) {
      for (const View& view : list) {
        records.Add(view);
        DetectOverlap(lookup, view, number, findings);
      }
    }
    records.Finish(number, findings);
    if (lookup.error()) {
      findings.push_back(
          {.cls = FindingClass::kNoIndex,
           .strength = 1,
           .message = "the dataset's leak index could not be read: " + lookup.error()->code,
           .dataset = number});
    }
  }
}

double Score(const std::vector<Finding>& findings, const GatePolicy& policy) {
  std::map<FindingClass, double> strongest;
  for (const Finding& f : findings) {
    double& s = strongest[f.cls];
    s = std::max(s, std::clamp(f.strength * policy.weights[f.cls], 0.0, 1.0));
  }
  double innocent = 1;
  for (const auto& [cls, s] : strongest) innocent *= 1 - s;
  return 1 - innocent;
}

bool AlwaysHeld(const Finding& f) {
  return f.cls == FindingClass::kDecoder || f.cls == FindingClass::kNoIndex;
}

json::object FindingJson(const Finding& f) {
  json::object out;
  out["class"] = ClassName(f.cls);
  out["strength"] = f.strength;
  out["file"] = f.file;
  out["place"] = f.place;
  out["message"] = f.message;
  out["count"] = f.count;
  return out;
}

}  // namespace

std::string_view DecisionName(Decision d) {
  return d == Decision::kAutoApproved ? "auto_approved" : "needs_human";
}

GateReport Review(const Result<std::vector<View>>& decoded, uint64_t output_bytes,
                  std::span<const ReviewedDataset> datasets, std::span<const GatePolicy> policies) {
  const GatePolicy policy = StrictestGatePolicy(policies);
  GateReport report;
  report.threshold = policy.threshold;
  report.output_bytes = output_bytes;
  for (const ReviewedDataset& d : datasets) report.datasets.push_back(d.id);
  uint64_t compressed = output_bytes;
  if (!decoded) {
    report.findings.push_back(
        {.cls = FindingClass::kDecoder,
         .strength = 1,
         .message = "the output could not be taken apart: " + decoded.error().message});
  } else {
    const std::span<const View> views = *decoded;
    report.views = static_cast<uint32_t>(views.size());
    report.files = CountFiles(views);
    compressed = CompressedSize(views);
    DetectBudget(views, output_bytes, policy, report.findings);
    uint64_t bytes = 0;
    for (const View& v : views) bytes += v.bytes.size();
    if (bytes > kMaxExamined) {
      report.findings.push_back({.cls = FindingClass::kDecoder,
                                 .strength = 1,
                                 .message = "the output is too large to be examined",
                                 .count = bytes});
    } else {
      DetectAll(views, datasets, policy, report.findings);
    }
  }
  for (const ReviewedDataset& d : datasets)
    report.capacity_records.push_back(Capacity(d, compressed));
  report.score = Score(report.findings, policy);
  const bool held = std::any_of(report.findings.begin(), report.findings.end(), AlwaysHeld);
  report.decision = held || datasets.empty() || report.score >= policy.threshold
                        ? Decision::kNeedsHuman
                        : Decision::kAutoApproved;
  std::sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(b.strength, a.cls, a.file) < std::tie(a.strength, b.cls, b.file);
  });
  if (report.findings.size() > kMaxFindings) report.findings.resize(kMaxFindings);
  return report;
}

json::object ToOwnerJson(const GateReport& report, size_t dataset) {
  json::object out;
  out["decision"] = DecisionName(report.decision);
  out["score"] = report.score;
  out["threshold"] = report.threshold;
  out["output_bytes"] = report.output_bytes;
  out["files"] = report.files;
  out["views"] = report.views;
  if (dataset < report.datasets.size()) {
    out["dataset"] = report.datasets[dataset];
    out["capacity_records"] = report.capacity_records[dataset];
  }
  json::array findings;
  for (const Finding& f : report.findings) {
    if (f.dataset < 0 || static_cast<size_t>(f.dataset) == dataset)
      findings.push_back(FindingJson(f));
  }
  out["findings"] = std::move(findings);
  return out;
}

json::object ToManifestJson(const GateReport& report) {
  json::object out;
  out["decision"] = DecisionName(report.decision);
  out["score"] = report.score;
  out["threshold"] = report.threshold;
  std::map<FindingClass, uint64_t> counts;
  for (const Finding& f : report.findings) ++counts[f.cls];
  json::object classes;
  for (const auto& [cls, n] : counts) classes[ClassName(cls)] = n;
  out["findings"] = std::move(classes);
  return out;
}

}  // namespace cce::gate
