#include "dataset/object_table.h"

#include <mutex>

#include "dataset/memory_store.h"
#include "dataset/sealed_object.h"

namespace cce::dataset {
namespace {

// Each derived key keeps locked pages of its own.
constexpr size_t kMaxDerivedAtOnce = 2048;
}  // namespace

ObjectTable::ObjectTable(CiphertextStore& store, const Index& index, const DatasetId& dataset,
                         EpochKeys keys, size_t max_open)
    : store_(store),
      rows_(index.objects()),
      dataset_(dataset),
      keys_(std::move(keys)),
      max_open_(std::max<size_t>(std::min(max_open, store.most_open()), 1)),
      open_(rows_.size()) {}

Result<std::unique_ptr<ObjectTable>> ObjectTable::New(CiphertextStore& store, const Index& index,
                                                      const DatasetId& dataset, EpochKeys keys,
                                                      size_t max_open) {
  std::unique_ptr<ObjectTable> table(
      new ObjectTable(store, index, dataset, std::move(keys), max_open));
  if (table->rows_.size() > kMaxDerivedAtOnce) return table;
  std::vector<std::shared_ptr<const crypto::StreamOpener>> openers;
  for (uint32_t i = 0; i < table->rows_.size(); ++i) {
    ASSIGN_OR_RETURN(openers.emplace_back(), table->OpenerFor(i));
  }
  table->openers_ = std::move(openers);
  table->keys_.clear();
  return table;
}

Result<std::shared_ptr<const crypto::StreamOpener>> ObjectTable::OpenerFor(uint32_t object) const {
  if (!openers_.empty()) return openers_[object];
  const IndexObject& row = rows_[object];
  const auto key = keys_.find(row.epoch);
  if (key == keys_.end()) {
    return Fail(MakeError("dataset.wrong_key", "no key was given for object " + ToHex(row.name))
                    .Expected("the key of epoch " + std::to_string(row.epoch)));
  }
  Result<std::unique_ptr<crypto::StreamOpener>> opener =
      crypto::StreamOpener::New(key->second.Expose(), ContextOf(kObjectLabel, dataset_, row.epoch),
                                row.header, row.sealed_size);
  if (!opener) {
    return Fail("dataset.wrong_key", "the key of epoch " + std::to_string(row.epoch) +
                                         " does not fit object " + ToHex(row.name));
  }
  return std::shared_ptr<const crypto::StreamOpener>(std::move(*opener));
}

Result<> ObjectTable::CheckHeader(uint32_t object, ByteView header) const {
  if (Equal(header, rows_[object].header)) return {};
  return Corrupt(rows_[object].name, "its header differs from the index");
}

Result<std::shared_ptr<const OpenObject>> ObjectTable::OpenFromStore(uint32_t object) const {
  const IndexObject& row = rows_[object];
  auto open = std::make_shared<OpenObject>();
  ASSIGN_OR_RETURN(open->opener, OpenerFor(object));
  ASSIGN_OR_RETURN(open->reader, store_.Open(row.name));
  if (open->reader->size() != row.sealed_size) {
    return Corrupt(row.name, std::to_string(open->reader->size()) + " bytes instead of " +
                                 std::to_string(row.sealed_size));
  }
  if (open->reader->distant()) return open;
  ByteArray<crypto::kStreamHeaderSize> header;
  TRY(open->reader->ReadAt(0, header));
  TRY(CheckHeader(object, header));
  return open;
}

void ObjectTable::Keep(uint32_t object, std::shared_ptr<const OpenObject> open) const {
  std::shared_ptr<const OpenObject> closed;  // outside of the lock
  const std::unique_lock lock(mutex_);
  if (open_[object] != nullptr) return;
  if (held_.size() >= max_open_) {
    const auto oldest = std::ranges::min_element(
        held_, {}, [this](uint32_t held) { return open_[held]->used.load(); });
    closed = std::exchange(open_[*oldest], nullptr);  // readers under way hold their own reference
    held_.erase(oldest);
  }
  open->used = ++clock_;
  open_[object] = std::move(open);
  held_.push_back(object);
}

Result<std::shared_ptr<const OpenObject>> ObjectTable::Get(uint32_t object) const {
  {
    const std::shared_lock lock(mutex_);
    if (open_[object] != nullptr) {
      open_[object]->used = ++clock_;
      return open_[object];
    }
  }
  if (prefetched_) {
    return Fail("dataset.not_prefetched",
                "object " + ToHex(rows_[object].name) + " holds no declared file");
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const OpenObject> open, OpenFromStore(object));
  Keep(object, open);
  return open;
}

Result<> ObjectTable::Prefetch(const std::vector<uint32_t>& objects) {
  max_open_ = open_.size() + 1;  // held ones are never dropped
  for (const uint32_t object : objects) {
    const IndexObject& row = rows_[object];
    Result<Bytes> bytes = ReadObject(store_, row.name, row.sealed_size);
    if (!bytes && bytes.error().code != "input.too_large") {
      return Unexpected(std::move(bytes).error());
    }
    if (!bytes || bytes->size() != row.sealed_size) return Corrupt(row.name, "another size");
    if (TreeDigest(*bytes) != row.name) {
      return Corrupt(row.name, "its digest differs from its name");
    }
    auto open = std::make_shared<OpenObject>();
    ASSIGN_OR_RETURN(open->opener, OpenerFor(object));
    open->reader = std::make_unique<MemoryObject>(std::make_shared<const Bytes>(std::move(*bytes)));
    Keep(object, std::move(open));
  }
  prefetched_ = true;
  return {};
}

}  // namespace cce::dataset
