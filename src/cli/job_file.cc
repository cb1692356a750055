#include "cli/job_file.h"

#include <algorithm>

namespace cce::cli {

Result<JobFile> ReadJobFile(const Document& document) {
  Fields f(document);
  JobFile job;
  job.title = f.String("title", {.max = 200, .fallback = ""});
  job.command = f.Strings("command", {.max = 256, .optional = true, .max_item = 65536});
  job.source_digest = f.String("source_digest", {.max = 71, .fallback = ""});
  if (!job.source_digest.empty() && !protocol::IsImageDigest(job.source_digest)) {
    f.Reject("source_digest", "must be sha256: and 64 hex digits, or empty");
  }
  Fields image = f.Object("image");
  job.image_repository = image.String("repository", {.min = 1, .max = 200});
  job.image_digest = image.String("digest", {.min = 1, .max = 71});
  if (!protocol::IsImageDigest(job.image_digest)) {
    image.Reject("digest", "must be sha256: and 64 hex digits (a tag can change its meaning)");
  }
  for (Fields& item : f.Objects("datasets", {.min = 1, .max = 16})) {
    JobFile::Dataset& dataset = job.datasets.emplace_back();
    dataset.dataset = protocol::HexField<20>(item, "dataset");
    const std::string snapshot =
        item.String("snapshot", {.min = 1, .max = 64, .fallback = "latest"});
    if (snapshot != "latest") {
      const Result<protocol::SnapshotId> id = ArrayFromHex<32>(snapshot);
      if (!id) item.Reject("snapshot", "must be \"latest\" or 64 hex digits");
      dataset.snapshot = id.value_or(protocol::SnapshotId{});
    }
    dataset.files = item.Strings("files", {.max = 100000, .optional = true});
  }
  job.limits = protocol::ReadLimits(f.Object("limits", /*optional=*/true));
  TRY(f.Finish());
  return job;
}

Result<protocol::SnapshotId> LatestSnapshot(const protocol::DatasetInfo& info) {
  const auto newest =
      std::ranges::max_element(info.snapshots, {}, &protocol::DatasetInfo::Snapshot::time);
  if (newest == info.snapshots.end()) {
    return Fail("dataset.unknown_snapshot",
                "dataset " + protocol::AddressText(info.dataset) + " has no snapshot yet");
  }
  return newest->id;
}

Result<protocol::JobSpec> MakeJobSpec(const JobFile& file, Client& client,
                                      const protocol::Wallet& wallet,
                                      const ByteArray<65>& consumer_key) {
  protocol::JobSpec spec;
  spec.wallet = wallet;
  spec.chain_id = client.chain_id();
  spec.image_repository = file.image_repository;
  spec.image_digest = file.image_digest;
  spec.command = file.command;
  spec.limits = file.limits;
  spec.consumer_key = consumer_key;
  spec.source_digest = file.source_digest;
  spec.title = file.title;
  for (const JobFile::Dataset& wanted : file.datasets) {
    protocol::JobDataset& dataset = spec.datasets.emplace_back();
    dataset.dataset = wanted.dataset;
    dataset.files = wanted.files;
    if (wanted.snapshot) {
      dataset.snapshot = *wanted.snapshot;
      continue;
    }
    ASSIGN_OR_RETURN(const std::string text,
                     client.Get("/v1/datasets/" + protocol::AddressText(wanted.dataset)));
    ASSIGN_OR_RETURN(const protocol::DatasetInfo info, protocol::ReadDatasetInfo(text));
    ASSIGN_OR_RETURN(dataset.snapshot, LatestSnapshot(info));
  }
  // The same rules as at cced, before anything is signed.
  ASSIGN_OR_RETURN(protocol::JobSpec checked,
                   protocol::DecodeJobSpec(protocol::EncodeJobSpec(spec)));
  return checked;
}

}  // namespace cce::cli
