#include "store/memory_store.h"

namespace cce::store {
namespace {

class MemoryReader : public dataset::ObjectReader {
 public:
  explicit MemoryReader(std::shared_ptr<const Bytes> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_->size(); }
  Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset > bytes_->size() || out.size() > bytes_->size() - offset) {
      return Fail("dataset.corrupt", "an object ends early");
    }
    std::copy_n(bytes_->begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  const std::shared_ptr<const Bytes> bytes_;
};

}  // namespace

class MemoryWriter : public dataset::ObjectWriter {
 public:
  explicit MemoryWriter(MemoryStore& store) : store_(store) {}

 protected:
  Result<> DoWrite(ByteView bytes) override {
    Append(bytes_, bytes);
    return {};
  }
  Result<> DoCommit(const dataset::ObjectName& name) override {
    const std::lock_guard lock(store_.mutex_);
    store_.objects_.try_emplace(name, std::make_shared<const Bytes>(std::move(bytes_)));
    return {};
  }

 private:
  MemoryStore& store_;
  Bytes bytes_;
};

Result<std::unique_ptr<dataset::ObjectReader>> MemoryStore::Open(const dataset::ObjectName& name) {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) {
    return Fail("dataset.missing_object", "object " + ToHex(name) + " is missing");
  }
  return std::make_unique<MemoryReader>(found->second);
}

Result<std::unique_ptr<dataset::ObjectWriter>> MemoryStore::NewObject(uint64_t) {
  return std::make_unique<MemoryWriter>(*this);
}

Result<> MemoryStore::Remove(const dataset::ObjectName& name) {
  const std::lock_guard lock(mutex_);
  objects_.erase(name);
  return {};
}

Result<> MemoryStore::List(const std::function<Result<>(const dataset::StoredObject&)>& visit) {
  std::vector<dataset::StoredObject> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, bytes] : objects_) all.push_back({name, bytes->size()});
  }
  for (const dataset::StoredObject& object : all) TRY(visit(object));
  return {};
}

void MemoryStore::Replace(const dataset::ObjectName& name, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  objects_[name] = std::make_shared<const Bytes>(std::move(bytes));
}

Bytes MemoryStore::Peek(const dataset::ObjectName& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  return found == objects_.end() ? Bytes() : *found->second;
}

size_t MemoryStore::count() const {
  const std::lock_guard lock(mutex_);
  return objects_.size();
}

}  // namespace cce::store
