// Ciphertext objects in memory: what a reader prefetched, and stores for tests.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "dataset/ciphertext_store.h"

namespace cce::dataset {

// Thread-safe.
class MemoryObject : public ObjectReader {
 public:
  explicit MemoryObject(std::shared_ptr<const Bytes> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_->size(); }
  Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override;
  ByteView View(uint64_t offset, size_t size) const override;

 private:
  const std::shared_ptr<const Bytes> bytes_;
};

// Thread-safe.
class MemoryStore : public CiphertextStore {
 public:
  Result<std::unique_ptr<ObjectReader>> Open(const ObjectName& name) override;
  Result<> CheckRoom(uint64_t /*bytes*/) override { return {}; }
  Result<std::unique_ptr<ObjectWriter>> NewObject(uint64_t expected_size) override;
  Result<> Remove(const ObjectName& name) override;
  Result<> List(const std::function<Result<>(const StoredObject&)>& visit) override;

  // What a hostile storage host can do: other bytes under a name.
  void Replace(const ObjectName& name, Bytes bytes);
  // The bytes under a name; empty where there are none.
  Bytes Peek(const ObjectName& name) const;
  size_t count() const;

 private:
  friend class MemoryWriter;
  mutable std::mutex mutex_;
  std::map<ObjectName, std::shared_ptr<const Bytes>> objects_;
};

}  // namespace cce::dataset
