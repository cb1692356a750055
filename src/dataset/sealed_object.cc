#include "dataset/sealed_object.h"

namespace cce::dataset {

Result<std::unique_ptr<SealedObjectWriter>> SealedObjectWriter::New(
    CiphertextStore& store, ByteView dek, const crypto::StreamContext& context, uint64_t plain_size,
    uint8_t chunk_log2) {
  std::unique_ptr<SealedObjectWriter> writer(new SealedObjectWriter());
  const uint64_t size = plain_size == 0 ? 0 : crypto::StreamSealedSize(plain_size, chunk_log2);
  ASSIGN_OR_RETURN(writer->object_, store.NewObject(size));
  ASSIGN_OR_RETURN(writer->sealer_,
                   crypto::StreamSealer::New(dek, context, *writer->object_, chunk_log2));
  return writer;
}

Result<> SealedObjectWriter::Write(ByteView plain) {
  written_ += plain.size();
  return sealer_->Write(plain);
}

Result<> SealedObjectWriter::Pad(uint64_t size) {
  static constexpr ByteArray<4096> kZeros{};
  while (size > 0) {
    const size_t n = std::min<uint64_t>(size, kZeros.size());
    TRY(Write(ByteView(kZeros).first(n)));
    size -= n;
  }
  return {};
}

Result<SealedObject> SealedObjectWriter::Finish() {
  TRY(sealer_->Finish());
  SealedObject sealed;
  ASSIGN_OR_RETURN(sealed.stored, object_->Commit());
  ASSIGN_OR_RETURN(sealed.header, ToArray<crypto::kStreamHeaderSize>(sealer_->header()));
  return sealed;
}

Unexpected Corrupt(const ObjectName& name, std::string_view what) {
  return Fail(MakeError("dataset.corrupt", "object " + ToHex(name) + " is damaged or was replaced")
                  .Found(std::string(what)));
}

Result<Bytes> ReadObject(CiphertextStore& store, const ObjectName& name, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(const auto object, store.Open(name));
  if (object->size() > max_bytes) {
    return Fail("input.too_large",
                "object " + ToHex(name) + " exceeds " + std::to_string(max_bytes) + " bytes");
  }
  Bytes bytes(object->size());
  TRY(object->ReadAt(0, bytes));
  return bytes;
}

bool KeyFits(ByteView sealed, ByteView dek, const crypto::StreamContext& context) {
  if (sealed.size() < crypto::kStreamHeaderSize) return false;
  return crypto::StreamOpener::New(dek, context, sealed.first(crypto::kStreamHeaderSize),
                                   sealed.size())
      .has_value();
}

Result<> OpenInPlace(Bytes& sealed, ByteView dek, const crypto::StreamContext& context) {
  if (sealed.size() < crypto::kStreamHeaderSize) {
    return Fail("crypto.decrypt_failed", "a sealed stream is shorter than its header");
  }
  ASSIGN_OR_RETURN(
      const auto opener,
      crypto::StreamOpener::New(dek, context, ByteView(sealed).first(crypto::kStreamHeaderSize),
                                sealed.size()));
  // By way of a chunk apart: a plaintext's place overlaps its ciphertext's.
  Bytes chunk(opener->chunk_size());
  uint64_t done = 0;
  for (uint64_t i = 0; i < opener->chunk_count(); ++i) {
    const auto [offset, size] = opener->ChunkExtent(i);
    const std::span<uint8_t> plain = std::span(chunk).first(size - crypto::kAeadTagSize);
    TRY(opener->OpenChunk(i, ByteView(sealed).subspan(offset, size), plain));
    std::copy(plain.begin(), plain.end(), sealed.begin() + static_cast<ptrdiff_t>(done));
    done += plain.size();
  }
  sealed.resize(done);
  return {};
}

Result<> ForEachSlice(const ObjectReader& object, const std::function<Result<>(ByteView)>& visit) {
  Bytes buffer(std::min<uint64_t>(object.size(), uint64_t{1} << 20));
  uint64_t at = 0;
  while (at < object.size()) {
    const size_t n = std::min<uint64_t>(buffer.size(), object.size() - at);
    TRY(object.ReadAt(at, std::span(buffer).first(n)));
    TRY(visit(ByteView(buffer).first(n)));
    at += n;
  }
  return {};
}

}  // namespace cce::dataset
