#include "privacy_plane/output_gate/leak_indexes.h"

#include <algorithm>

#include "base/log.h"
#include "dataset/sealed_object.h"
#include "dataset/snapshot_reader.h"

namespace cce::privacy_plane {
namespace {

constexpr std::chrono::seconds kMaxPause{60};

constexpr std::string_view kSealLabel = "cce4long/v1/leak-index-object";
constexpr uint64_t kMaxIndex = uint64_t{4} << 30;
// Small, since look-ups read a page of some kilobytes here and there.
constexpr uint8_t kChunkLog2 = 13;

crypto::StreamContext SealContext(const SnapshotId& snapshot) {
  return {kSealLabel, {ToBytes(ByteView(snapshot))}};
}

// A snapshot and its rotations. The index of a rotation comes a moment after it.
struct SameContent {
  SnapshotId newest{};
  bool live = false;                  // the newest
  std::optional<SnapshotId> indexed;  // the newest that has an index
};

SameContent SameContentAs(const State& state, const DatasetId& dataset,
                          const SnapshotId& snapshot) {
  return state.Read([&](const Tables& tables) {
    const auto& snapshots = tables.datasets.at(dataset).snapshots;
    SameContent same;
    for (std::optional<SnapshotId> at = snapshot; at;) {
      const SnapshotRecord& record = snapshots.at(*at);
      same.newest = record.id;
      same.live = record.live();
      if (record.leak_index) same.indexed = record.id;
      at = record.successor;
    }
    return same;
  });
}

// Streams one file of a snapshot while `go_on` says so.
gate::ByteSource SourceOf(const dataset::SnapshotReader& reader, dataset::Index::Id file,
                          std::function<Result<>()> go_on) {
  auto offset = std::make_shared<uint64_t>(0);
  auto scratch = std::make_shared<dataset::ReadScratch>();
  return [&reader, file, go_on = std::move(go_on), offset,
          scratch](std::span<uint8_t> buffer) -> Result<size_t> {
    TRY(go_on());
    ASSIGN_OR_RETURN(const size_t n, reader.ReadAt(file, *offset, buffer, *scratch));
    *offset += n;
    return n;
  };
}

Result<> Copy(const gate::IndexSource& from, const gate::ByteSink& sink) {
  Bytes buffer(size_t{1} << 20);
  for (uint64_t at = 0; at < from.size();) {
    const auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), from.size() - at));
    TRY(from.ReadAt(at, piece));
    TRY(sink(piece));
    at += piece.size();
  }
  return {};
}

// The plaintext of a sealed index, a chunk at a time.
class SealedIndex : public gate::IndexSource {
 public:
  static Result<std::shared_ptr<SealedIndex>> Open(std::shared_ptr<dataset::CiphertextStore> store,
                                                   const dataset::ObjectName& name,
                                                   ByteView seal_key, const SnapshotId& snapshot) {
    std::shared_ptr<SealedIndex> index(new SealedIndex());
    index->store_ = std::move(store);
    ASSIGN_OR_RETURN(index->object_, index->store_->Open(name));
    const uint64_t size = index->object_->size();
    if (size < crypto::kStreamHeaderSize || size > kMaxIndex) {
      return dataset::Corrupt(name, "of an impossible size");
    }
    Bytes header(crypto::kStreamHeaderSize);
    TRY(index->object_->ReadAt(0, header));
    ASSIGN_OR_RETURN(index->opener_,
                     crypto::StreamOpener::New(seal_key, SealContext(snapshot), header, size));
    return index;
  }
  uint64_t size() const override { return opener_->plain_size(); }
  Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    Bytes sealed, plain;
    while (!out.empty()) {
      const uint64_t chunk = offset / opener_->chunk_size();
      const auto [at, size] = opener_->ChunkExtent(chunk);
      sealed.resize(size);
      plain.resize(size - crypto::kAeadTagSize);
      TRY(object_->ReadAt(at, sealed));
      TRY(opener_->OpenChunk(chunk, sealed, plain));
      const size_t skip = offset % opener_->chunk_size();
      if (skip >= plain.size()) return Fail("gate.index_corrupt", "read past the end");
      const size_t n = std::min(out.size(), plain.size() - skip);
      std::copy_n(plain.begin() + static_cast<ptrdiff_t>(skip), n, out.begin());
      out = out.subspan(n);
      offset += n;
    }
    return {};
  }

 private:
  SealedIndex() = default;
  std::shared_ptr<dataset::CiphertextStore> store_;
  std::unique_ptr<dataset::ObjectReader> object_;
  std::unique_ptr<crypto::StreamOpener> opener_;
};

}  // namespace

