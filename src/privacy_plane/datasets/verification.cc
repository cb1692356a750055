#include "privacy_plane/datasets/verification.h"

#include <algorithm>

#include "base/log.h"
#include "privacy_plane/datasets/snapshot_diff.h"

namespace cce::privacy_plane {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{1} << 30;
constexpr size_t kMaxNamed = 256;  // damaged objects that are named with their paths
constexpr size_t kMaxPaths = 32;   // of one object
constexpr unsigned kTries = 3;     // of an object that the store cannot read at the moment
constexpr uint32_t kFlushObjects = 64;
constexpr auto kFlushTime = std::chrono::seconds(5);

// The data is wrong, and asking again does not mend it.
bool IsDamage(const Error& error) {
  return error.code == "dataset.corrupt" || error.code == "dataset.missing_object" ||
         error.code == "dataset.bad_index" || error.code == "dataset.wrong_snapshot" ||
         error.code == "dataset.wrong_key";
}

// Nobody can read it any more: there is nothing to verify.
bool IsGone(const Error& error) {
  return error.code == "dataset.deleted" || error.code == "dataset.epoch_ended" ||
         error.code == "dataset.unknown_snapshot";
}

}  // namespace

Result<> Verification::Open() {
  core_.state->Read([&](const Tables& tables) {
    const VerificationRecord& record =
        *tables.datasets.at(dataset_).snapshots.at(snapshot_).verification;
    next_ = static_cast<uint32_t>(record.next);
    bytes_ = record.bytes;
    damaged_ = record.damaged;
    named_ = record.damage.size();
  });
  ASSIGN_OR_RETURN(opened_, datasets_.OpenSnapshot(dataset_, snapshot_, kMaxIndexBytes));
  return {};
}

Result<Step> Verification::IndexDamaged(const Error& error) {
  LogError(LogLevel::kError, "verify.damage", error, {{"snapshot", ToHex(snapshot_)}});
  DamageRecord damage{.object = snapshot_, .code = error.code};
  core_.state->Read([&](const Tables& tables) {
    const ContentCounts& counts = tables.datasets.at(dataset_).snapshots.at(snapshot_).counts;
    damage.path_count = counts.files + counts.folders + counts.links;
  });
  TRY(core_.state->Transact([&](const Tables&) -> Result<std::vector<Entry>> {
    return std::vector<Entry>{VerifyProgressed(dataset_, snapshot_, 0, 0, {damage}, 1),
                              VerifyFinished(dataset_, snapshot_)};
  }));
  return Step{.next = Step::Next::kDone};
}

Result<> Verification::Note(uint32_t object, const Error& error) {
  const dataset::IndexObject& row = opened_->index().objects()[object];
  LogError(LogLevel::kError, "verify.damage", error, {{"object", ToHex(row.name)}});
  ++damaged_;
  if (named_ + found_.size() >= kMaxNamed) return {};
  found_.emplace_back(object, DamageRecord{.object = row.name, .code = error.code});
  return {};
}

void Verification::AddPaths() {
  if (found_.empty()) return;
  std::map<uint32_t, DamageRecord*> by_object;
  for (auto& [object, damage] : found_) by_object[object] = &damage;
  const dataset::Index& index = opened_->index();
  for (dataset::Index::Id id = 1; id < index.size(); ++id) {
    uint32_t counted = UINT32_MAX;  // an object may hold several extents of a file, side by side
    for (uint32_t i = 0; i < index.ExtentCount(id); ++i) {
      const uint32_t object = index.GetExtent(id, i).object;
      const auto damage = by_object.find(object);
      if (damage == by_object.end() || object == counted) continue;
      counted = object;
      ++damage->second->path_count;
      if (damage->second->paths.size() < kMaxPaths) {
        damage->second->paths.push_back(EscapePath(index.Path(id)));
      }
    }
  }
}

Result<> Verification::Flush(bool finished) {
  AddPaths();
  std::vector<DamageRecord> found;
  found.reserve(found_.size());
  for (auto& [object, damage] : found_) found.push_back(damage);
  TRY(core_.state->Transact([&](const Tables&) -> Result<std::vector<Entry>> {
    std::vector<Entry> entries{
        VerifyProgressed(dataset_, snapshot_, next_, bytes_, found, damaged_)};
    if (finished) entries.push_back(VerifyFinished(dataset_, snapshot_));
    return entries;
  }));
  named_ += found_.size();
  found_.clear();
  flushed_ = std::chrono::steady_clock::now();
  if (finished) {
    Log(damaged_ == 0 ? LogLevel::kInfo : LogLevel::kError, "verify.finished",
        {{"snapshot", ToHex(snapshot_)}, {"damaged", std::to_string(damaged_)}});
  }
  return {};
}

Result<Step> Verification::Run() {
  if (opened_ == nullptr) {
    if (Result<> opened = Open(); !opened) {
      if (IsGone(opened.error())) {
        TRY(core_.state->Record(VerifyFinished(dataset_, snapshot_)));
        return Step{.next = Step::Next::kDone};
      }
      if (IsDamage(opened.error())) return IndexDamaged(opened.error());
      return Fail(std::move(opened).error());
    }
  }
  const auto& objects = opened_->index().objects();
  if (next_ >= objects.size()) {
    TRY(Flush(/*finished=*/true));
    return Step{.next = Step::Next::kDone};
  }
  const uint64_t size = objects[next_].sealed_size;
  if (const Result<> read = opened_->reader->VerifyObject(next_); !read) {
    if (!IsDamage(read.error()) && ++failures_ < kTries) return Fail(read.error());
    TRY(Note(next_, read.error()));
  }
  failures_ = 0;
  ++next_;
  bytes_ += size;
  if (next_ % kFlushObjects == 0 || std::chrono::steady_clock::now() - flushed_ > kFlushTime) {
    TRY(Flush(/*finished=*/false));
  }
  return Step{.bytes = size, .rate = core_.config.verify_rate};
}

}  // namespace cce::privacy_plane
