// What an upload may refer to in place of sending it: the files of an earlier snapshot.
#include "dataset/known_files.h"
#include "privacy_plane/datasets/datasets.h"

namespace cce::privacy_plane {

Result<dataset::SealedIndex> Datasets::FindBase(const DraftRecord& draft,
                                                const SnapshotId& base) const {
  return core_.state->Read([&](const Tables& tables) -> Result<dataset::SealedIndex> {
    const auto& snapshots = tables.datasets.at(draft.dataset).snapshots;
    const auto snapshot = snapshots.find(base);
    if (snapshot == snapshots.end() || !snapshot->second.live() ||
        snapshot->second.epoch != draft.epoch) {
      return Fail(MakeError("upload.no_base", "the dataset has no such snapshot of this epoch")
                      .Expected("a snapshot of epoch " + std::to_string(draft.epoch))
                      .Found(ToHex(base)));
    }
    return dataset::SealedIndex{base, snapshot->second.index_size};
  });
}

std::optional<SnapshotId> Datasets::NewestBase(const DraftRecord& draft) const {
  return core_.state->Read([&](const Tables& tables) {
    std::optional<SnapshotId> newest;
    UnixSeconds time = 0;
    for (const auto& [id, snapshot] : tables.datasets.at(draft.dataset).snapshots) {
      if (!snapshot.live() || snapshot.epoch != draft.epoch) continue;
      if (newest && snapshot.time < time) continue;
      newest = id;
      time = snapshot.time;
    }
    return newest;
  });
}

Result<protocol::DraftStatus> Datasets::Status(const TokenRecord& token,
                                               const std::optional<SnapshotId>& named) const {
  ASSIGN_OR_RETURN(const DraftRecord draft, Draft(token));
  protocol::DraftStatus status{.dataset = draft.dataset, .snapshot = draft.snapshot};
  for (const auto& [number, receipt] : draft.parts) {
    status.parts.push_back({number, receipt.digest});
  }
  if (draft.snapshot) return status;
  if (named) TRY(FindBase(draft, *named));
  const std::optional<SnapshotId> base = named ? named : NewestBase(draft);
  if (!base) return status;
  ASSIGN_OR_RETURN(const SecretBytes dek, DekOf(draft.dataset, draft.epoch));
  const SecretBytes key = dataset::KnownFilesKey(dek.Expose(), draft.dataset, draft.id, *base);
  status.base.emplace();
  status.base->snapshot = *base;
  std::ranges::copy(key.Expose(), status.base->key.begin());
  return status;
}

Result<std::function<Result<>(const Datasets::Sink&)>> Datasets::KnownFiles(
    const TokenRecord& token, const SnapshotId& base) const {
  ASSIGN_OR_RETURN(const DraftRecord draft, Draft(token));
  ASSIGN_OR_RETURN(const dataset::SealedIndex sealed, FindBase(draft, base));
  ASSIGN_OR_RETURN(const SecretBytes dek, DekOf(draft.dataset, draft.epoch));
  ASSIGN_OR_RETURN(const auto store, core_.open_store(draft.dataset));
  ASSIGN_OR_RETURN(auto opened, dataset::IndexScan::Open(*store, draft.dataset, draft.epoch,
                                                         dek.Expose(), sealed));
  const auto key = std::make_shared<const SecretBytes>(
      dataset::KnownFilesKey(dek.Expose(), draft.dataset, draft.id, base));
  return [store, index = std::shared_ptr<dataset::IndexScan>(std::move(opened)), key, base,
          epoch = draft.epoch](const Sink& sink) {
    return dataset::WriteKnownFiles(*index, base, epoch, key->Expose(), sink);
  };
}

}  // namespace cce::privacy_plane
