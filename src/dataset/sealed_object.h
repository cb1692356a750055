// One sealed stream as one object of the store.
#pragma once

#include "base/secret.h"
#include "dataset/format.h"

namespace cce::dataset {

struct SealedObject {
  StoredObject stored;
  ByteArray<crypto::kStreamHeaderSize> header{};
};

// Seals what is written and stores it; nothing stays when it is dropped before Finish. Not
// thread-safe.
class SealedObjectWriter {
 public:
  // `plain_size` (0: unknown) is for asking about free space.
  static Result<std::unique_ptr<SealedObjectWriter>> New(
      CiphertextStore& store, ByteView dek, const crypto::StreamContext& context,
      uint64_t plain_size, uint8_t chunk_log2 = crypto::kDefaultChunkLog2);
  Result<> Write(ByteView plain);
  // Zero bytes, for padding.
  Result<> Pad(uint64_t size);
  uint64_t written() const { return written_; }
  Result<SealedObject> Finish();

 private:
  SealedObjectWriter() = default;

  std::unique_ptr<ObjectWriter> object_;
  std::unique_ptr<crypto::StreamSealer> sealer_;
  uint64_t written_ = 0;
};

// The object's bytes as the store gives them. input.too_large past `max_bytes`; io.*,
// dataset.missing_object.
Result<Bytes> ReadObject(CiphertextStore& store, const ObjectName& name, uint64_t max_bytes);

// Turns a sealed stream into its plaintext within the same buffer. crypto.decrypt_failed.
Result<> OpenInPlace(Bytes& sealed, ByteView dek, const crypto::StreamContext& context);

// Whether the header's commitment belongs to this key.
bool KeyFits(ByteView sealed, ByteView dek, const crypto::StreamContext& context);

// Calls `visit` for the object's bytes, front to back.
Result<> ForEachSlice(const ObjectReader& object, const std::function<Result<>(ByteView)>& visit);

Unexpected Corrupt(const ObjectName& name, std::string_view what);

}  // namespace cce::dataset
