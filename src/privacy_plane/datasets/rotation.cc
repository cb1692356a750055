#include "privacy_plane/datasets/rotation.h"

#include <algorithm>

#include "base/log.h"
#include "crypto/signed.h"
#include "dataset/receipt.h"
#include "dataset/sealed_object.h"

namespace cce::privacy_plane {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{1} << 30;
constexpr size_t kChunkLog2Place = 6;  // in a stream's header: the new stream has the same chunks
constexpr size_t kFlushObjects = 16;
constexpr auto kFlushTime = std::chrono::seconds(2);

// Wipes plaintext when it ends.
class PlainBuffer {
 public:
  explicit PlainBuffer(Bytes bytes) : bytes(std::move(bytes)) {}
  ~PlainBuffer() { Wipe(bytes); }
  PlainBuffer(const PlainBuffer&) = delete;
  PlainBuffer& operator=(const PlainBuffer&) = delete;
  Bytes bytes;
};

// The entry as it is, its extents in the same rows.
dataset::IndexEntry EntryOf(const dataset::Index& index, dataset::Index::Id id) {
  dataset::IndexEntry entry{.attributes = index.GetAttributes(id)};
  if (entry.attributes.type == dataset::EntryType::kFolder) return entry;
  entry.digest = index.ContentDigest(id);
  if (entry.attributes.type == dataset::EntryType::kLink) {
    entry.target = index.LinkTarget(id);
    return entry;
  }
  for (uint32_t i = 0; i < index.ExtentCount(id); ++i) {
    entry.extents.push_back(index.GetExtent(id, i));
  }
  return entry;
}

}  // namespace

bool HasReadersOfRotated(const Tables& tables, const DatasetRecord& dataset) {
  return std::ranges::any_of(tables.jobs, [&](const auto& item) {
    const JobRecord& job = item.second;
    if (job.state != protocol::JobState::kQueued && job.state != protocol::JobState::kRunning) {
      return false;
    }
    return std::ranges::any_of(job.spec.datasets, [&](const protocol::JobDataset& used) {
      if (used.dataset != dataset.id) return false;
      const auto snapshot = dataset.snapshots.find(used.snapshot);
      return snapshot != dataset.snapshots.end() && snapshot->second.successor.has_value();
    });
  });
}

Result<bool> Rotation::OpenNext() {
  opened_.reset();
  next_ = 0;
  const auto found =
      core_.state->Read([&](const Tables& tables) -> Result<std::optional<SnapshotId>> {
        const DatasetRecord& dataset = tables.datasets.at(dataset_);
        if (!dataset.rotation) return Fail("dataset.deleted", "the rotation was given up");
        epoch_ = dataset.rotation->epoch;
        done_ = dataset.rotation->done;
        for (const auto& [id, snapshot] : dataset.snapshots) {
          if (snapshot.live() && snapshot.epoch != epoch_) return id;
        }
        return std::nullopt;
      });
  if (!found) return Fail(found.error());
  if (!*found) return false;
  snapshot_ = **found;
  ASSIGN_OR_RETURN(opened_, datasets_.OpenSnapshot(dataset_, snapshot_, kMaxIndexBytes));
  ASSIGN_OR_RETURN(dek_, datasets_.DekOf(dataset_, epoch_));
  old_keys_.clear();
  ASSIGN_OR_RETURN(std::vector<protocol::EpochKey> keys, datasets_.Keys(dataset_, snapshot_));
  for (protocol::EpochKey& key : keys) old_keys_.emplace(key.epoch, std::move(key.dek));
  flushed_ = std::chrono::steady_clock::now();
  return true;
}