LeakIndexes::LeakIndexes(Core& core, Datasets& datasets) : core_(core), datasets_(datasets) {
  core_.state->Read([this](const Tables& tables) {
    for (const auto& [id, dataset] : tables.datasets) {
      for (const auto& [snapshot_id, snapshot] : dataset.snapshots) {
        if (snapshot.live() && !snapshot.leak_index) waiting_.Push({.key = {id, snapshot_id}});
      }
    }
  });
  thread_ = std::thread([this] { Run(); });
}

LeakIndexes::~LeakIndexes() {
  waiting_.Stop();
  thread_.join();
}

void LeakIndexes::Queue(const DatasetId& dataset, const SnapshotId& snapshot) {
  waiting_.Push({.key = {dataset, snapshot}});
}

void LeakIndexes::Run() {
  while (std::optional<Waiting> next = waiting_.Pop()) {
    const Result<> built = Build(next->key);
    if (built || waiting_.stopped()) continue;
    LogError(LogLevel::kError, "leak_index.failed", built.error(),
             {{"dataset", protocol::AddressText(next->key.first)},
              {"snapshot", ToHex(next->key.second)}});
    // What is wrong with the data stays wrong; a store comes back.
    if (built.error().code.starts_with("dataset.")) {
      const std::lock_guard lock(mutex_);
      unreadable_.insert(next->key);
      continue;
    }
    const auto pause = next->pause;
    next->pause = std::min(2 * pause, kMaxPause);
    waiting_.Push(*next, pause);
  }
}

Result<> LeakIndexes::CheckNotStopping() const {
  if (!waiting_.stopped()) return {};
  return Fail("gate.index_stopped", "the daemon is being stopped");
}

Result<> LeakIndexes::Build(const Key& key) {
  const auto& [dataset_id, snapshot_id] = key;
  ASSIGN_OR_RETURN(auto opened, datasets_.OpenSnapshot(dataset_id, snapshot_id, kMaxIndex));
  ASSIGN_OR_RETURN(gate::LeakIndexBuilder builder,
                   gate::LeakIndexBuilder::New(core_.keys->LeakIndexKey(dataset_id).Expose(),
                                               {.scratch_folder = core_.config.state_folder}));
  const dataset::Index& index = opened->reader->index();
  for (dataset::Index::Id id = 0; id < index.size(); ++id) {
    if (index.GetAttributes(id).type != dataset::EntryType::kFile) continue;
    TRY(builder.AddFile(index.Path(id),
                        SourceOf(*opened->reader, id, [this] { return CheckNotStopping(); })));
  }
  opened.reset();
  gate::LeakIndexStats stats;
  TRY(Store(key, [&](const gate::ByteSink& sink) -> Result<> {
    ASSIGN_OR_RETURN(stats, builder.Finish(sink));
    return {};
  }));
  Log(LogLevel::kInfo, "leak_index.built",
      {{"snapshot", ToHex(snapshot_id)}, {"rows", std::to_string(stats.rows)}});
  return {};
}

