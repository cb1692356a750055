// Where ciphertext lies. Objects are immutable and named by the tree digest of their bytes; the
// store is hostile: whoever reads verifies. Implementations stand in src/store.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/stream.h"
#include "dataset/digest_tree.h"

namespace cce::dataset {

using ObjectName = Digest;

struct StoredObject {
  ObjectName name{};
  uint64_t size = 0;
  bool operator==(const StoredObject&) const = default;
};

// An open object. Thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual uint64_t size() const = 0;
  // Exactly out.size() bytes from `offset`. dataset.corrupt where the object ends before; io.*.
  virtual Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const = 0;
  // The same bytes where they already lie in memory that only this process can change; else empty,
  // as for a range past the end. A mapping of the store is no such memory: it could change between
  // the check and the use.
  virtual ByteView View(uint64_t /*offset*/, size_t /*size*/) const { return {}; }
  // Another process or machine answers each read: few large ones are better than many.
  virtual bool distant() const { return false; }
};

// A new object, written front to back; its name is known at the end. Dropped without Commit it
// leaves nothing that can be read. Not thread-safe.
class ObjectWriter : public crypto::StreamTarget {
 public:
  // io.disk_full, io.failed. After a failure nothing more can be written.
  Result<> Write(ByteView bytes);
  // The same in place: at most kMaxRoom at once.
  static constexpr size_t kMaxRoom = (size_t{256} << 10) + crypto::kAeadTagSize;
  Result<std::span<uint8_t>> Room(size_t size) override;
  Result<> Filled(size_t size) override;
  // Durable once this returns. An object that is there already is left as it is. Call once.
  Result<StoredObject> Commit();

 protected:
  // What is written is gathered in a block that begins on a page.
  static constexpr size_t kBlockSize = size_t{1} << 20;
  using Block = std::shared_ptr<const uint8_t[]>;
  // The next `size` bytes: kBlockSize, or fewer as the last ones. A block that a failed call may
  // still read is not written to again.
  virtual Result<> DoWrite(const Block& block, size_t size) = 0;
  virtual Result<> DoCommit(const ObjectName& name) = 0;

 private:
  void DigestTo(size_t end);
  Result<> Flush(size_t size);

  std::shared_ptr<uint8_t[]> block_;
  size_t used_ = 0;
  size_t digested_ = 0;  // of used_
  bool failed_ = false;
  TreeDigester digest_;
  uint64_t size_ = 0;
};

// Thread-safe.
class CiphertextStore {
 public:
  virtual ~CiphertextStore() = default;
  // How many readers may stay open at once without one slowing down the other.
  virtual size_t most_open() const { return SIZE_MAX; }
  // dataset.missing_object (with the name); io.*.
  virtual Result<std::unique_ptr<ObjectReader>> Open(const ObjectName& name) = 0;
  // io.disk_full where the store has not that many bytes free (beside what it leaves free always).
  virtual Result<> CheckRoom(uint64_t bytes) = 0;
  // `expected_size` (0: unknown) is asked of the free space first: io.disk_full before anything is
  // written.
  virtual Result<std::unique_ptr<ObjectWriter>> NewObject(uint64_t expected_size) = 0;
  // Removing what is not there succeeds.
  virtual Result<> Remove(const ObjectName& name) = 0;
  // Calls `visit` for every object, in no order; stops at its first error.
  virtual Result<> List(const std::function<Result<>(const StoredObject&)>& visit) = 0;
};

// One whole object in a single write.
Result<StoredObject> PutObject(CiphertextStore& store, ByteView bytes);

}  // namespace cce::dataset