Result<dataset::IndexObject> Rotation::SealAnew(const dataset::IndexObject& old) const {
  dataset::CiphertextStore& store = *opened_->store;
  const auto key = old_keys_.find(old.epoch);
  if (key == old_keys_.end()) return Fail("dataset.wrong_key", "an object of an unknown epoch");
  ASSIGN_OR_RETURN(Bytes sealed, dataset::ReadObject(store, old.name, old.sealed_size));
  const bool same = sealed.size() == old.sealed_size && sealed.size() >= old.header.size() &&
                    dataset::TreeDigest(sealed) == old.name &&
                    Equal(ByteView(sealed).first(old.header.size()), old.header);
  if (!same) return dataset::Corrupt(old.name, "it is not the object that the index names");
  PlainBuffer plain(std::move(sealed));
  if (!dataset::OpenInPlace(plain.bytes, key->second.Expose(),
                            dataset::ContextOf(dataset::kObjectLabel, dataset_, old.epoch))) {
    return dataset::Corrupt(old.name, "it does not open");
  }
  ASSIGN_OR_RETURN(
      const auto writer,
      dataset::SealedObjectWriter::New(store, dek_.Expose(),
                                       dataset::ContextOf(dataset::kObjectLabel, dataset_, epoch_),
                                       plain.bytes.size(), old.header[kChunkLog2Place]));
  TRY(writer->Write(plain.bytes));
  ASSIGN_OR_RETURN(const dataset::SealedObject object, writer->Finish());
  return dataset::IndexObject{.name = object.stored.name,
                              .header = object.header,
                              .sealed_size = object.stored.size,
                              .epoch = epoch_};
}

Result<> Rotation::Flush() {
  if (!pending_.empty()) {
    TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
      if (!tables.datasets.at(dataset_).rotation) {
        return Fail("dataset.deleted", "the rotation was given up");
      }
      return std::vector<Entry>{RotationProgressed(dataset_, pending_)};
    }));
    pending_.clear();
  }
  writing_.Return();
  flushed_ = std::chrono::steady_clock::now();
  return {};
}

Result<SnapshotRecord> Rotation::WriteIndex(const SnapshotRecord& old) const {
  ASSIGN_OR_RETURN(const Bytes payload,
                   crypto::DsseVerify(old.receipt, dataset::kReceiptPayloadType,
                                      core_.keys->identity_key().public_key()));
  ASSIGN_OR_RETURN(dataset::Receipt receipt, dataset::ReceiptFromJson(AsText(payload)));
  ASSIGN_OR_RETURN(const auto sealed,
                   dataset::SealedObjectWriter::New(
                       *opened_->store, dek_.Expose(),
                       dataset::ContextOf(dataset::kIndexLabel, dataset_, epoch_), 0));
  dataset::IndexWriter writer(dataset_, [&](ByteView bytes) { return sealed->Write(bytes); });
  TRY(writer.Begin());
  const dataset::Index& index = opened_->index();
  dataset::TreeHasher root;
  for (dataset::Index::Id id = 1; id < index.size(); ++id) {
    const std::string path = index.Path(id);
    const dataset::IndexEntry entry = EntryOf(index, id);
    TRY(writer.Add(path, entry));
    root.AddLeafHash(dataset::ReceiptLeaf(receipt.salt, path, entry.attributes.type,
                                          entry.attributes.size, entry.digest));
  }
  if (root.Root() != old.root || !(writer.counts() == old.counts)) {
    return Fail("dataset.root_mismatch", "the rotated snapshot would hold something else");
  }
  std::vector<dataset::IndexObject> rows;
  SnapshotRecord snapshot{
      .epoch = epoch_, .counts = old.counts, .root = old.root, .time = old.time};
  for (const dataset::IndexObject& row : index.objects()) {
    rows.push_back(done_.at(row.name));
    snapshot.objects.push_back({.name = rows.back().name, .size = rows.back().sealed_size});
  }
  TRY(writer.Finish(rows));
  ASSIGN_OR_RETURN(const dataset::SealedObject object, sealed->Finish());
  snapshot.id = object.stored.name;
  snapshot.index_size = object.stored.size;
  receipt.snapshot = snapshot.id;
  receipt.epoch = epoch_;
  receipt.time = core_.clock->Now();
  ASSIGN_OR_RETURN(snapshot.receipt,
                   crypto::DsseSign(core_.keys->identity_key(), dataset::kReceiptPayloadType,
                                    AsBytes(dataset::ReceiptToJson(receipt))));
  return snapshot;
}

