#include "privacy_plane/compute_controller/job_checks.h"

#include <algorithm>

#include "privacy_plane/datasets/policies.h"
#include "privacy_plane/datasets/snapshots.h"
#include "privacy_plane/volumes/volumes.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;

Result<> CheckSnapshot(const DatasetRecord& dataset, const protocol::JobDataset& wanted,
                       const protocol::JobLimits& limits) {
  TRY(CheckReadable(dataset, wanted.snapshot));
  const SnapshotRecord& snapshot = dataset.snapshots.at(wanted.snapshot);
  // Prefetched data lies in the machine's memory beside the container.
  const uint64_t room = uint64_t{limits.memory_mib} << 20;
  if (dataset.policy().policy.access_mode == "prefetch" && wanted.files.empty() &&
      snapshot.counts.bytes > room) {
    return Fail(MakeError("job.data_too_large", "the snapshot does not fit the machine's memory")
                    .Expected("at most " + std::to_string(room) + " bytes (limits.memory_mib)")
                    .Found(std::to_string(snapshot.counts.bytes) + " bytes")
                    .Next("Declare the files that the job reads, or raise limits.memory_mib."));
  }
  return {};
}

Result<> CheckPolicy(const DatasetRecord& dataset, const protocol::JobSpec& spec,
                     const Core& core) {
  const protocol::IdentityDocument& identity = core.identity;
  const protocol::DatasetPolicy& policy = dataset.policy().policy;
  if (policy.chain_id != spec.chain_id) {
    return Fail(MakeError("policy.chain", "the dataset is rented on another chain")
                    .Expected(std::to_string(policy.chain_id))
                    .Found(std::to_string(spec.chain_id)));
  }
  if (!identity.development.empty() && !policy.allow_development) {
    return Fail(
        MakeError("policy.development_refused", "the owner's policy refuses development parts")
            .Expected("none")
            .Found(identity.development.front()));
  }
  if (!policy.images.empty() &&
      std::ranges::find(policy.images, spec.image_digest) == policy.images.end()) {
    return Fail(MakeError("policy.image", "the owner's policy does not allow this container image")
                    .Expected(policy.images.front() +
                              (policy.images.size() > 1 ? " or another listed one" : ""))
                    .Found(spec.image_digest));
  }
  const bool on_demand = core.volumes != nullptr && core.volumes->HasReaders();
  if (policy.access_mode != "prefetch" && !on_demand) {
    return Fail(MakeError("policy.access_mode", "on-demand reads need a distributed store here")
                    .Expected("prefetch")
                    .Found(policy.access_mode));
  }
  return {};
}

Result<> CheckRental(Core& core, const DatasetId& dataset, const Wallet& wallet,
                     const chain::Block& block, json::array& rentals) {
  ASSIGN_OR_RETURN(const chain::RentalAnswer answer,
                   core.rental->HasAccess(dataset, wallet, block));
  rentals.push_back(json::object{{"dataset", AddressText(dataset)},
                                 {"has_access", answer.has_access},
                                 {"block", answer.block.number},
                                 {"block_hash", ToHex(answer.block.hash)},
                                 {"block_time", answer.block.time}});
  if (!answer.has_access) {
    return Fail(MakeError("rental.none", "wallet " + AddressText(wallet) + " has no access to " +
                                             AddressText(dataset))
                    .Expected("hasAccess = true at block " + std::to_string(block.number) +
                              " (final, " + FormatTime(block.time) + ")")
                    .Found("false")
                    .Next("cce rent " + AddressText(dataset) + " --hours 24"));
  }
  return {};
}

}  // namespace

Result<> CheckCapacity(const Tables& tables, const Config& config, const protocol::JobSpec& spec) {
  size_t running = 0;
  size_t own = 0;
  for (const auto& [id, job] : tables.jobs) {
    if (protocol::IsFinal(job.state) || job.state == protocol::JobState::kReviewing) continue;
    ++running;
    if (job.spec.wallet != spec.wallet) continue;
    for (const protocol::JobDataset& dataset : spec.datasets) {
      own += std::ranges::count(job.spec.datasets, dataset.dataset, &protocol::JobDataset::dataset);
    }
  }
  if (running >= config.max_running) {
    return Fail(MakeError("job.too_many", "the engine runs as many jobs as it may")
                    .Expected("fewer than " + std::to_string(config.max_running)));
  }
  if (own >= config.max_jobs_per_wallet_and_dataset) {
    return Fail(
        MakeError("job.too_many_for_wallet", "this wallet runs too many jobs on the dataset")
            .Expected("fewer than " + std::to_string(config.max_jobs_per_wallet_and_dataset)));
  }
  return {};
}

Result<> JobChecks::Verdict() const {
  for (const CheckedItem& item : items) TRY(item.result);
  return {};
}

Result<JobChecks> CheckJob(Core& core, const protocol::JobSpec& spec, const chain::Block& block,
                           bool counted) {
  JobChecks checks;
  const auto add = [&checks](std::string name, Result<> result) {
    checks.items.push_back({std::move(name), std::move(result)});
  };
  if (spec.chain_id != core.config.chain_id) {
    add("chain", Fail(MakeError("policy.chain", "the job is for another chain")
                          .Expected(std::to_string(core.config.chain_id))
                          .Found(std::to_string(spec.chain_id))));
  }
  for (const protocol::JobDataset& wanted : spec.datasets) {
    const std::string name = AddressText(wanted.dataset);
    const bool known = core.state->Read([&](const Tables& tables) {
      const auto it = tables.datasets.find(wanted.dataset);
      if (it == tables.datasets.end()) return false;
      checks.policies.push_back(it->second.policy().hash);
      add("snapshot of " + name, CheckSnapshot(it->second, wanted, spec.limits));
      add("policy of " + name, CheckPolicy(it->second, spec, core));
      return true;
    });
    if (!known) {
      add("dataset " + name, Fail("dataset.unknown", "no dataset " + name));
      continue;
    }
    add("rental of " + name, CheckRental(core, wanted.dataset, spec.wallet, block, checks.rentals));
  }
  if (counted) {
    add("snapshots",
        core.state->Read([&](const Tables& tables) { return CheckSnapshotsLive(tables, spec); }));
    add("capacity", core.state->Read([&](const Tables& tables) {
      return CheckCapacity(tables, core.config, spec);
    }));
  }
  return checks;
}

}  // namespace cce::privacy_plane
