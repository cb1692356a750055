#include "dataset/memory_store.h"

namespace cce::dataset {
Result<> MemoryObject::ReadAt(uint64_t offset, std::span<uint8_t> out) const {
  if (offset > bytes_->size() || out.size() > bytes_->size() - offset) {
    return Fail("dataset.corrupt", "an object ends early");
  }
  std::copy_n(bytes_->begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

ByteView MemoryObject::View(uint64_t offset, size_t size) const {
  if (offset > bytes_->size() || size > bytes_->size() - offset) return {};
  return ByteView(*bytes_).subspan(offset, size);
}

class MemoryWriter : public ObjectWriter {
 public:
  explicit MemoryWriter(MemoryStore& store) : store_(store) {}

 protected:
  Result<> DoWrite(const Block& block, size_t size) override {
    Append(bytes_, {block.get(), size});
    return {};
  }
  Result<> DoCommit(const ObjectName& name) override {
    const std::lock_guard lock(store_.mutex_);
    store_.objects_.try_emplace(name, std::make_shared<const Bytes>(std::move(bytes_)));
    return {};
  }

 private:
  MemoryStore& store_;
  Bytes bytes_;
};

Result<std::unique_ptr<ObjectReader>> MemoryStore::Open(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) {
    return Fail("dataset.missing_object", "object " + ToHex(name) + " is missing");
  }
  return std::make_unique<MemoryObject>(found->second);
}

Result<std::unique_ptr<ObjectWriter>> MemoryStore::NewObject(uint64_t) {
  return std::make_unique<MemoryWriter>(*this);
}

Result<> MemoryStore::Remove(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  objects_.erase(name);
  return {};
}

Result<> MemoryStore::List(const std::function<Result<>(const StoredObject&)>& visit) {
  std::vector<StoredObject> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, bytes] : objects_) all.push_back({name, bytes->size()});
  }
  for (const StoredObject& object : all) TRY(visit(object));
  return {};
}

void MemoryStore::Replace(const ObjectName& name, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  objects_[name] = std::make_shared<const Bytes>(std::move(bytes));
}

Bytes MemoryStore::Peek(const ObjectName& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  return found == objects_.end() ? Bytes() : *found->second;
}

size_t MemoryStore::count() const {
  const std::lock_guard lock(mutex_);
  return objects_.size();
}

}  // namespace cce::dataset
