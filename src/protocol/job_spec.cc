#include "protocol/job_spec.h"

#include <algorithm>
#include <set>

namespace cce::protocol {
namespace {

// A repository name as registries take it: lower-case path components.
bool IsRepository(std::string_view text) {
  if (text.empty() || text.size() > 200 || text.front() == '/' || text.back() == '/') return false;
  return text.find("..") == std::string_view::npos && text.find("//") == std::string_view::npos &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '-' ||
                  c == '_' || c == '.';
         });
}

json::array ToArray(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

}  // namespace

bool IsImageDigest(std::string_view text) {
  return text.size() == 71 && text.starts_with("sha256:") &&
         std::ranges::all_of(text.substr(7), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

json::object LimitsToJson(const JobLimits& limits) {
  return {{"memory_mib", limits.memory_mib},
          {"cpu_millis", limits.cpu_millis},
          {"pids", limits.pids},
          {"disk_mib", limits.disk_mib},
          {"seconds", limits.seconds}};
}

JobLimits ReadLimits(Fields fields) {
  const auto read = [&fields](std::string_view key, uint64_t min, uint64_t max, uint64_t fallback) {
    return static_cast<uint32_t>(fields.Uint(key, {.min = min, .max = max, .fallback = fallback}));
  };
  const JobLimits d;
  return {.memory_mib = read("memory_mib", 64, 1 << 20, d.memory_mib),
          .cpu_millis = read("cpu_millis", 100, 256000, d.cpu_millis),
          .pids = read("pids", 8, 65536, d.pids),
          .disk_mib = read("disk_mib", 16, 1 << 20, d.disk_mib),
          .seconds = read("seconds", 1, uint64_t{7} * 86400, d.seconds)};
}

Bytes EncodeJobSpec(const JobSpec& spec) {
  json::array datasets;
  for (const JobDataset& dataset : spec.datasets) {
    datasets.push_back(json::object{{"dataset", AddressText(dataset.dataset)},
                                    {"snapshot", ToHex(dataset.snapshot)},
                                    {"files", ToArray(dataset.files)}});
  }
  return ToBytes(ToJson(json::object{
      {"version", 1},
      {"wallet", AddressText(spec.wallet)},
      {"chain_id", spec.chain_id},
      {"datasets", std::move(datasets)},
      {"image", json::object{{"repository", spec.image_repository}, {"digest", spec.image_digest}}},
      {"command", ToArray(spec.command)},
      {"limits", LimitsToJson(spec.limits)},
      {"consumer_key", ToHex(spec.consumer_key)},
      {"source_digest", spec.source_digest},
      {"title", spec.title}}));
}

Result<JobSpec> DecodeJobSpec(ByteView bytes) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(AsText(bytes), "job spec", {.max_bytes = 1 << 20}));
  Fields f(document);
  JobSpec spec;
  f.Uint("version", {.min = 1, .max = 1});
  spec.wallet = HexField<20>(f, "wallet");
  spec.chain_id = f.Uint("chain_id", {.min = 1});
  std::set<DatasetId> seen;
  for (Fields& item : f.Objects("datasets", {.min = 1, .max = 16})) {
    JobDataset& dataset = spec.datasets.emplace_back();
    dataset.dataset = HexField<20>(item, "dataset");
    dataset.snapshot = HexField<32>(item, "snapshot");
    dataset.files = item.Strings("files", {.max = 100000});
    if (!seen.insert(dataset.dataset).second) item.Reject("dataset", "named twice");
  }
  Fields image = f.Object("image");
  spec.image_repository = image.String("repository", {.min = 1, .max = 200});
  spec.image_digest = image.String("digest", {.min = 71, .max = 71});
  if (!IsRepository(spec.image_repository)) image.Reject("repository", "no repository name");
  if (!IsImageDigest(spec.image_digest))
    image.Reject("digest", "must be sha256: and 64 hex digits");
  spec.command = f.Strings("command", {.max = 256, .max_item = 65536});
  spec.limits = ReadLimits(f.Object("limits"));
  spec.consumer_key = HexField<65>(f, "consumer_key");
  spec.source_digest = f.String("source_digest", {.max = 71, .fallback = ""});
  if (!spec.source_digest.empty() && !IsImageDigest(spec.source_digest)) {
    f.Reject("source_digest", "must be sha256: and 64 hex digits");
  }
  spec.title = f.String("title", {.max = 200, .fallback = ""});
  TRY(f.Finish());
  return spec;
}

}  // namespace cce::protocol
