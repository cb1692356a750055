#include "privacy_plane/output_gate/leak_indexes.h"

#include "base/log.h"
#include "crypto/stream.h"
#include "dataset/sealed_object.h"
#include "dataset/snapshot_reader.h"

namespace cce::privacy_plane {
namespace {

constexpr std::string_view kSealLabel = "cce4long/v1/leak-index-object";
constexpr uint64_t kMaxIndex = uint64_t{4} << 30;
constexpr size_t kMaxOpened = 4;

crypto::StreamContext SealContext(const SnapshotId& snapshot) {
  return {kSealLabel, {ToBytes(ByteView(snapshot))}};
}

// Streams one file of a snapshot.
gate::ByteSource SourceOf(const dataset::SnapshotReader& reader, dataset::Index::Id file) {
  auto offset = std::make_shared<uint64_t>(0);
  auto scratch = std::make_shared<dataset::ReadScratch>();
  return [&reader, file, offset, scratch](std::span<uint8_t> buffer) -> Result<size_t> {
    ASSIGN_OR_RETURN(const size_t n, reader.ReadAt(file, *offset, buffer, *scratch));
    *offset += n;
    return n;
  };
}

}  // namespace

LeakIndexes::LeakIndexes(Core& core, Datasets& datasets) : core_(core), datasets_(datasets) {
  core_.state->Read([this](const Tables& tables) {
    for (const auto& [id, dataset] : tables.datasets) {
      for (const auto& [snapshot_id, snapshot] : dataset.snapshots) {
        if (snapshot.live() && !snapshot.leak_index) waiting_.emplace_back(id, snapshot_id);
      }
    }
  });
  thread_ = std::thread([this] { Run(); });
}

LeakIndexes::~LeakIndexes() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void LeakIndexes::Queue(const DatasetId& dataset, const SnapshotId& snapshot) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(dataset, snapshot);
  }
  wake_.notify_all();
}

void LeakIndexes::Run() {
  while (true) {
    Key key;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      key = waiting_.front();
      waiting_.pop_front();
    }
    if (const Result<> built = Build(key); !built) {
      LogError(LogLevel::kError, "leak_index.failed", built.error(),
               {{"dataset", protocol::AddressText(key.first)}, {"snapshot", ToHex(key.second)}});
    }
  }
}

Result<> LeakIndexes::Build(const Key& key) {
  const auto& [dataset_id, snapshot_id] = key;
  ASSIGN_OR_RETURN(const auto opened, datasets_.OpenSnapshot(dataset_id, snapshot_id, kMaxIndex));
  const auto& reader = opened->reader;
  ASSIGN_OR_RETURN(gate::LeakIndexBuilder builder,
                   gate::LeakIndexBuilder::New(core_.keys->LeakIndexKey(dataset_id).Expose()));
  const dataset::Index& index = reader->index();
  for (dataset::Index::Id id = 0; id < index.size(); ++id) {
    if (index.GetAttributes(id).type != dataset::EntryType::kFile) continue;
    TRY(builder.AddFile(index.Path(id), SourceOf(*reader, id)));
  }
  ASSIGN_OR_RETURN(const gate::LeakIndex built, builder.Finish());
  const SecretBytes plain = SecretBytes::Adopt(built.Serialize());
  TRY(Store(key, plain.Expose()));
  Log(LogLevel::kInfo, "leak_index.built",
      {{"snapshot", ToHex(snapshot_id)}, {"rows", std::to_string(built.stats().rows)}});
  return {};
}

Result<> LeakIndexes::Store(const Key& key, ByteView plain) {
  const auto& [dataset_id, snapshot_id] = key;
  const uint32_t epoch = core_.state->Read([&](const Tables& tables) {
    return tables.datasets.at(dataset_id).snapshots.at(snapshot_id).epoch;
  });
  ASSIGN_OR_RETURN(const auto store, core_.open_store(dataset_id));
  ASSIGN_OR_RETURN(const SecretBytes seal_key, datasets_.LeakIndexSealKey(dataset_id, epoch));
  const auto writing = datasets_.writes().Begin();
  ASSIGN_OR_RETURN(const Bytes sealed,
                   crypto::SealStream(seal_key.Expose(), SealContext(snapshot_id), plain));
  ASSIGN_OR_RETURN(const dataset::StoredObject object, dataset::PutObject(*store, sealed));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    if (tables.datasets.at(dataset_id).snapshots.at(snapshot_id).deleted) {
      return Fail("dataset.deleted", "the snapshot was deleted meanwhile");
    }
    return std::vector<Entry>{LeakIndexBuilt(dataset_id, snapshot_id, object)};
  }));
  return {};
}

Result<std::optional<SecretBytes>> LeakIndexes::Load(const Key& key) const {
  const auto& [dataset_id, snapshot_id] = key;
  const auto [epoch, object] = core_.state->Read([&](const Tables& tables) {
    const SnapshotRecord& snapshot = tables.datasets.at(dataset_id).snapshots.at(snapshot_id);
    return std::pair(snapshot.epoch, snapshot.leak_index);
  });
  if (!object) return std::nullopt;
  ASSIGN_OR_RETURN(const auto store, core_.open_store(dataset_id));
  ASSIGN_OR_RETURN(const SecretBytes seal_key, datasets_.LeakIndexSealKey(dataset_id, epoch));
  ASSIGN_OR_RETURN(const Bytes sealed, dataset::ReadObject(*store, object->name, kMaxIndex));
  ASSIGN_OR_RETURN(
      SecretBytes plain,
      crypto::OpenStream(seal_key.Expose(), SealContext(snapshot_id), sealed, kMaxIndex));
  return std::optional<SecretBytes>(std::move(plain));
}

void LeakIndexes::Follow(const DatasetId& dataset, const SnapshotId& old,
                         const SnapshotId& rotated) {
  const Result<std::optional<SecretBytes>> plain = Load({dataset, old});
  if (plain && *plain) {
    const Result<> stored = Store({dataset, rotated}, (**plain).Expose());
    if (stored) return;
    LogError(LogLevel::kWarn, "leak_index.not_followed", stored.error());
  }
  Queue(dataset, rotated);  // built anew
}

Result<std::shared_ptr<const gate::LeakIndex>> LeakIndexes::Find(const DatasetId& dataset_id,
                                                                 const SnapshotId& snapshot_id) {
  // A rotation's content is its predecessor's; its index comes a moment after it.
  const Key key{dataset_id, core_.state->Read([&](const Tables& tables) {
                  const auto& snapshots = tables.datasets.at(dataset_id).snapshots;
                  SnapshotId at = snapshot_id;
                  while (const auto& next = snapshots.at(at).successor) {
                    if (!snapshots.at(*next).leak_index) break;
                    at = *next;
                  }
                  return at;
                })};
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = opened_.find(key); it != opened_.end()) return it->second;
  }
  ASSIGN_OR_RETURN(const std::optional<SecretBytes> plain, Load(key));
  if (!plain) return std::shared_ptr<const gate::LeakIndex>();
  ASSIGN_OR_RETURN(
      gate::LeakIndex index,
      gate::LeakIndex::Deserialize(core_.keys->LeakIndexKey(dataset_id).Expose(), plain->Expose()));
  auto shared = std::make_shared<const gate::LeakIndex>(std::move(index));
  const std::lock_guard lock(mutex_);
  if (opened_.size() >= kMaxOpened) opened_.clear();
  opened_[key] = shared;
  return shared;
}

}  // namespace cce::privacy_plane
