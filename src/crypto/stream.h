// Sealed streams: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015; as in age and
// Tink's AES-GCM-HKDF streaming) over AES-256-GCM. One stream has one key, a nonce of 7-byte zero
// prefix, 32-bit chunk counter and last-chunk flag, so that reorder, duplicate, truncate and extend
// fail. Layout in docs/formats/crypto.md:
//
//   header (48 bytes): "CCES", version u8 = 1, suite u8 = 1, chunk_log2 u8, zero u8, salt 24,
//   commitment 16;
//                      HKDF(base key, salt, label, fields) gives key (32) and commitment (16)
//   chunks:            each of chunk_size plaintext bytes (the last 1..chunk_size; an empty stream
//   has one empty
//                      chunk) followed by a 16-byte tag; AAD = header for every chunk
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/aead.h"

namespace cce::crypto {

constexpr size_t kStreamHeaderSize = 48;
constexpr uint8_t kDefaultChunkLog2 = 16;

// Sizes, without keys. `plain_size` is any number below 2^48.
uint64_t StreamSealedSize(uint64_t plain_size, uint8_t chunk_log2);
// crypto.decrypt_failed where no plaintext size gives `sealed_size`.
Result<uint64_t> StreamPlainSize(uint64_t sealed_size, uint8_t chunk_log2);

// What a stream's key is derived from besides the base key: bound by HKDF info.
struct StreamContext {
  std::string_view label;     // "cce4long/v1/..."
  std::vector<Bytes> fields;  // for example dataset id, epoch
};

// Where a sealed stream goes; it is sealed right there.
class StreamTarget {
 public:
  virtual ~StreamTarget() = default;
  // Room for the next `size` bytes, to be written before Filled is called.
  virtual Result<std::span<uint8_t>> Room(size_t size) = 0;
  virtual Result<> Filled(size_t size) = 0;
};

// Seals piece by piece. Not thread-safe.
class StreamSealer {
 public:
  // `target` must outlive it.
  static Result<std::unique_ptr<StreamSealer>> New(ByteView base_key, const StreamContext& context,
                                                   StreamTarget& target,
                                                   uint8_t chunk_log2 = kDefaultChunkLog2);
  // The same to a function that takes the bytes as they come.
  using Sink = std::function<Result<>(ByteView)>;
  static Result<std::unique_ptr<StreamSealer>> New(ByteView base_key, const StreamContext& context,
                                                   Sink sink,
                                                   uint8_t chunk_log2 = kDefaultChunkLog2);
  Result<> Write(ByteView plaintext);
  Result<> Finish();  // exactly once
  ByteView header() const;
  ~StreamSealer();

 private:
  struct Impl;
  explicit StreamSealer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Opens a stream of known sealed size at random: chunk by chunk. Thread-safe after New.
class StreamOpener {
 public:
  // Checks header, commitment and size. `header` is the stream's first 48 bytes.
  static Result<std::unique_ptr<StreamOpener>> New(ByteView base_key, const StreamContext& context,
                                                   ByteView header, uint64_t sealed_size);
  uint64_t plain_size() const;
  size_t chunk_size() const;
  uint64_t chunk_count() const;
  // Where chunk `i` lies in the sealed stream: offset and size with its tag.
  std::pair<uint64_t, size_t> ChunkExtent(uint64_t i) const;
  // Writes the chunk's plaintext (size - 16 bytes) to `out`; crypto.decrypt_failed for anything
  // changed.
  Result<> OpenChunk(uint64_t i, ByteView sealed_chunk, std::span<uint8_t> out) const;
  ~StreamOpener();

 private:
  struct Impl;
  explicit StreamOpener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whole messages in memory.
Result<Bytes> SealStream(ByteView base_key, const StreamContext& context, ByteView plaintext);
Result<SecretBytes> OpenStream(ByteView base_key, const StreamContext& context, ByteView sealed,
                               uint64_t max_plain_size);

}  // namespace cce::crypto