Result<> Rotation::Replace() {
  TRY(Flush());
  const WritesInFlight::Ticket writing = datasets_.writes().Begin();
  const SnapshotRecord old = core_.state->Read(
      [&](const Tables& tables) { return tables.datasets.at(dataset_).snapshots.at(snapshot_); });
  ASSIGN_OR_RETURN(const SnapshotRecord snapshot, WriteIndex(old));
  bool replaced = false;
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const DatasetRecord& dataset = tables.datasets.at(dataset_);
    if (!dataset.rotation || !dataset.snapshots.at(snapshot_).live()) {
      return std::vector<Entry>{};  // deleted meanwhile
    }
    replaced = true;
    return std::vector<Entry>{SnapshotRotated(dataset_, snapshot_, snapshot)};
  }));
  opened_.reset();
  if (!replaced) return {};
  Log(LogLevel::kInfo, "snapshot.rotated",
      {{"dataset", protocol::AddressText(dataset_)},
       {"old", ToHex(snapshot_)},
       {"snapshot", ToHex(snapshot.id)}});
  indexes_.Follow(dataset_, snapshot_, snapshot.id);
  return {};
}

Result<bool> Rotation::Finish() {
  std::vector<Digest32> destroyed;
  bool finished = false;
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const DatasetRecord& dataset = tables.datasets.at(dataset_);
    finished = true;
    if (!dataset.rotation) return std::vector<Entry>{};
    const bool left = std::ranges::any_of(dataset.snapshots, [&](const auto& item) {
      return item.second.live() && item.second.epoch != epoch_;
    });
    if (left || HasReadersOfRotated(tables, dataset)) {
      finished = false;
      return std::vector<Entry>{};
    }
    std::vector<Entry> entries;
    for (const auto& [number, epoch] : dataset.epochs) {
      if (number == epoch_ || epoch.destroyed != 0) continue;
      entries.push_back(EpochDestroyed(dataset_, number));
      destroyed.push_back(epoch.commitment);
    }
    entries.push_back(RotationFinished(dataset_));
    return entries;
  }));
  if (!finished) return false;
  for (const Digest32& commitment : destroyed) TRY(core_.epoch_secrets->Destroy(commitment));
  Log(LogLevel::kInfo, "rotation.finished",
      {{"dataset", protocol::AddressText(dataset_)}, {"epoch", std::to_string(epoch_)}});
  return true;
}

Result<Step> Rotation::Run() {
  if (opened_ == nullptr) {
    const Result<bool> opened = OpenNext();
    if (!opened && opened.error().code == "dataset.deleted") {
      return Step{.next = Step::Next::kDone};
    }
    if (!opened) return Fail(opened.error());
    if (!*opened) {
      ASSIGN_OR_RETURN(const bool finished, Finish());
      return Step{.next = finished ? Step::Next::kDone : Step::Next::kWait};
    }
  }
  const auto& rows = opened_->index().objects();
  while (next_ < rows.size() && done_.contains(rows[next_].name)) ++next_;
  if (next_ == rows.size()) {
    TRY(Replace());
    return Step{};
  }
  if (!writing_.held()) writing_ = datasets_.writes().Begin();
  const dataset::IndexObject& old = rows[next_];
  ASSIGN_OR_RETURN(const dataset::IndexObject row, SealAnew(old));
  done_.emplace(old.name, row);
  pending_.emplace_back(old.name, row);
  ++next_;
  if (pending_.size() >= kFlushObjects ||
      std::chrono::steady_clock::now() - flushed_ > kFlushTime) {
    TRY(Flush());
  }
  return Step{.bytes = row.sealed_size, .rate = core_.config.rotate_rate};
}

}  // namespace cce::privacy_plane