Result<> LeakIndexes::Store(const Key& key,
                            const std::function<Result<>(const gate::ByteSink&)>& write) {
  const auto& [dataset_id, snapshot_id] = key;
  const uint32_t epoch = core_.state->Read([&](const Tables& tables) {
    return tables.datasets.at(dataset_id).snapshots.at(snapshot_id).epoch;
  });
  ASSIGN_OR_RETURN(const auto store, core_.open_store(dataset_id));
  ASSIGN_OR_RETURN(const SecretBytes seal_key, datasets_.LeakIndexSealKey(dataset_id, epoch));
  const auto writing = datasets_.writes().Begin();
  ASSIGN_OR_RETURN(const auto writer,
                   dataset::SealedObjectWriter::New(*store, seal_key.Expose(),
                                                    SealContext(snapshot_id), 0, kChunkLog2));
  TRY(write([&](ByteView bytes) -> Result<> {
    TRY(CheckNotStopping());
    return writer->Write(bytes);
  }));
  ASSIGN_OR_RETURN(const dataset::SealedObject sealed, writer->Finish());
  auto kept = core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const DatasetRecord& dataset = tables.datasets.at(dataset_id);
    if (dataset.snapshots.at(snapshot_id).deleted || dataset.epochs.at(epoch).destroyed != 0) {
      return Fail("dataset.deleted", "the snapshot was deleted, or its epoch ended, meanwhile");
    }
    return std::vector<Entry>{LeakIndexBuilt(dataset_id, snapshot_id, sealed.stored)};
  });
  // Nothing names it then, and the dataset's collection may have looked already.
  if (kept) return {};
  TRY(store->Remove(sealed.stored.name));
  return Unexpected(std::move(kept).error());
}

Result<std::shared_ptr<const gate::IndexSource>> LeakIndexes::Open(const Key& key) const {
  const auto& [dataset_id, snapshot_id] = key;
  const auto [epoch, object] = core_.state->Read([&](const Tables& tables) {
    const SnapshotRecord& snapshot = tables.datasets.at(dataset_id).snapshots.at(snapshot_id);
    return std::pair(snapshot.epoch, snapshot.leak_index);
  });
  if (!object) return nullptr;
  ASSIGN_OR_RETURN(auto store, core_.open_store(dataset_id));
  ASSIGN_OR_RETURN(const SecretBytes seal_key, datasets_.LeakIndexSealKey(dataset_id, epoch));
  return SealedIndex::Open(std::move(store), object->name, seal_key.Expose(), snapshot_id);
}

void LeakIndexes::Follow(const DatasetId& dataset, const SnapshotId& old,
                         const SnapshotId& rotated) {
  const auto source = Open({dataset, old});
  if (source && *source) {
    const Result<> stored =
        Store({dataset, rotated}, [&](const gate::ByteSink& sink) { return Copy(**source, sink); });
    if (stored) return;
    LogError(LogLevel::kWarn, "leak_index.not_followed", stored.error());
  }
  Queue(dataset, rotated);  // built anew
}

bool LeakIndexes::Awaited(const DatasetId& dataset, const SnapshotId& snapshot) const {
  const SameContent same = SameContentAs(*core_.state, dataset, snapshot);
  if (same.indexed || !same.live) return false;
  const std::lock_guard lock(mutex_);
  return !unreadable_.contains({dataset, same.newest});
}

Result<std::shared_ptr<const gate::LeakIndex>> LeakIndexes::Find(
    const DatasetId& dataset_id, const SnapshotId& snapshot_id) const {
  const SameContent same = SameContentAs(*core_.state, dataset_id, snapshot_id);
  if (!same.indexed) return nullptr;
  ASSIGN_OR_RETURN(auto source, Open({dataset_id, *same.indexed}));
  if (!source) return nullptr;
  ASSIGN_OR_RETURN(
      gate::LeakIndex index,
      gate::LeakIndex::Open(core_.keys->LeakIndexKey(dataset_id).Expose(), std::move(source)));
  return std::make_shared<const gate::LeakIndex>(std::move(index));
}

}  // namespace cce::privacy_plane
