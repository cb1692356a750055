#include "privacy_plane/datasets/quota.h"

namespace cce::privacy_plane {
namespace {

Result<> CheckOne(std::string_view code, std::string_view what, uint64_t used, uint64_t more,
                  uint64_t limit) {
  if (used <= limit && more <= limit - used) return {};
  return Fail(MakeError(code, "the dataset's quota of " + std::string(what) + " is used up")
                  .Expected("at most " + std::to_string(limit) + " " + std::string(what))
                  .Found(std::to_string(used) + " there, " + std::to_string(more) + " more"));
}

}  // namespace

Usage UsageOf(const Tables& tables, const DatasetRecord& dataset) {
  Usage usage;
  for (const auto& [id, snapshot] : dataset.snapshots) {
    if (!snapshot.live()) continue;
    usage.bytes += snapshot.counts.bytes;
    usage.files += snapshot.counts.files;
    ++usage.snapshots;
  }
  for (const auto& [id, draft] : tables.drafts) {
    if (draft.dataset != dataset.id || !draft.open()) continue;
    usage.bytes += draft.bytes;
    for (const auto& [part, receipt] : draft.parts) usage.files += receipt.pieces;
  }
  return usage;
}

Result<> CheckQuota(const Tables& tables, const DatasetRecord& dataset, const Config& config,
                    const Usage& more) {
  const Usage used = UsageOf(tables, dataset);
  const Quota quota = config.QuotaOf(dataset.id);
  TRY(CheckOne("upload.quota", "bytes", used.bytes, more.bytes, quota.bytes));
  TRY(CheckOne("upload.quota_files", "files", used.files, more.files, quota.files));
  return CheckOne("upload.quota_snapshots", "snapshots", used.snapshots, more.snapshots,
                  quota.snapshots);
}

Usage QuotaLeft(const Tables& tables, const DatasetRecord& dataset, const Config& config) {
  const Usage used = UsageOf(tables, dataset);
  const Quota quota = config.QuotaOf(dataset.id);
  const auto left = [](uint64_t limit, uint64_t taken) {
    return limit > taken ? limit - taken : 0;
  };
  return {.bytes = left(quota.bytes, used.bytes),
          .files = left(quota.files, used.files),
          .snapshots = left(quota.snapshots, used.snapshots)};
}

}  // namespace cce::privacy_plane
