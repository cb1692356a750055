#include "dataset/ciphertext_store.h"

#include <cstdlib>

namespace cce::dataset {
namespace {

constexpr size_t kPage = 4096;

}  // namespace

Result<> ObjectWriter::Write(ByteView bytes) {
  while (!bytes.empty()) {
    if (failed_) return Fail("internal.bug", "an object is written to after a failure");
    if (!block_) {
      block_.reset(static_cast<uint8_t*>(std::aligned_alloc(kPage, kBlockSize)), std::free);
      if (!block_) return Fail("internal.unavailable", "out of memory");
    }
    const size_t n = std::min(bytes.size(), kBlockSize - used_);
    std::copy_n(bytes.data(), n, block_.get() + used_);
    used_ += n;
    bytes = bytes.subspan(n);
    if (used_ == kBlockSize) TRY(Flush());
  }
  return {};
}

Result<> ObjectWriter::Flush() {
  digest_.Update({block_.get(), used_});
  size_ += used_;
  const Result<> written = DoWrite(block_, std::exchange(used_, 0));
  failed_ = !written;
  return written;
}

Result<StoredObject> ObjectWriter::Commit() {
  if (used_ > 0) TRY(Flush());
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
