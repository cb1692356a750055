// Ciphertext objects in memory: for tests and for small things that need no disk. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "dataset/ciphertext_store.h"

namespace cce::store {

class MemoryStore : public dataset::CiphertextStore {
 public:
  Result<std::unique_ptr<dataset::ObjectReader>> Open(const dataset::ObjectName& name) override;
  Result<std::unique_ptr<dataset::ObjectWriter>> NewObject(uint64_t expected_size) override;
  Result<> Remove(const dataset::ObjectName& name) override;
  Result<> List(const std::function<Result<>(const dataset::StoredObject&)>& visit) override;

  // What a hostile storage host can do: other bytes under a name.
  void Replace(const dataset::ObjectName& name, Bytes bytes);
  // The bytes under a name; empty where there are none.
  Bytes Peek(const dataset::ObjectName& name) const;
  size_t count() const;

 private:
  friend class MemoryWriter;
  mutable std::mutex mutex_;
  std::map<dataset::ObjectName, std::shared_ptr<const Bytes>> objects_;
};

}  // namespace cce::store
