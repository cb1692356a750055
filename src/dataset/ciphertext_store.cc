#include "dataset/ciphertext_store.h"

#include <cstdlib>

namespace cce::dataset {
namespace {

constexpr size_t kPage = 4096;
// Digested while they still lie in the processor's cache: a batch of leaves.
constexpr size_t kDigestBatch = crypto::kSha256Lanes * kDigestLeaf;
// What passes a block's end is moved to the next one's begin.
constexpr size_t kOverhang = size_t{260} << 10;
static_assert(kOverhang >= ObjectWriter::kMaxRoom);

}  // namespace

Result<> ObjectWriter::Write(ByteView bytes) {
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kMaxRoom);
    ASSIGN_OR_RETURN(const std::span<uint8_t> room, Room(n));
    std::copy_n(bytes.data(), n, room.data());
    TRY(Filled(n));
    bytes = bytes.subspan(n);
  }
  return {};
}

Result<std::span<uint8_t>> ObjectWriter::Room(size_t size) {
  if (failed_ || size > kMaxRoom) {
    return Fail("internal.bug", "an object is written to after a failure, or too much at once");
  }
  if (!block_) {
    block_.reset(static_cast<uint8_t*>(std::aligned_alloc(kPage, kBlockSize + kOverhang)),
                 std::free);
    if (!block_) return Fail("internal.unavailable", "out of memory");
  }
  return std::span(block_.get() + used_, size);
}

Result<> ObjectWriter::Filled(size_t size) {
  used_ += size;
  if (used_ - digested_ >= kDigestBatch) DigestTo(used_ / kDigestBatch * kDigestBatch);
  return used_ < kBlockSize ? Result<>() : Flush(kBlockSize);
}

void ObjectWriter::DigestTo(size_t end) {
  digest_.Update({block_.get() + digested_, end - digested_});
  digested_ = end;
}

Result<> ObjectWriter::Flush(size_t size) {
  Result<> written = DoWrite(block_, size);
  failed_ = !written;
  if (failed_) return written;
  size_ += size;
  std::copy(block_.get() + size, block_.get() + used_, block_.get());
  used_ -= size;
  digested_ -= size;
  return {};
}

Result<StoredObject> ObjectWriter::Commit() {
  if (failed_) return Fail("internal.bug", "an object is written to after a failure");
  if (used_ > 0) {
    DigestTo(used_);
    TRY(Flush(used_));
  }
  const StoredObject object{.name = digest_.Finish(), .size = size_};
  TRY(DoCommit(object.name));
  return object;
}

Result<StoredObject> PutObject(CiphertextStore& store, ByteView bytes) {
  ASSIGN_OR_RETURN(const auto writer, store.NewObject(bytes.size()));
  TRY(writer->Write(bytes));
  return writer->Commit();
}

}  // namespace cce::dataset
