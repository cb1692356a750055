#include "crypto/stream.h"

#include "crypto/aead_backends.h"
#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

constexpr std::string_view kMagic = "CCES";
constexpr uint8_t kVersion = 1;
constexpr uint8_t kSuite = 1;  // HKDF-SHA-256, AES-256-GCM
constexpr uint8_t kMinChunkLog2 = 10;
constexpr uint8_t kMaxChunkLog2 = 24;
constexpr size_t kSaltAt = 8;
constexpr size_t kSaltSize = 24;
constexpr size_t kCommitmentSize = 16;
constexpr uint64_t kMaxChunks = uint64_t{1} << 32;

bool ChunkSizeAllowed(uint8_t log2) { return log2 >= kMinChunkLog2 && log2 <= kMaxChunkLog2; }

uint64_t ChunkCount(uint64_t plain_size, uint8_t chunk_log2) {
  const uint64_t chunk = uint64_t{1} << chunk_log2;
  return plain_size == 0 ? 1 : plain_size / chunk + (plain_size % chunk != 0);
}

ByteArray<kAeadNonceSize> Nonce(uint64_t counter, bool last) {
  ByteArray<kAeadNonceSize> out{};
  for (int i = 0; i < 4; ++i) out[7 + i] = static_cast<uint8_t>(counter >> (24 - 8 * i));
  out[11] = last ? 1 : 0;
  return out;
}

// What a header and a base key give: the stream's cipher, and the commitment that the header must
// hold.
struct Keyed {
  std::unique_ptr<Aead> aead;
  SecretBytes commitment;
};

Result<Keyed> Derive(ByteView base_key, const StreamContext& context, ByteView salt) {
  if (base_key.size() < 32) {
    return Fail("crypto.bad_key", "a stream's base key must have 32 bytes or more");
  }
  Bytes info = Frame(context.label, {});
  for (const Bytes& field : context.fields) {
    AppendU32(info, static_cast<uint32_t>(field.size()));
    Append(info, field);
  }
  const SecretBytes all =
      HkdfExpand(HkdfExtract(salt, base_key).Expose(), info, kAeadKeySize + kCommitmentSize);
  ASSIGN_OR_RETURN(std::unique_ptr<Aead> aead, NewAead(all.Expose().first(kAeadKeySize)));
  return Keyed{std::move(aead), SecretBytes::CopyOf(all.Expose().subspan(kAeadKeySize))};
}

}  // namespace

uint64_t StreamSealedSize(uint64_t plain_size, uint8_t chunk_log2) {
  return kStreamHeaderSize + plain_size + ChunkCount(plain_size, chunk_log2) * kAeadTagSize;
}

Result<uint64_t> StreamPlainSize(uint64_t sealed_size, uint8_t chunk_log2) {
  if (!ChunkSizeAllowed(chunk_log2) || sealed_size < kStreamHeaderSize + kAeadTagSize) {
    return DecryptFailure();
  }
  const uint64_t sealed_chunk = (uint64_t{1} << chunk_log2) + kAeadTagSize;
  const uint64_t body = sealed_size - kStreamHeaderSize;
  const uint64_t chunks = body / sealed_chunk + (body % sealed_chunk != 0);
  const uint64_t rest = body - (chunks - 1) * sealed_chunk;  // the last chunk
  const bool empty_last = rest == kAeadTagSize;
  if (chunks > kMaxChunks || rest < kAeadTagSize || (empty_last && chunks > 1)) {
    return DecryptFailure();
  }
  return body - chunks * kAeadTagSize;
}

// -- sealing

namespace {

class FunctionTarget : public StreamTarget {
 public:
  explicit FunctionTarget(StreamSealer::Sink sink) : sink_(std::move(sink)) {}
  Result<std::span<uint8_t>> Room(size_t size) override {
    if (buffer_.size() < size) buffer_.resize(size);
    return std::span(buffer_).first(size);
  }
  Result<> Filled(size_t size) override { return sink_(ByteView(buffer_).first(size)); }

 private:
  const StreamSealer::Sink sink_;
  Bytes buffer_;
};

}  // namespace

struct StreamSealer::Impl {
  Keyed keyed;
  Bytes header;
  std::unique_ptr<StreamTarget> own_target;
  StreamTarget* target = nullptr;
  size_t chunk_size = 0;
  SecretBytes
      pending;  // up to one chunk: held back, as only what follows tells whether it is the last
  size_t pending_size = 0;
  uint64_t counter = 0;
  // Set before a chunk goes to the target: after a failure its nonce must not be used for other
  // bytes.
  bool closed = false;

  Result<> SealChunk(ByteView plaintext, bool last) {
    if (counter >= kMaxChunks) return Fail("input.too_large", "a stream exceeds 2^32 chunks");
    closed = true;
    ASSIGN_OR_RETURN(const std::span<uint8_t> out, target->Room(plaintext.size() + kAeadTagSize));
    TRY(keyed.aead->Seal(Nonce(counter, last), header, plaintext, out));
    ++counter;
    TRY(target->Filled(out.size()));
    closed = last;
    return {};
  }
};

StreamSealer::StreamSealer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StreamSealer::~StreamSealer() = default;
ByteView StreamSealer::header() const { return impl_->header; }

Result<std::unique_ptr<StreamSealer>> StreamSealer::New(ByteView base_key,
                                                        const StreamContext& context, Sink sink,
                                                        uint8_t chunk_log2) {
  auto target = std::make_unique<FunctionTarget>(std::move(sink));
  ASSIGN_OR_RETURN(std::unique_ptr<StreamSealer> sealer,
                   New(base_key, context, *target, chunk_log2));
  sealer->impl_->own_target = std::move(target);
  return sealer;
}

Result<std::unique_ptr<StreamSealer>> StreamSealer::New(ByteView base_key,
                                                        const StreamContext& context,
                                                        StreamTarget& target, uint8_t chunk_log2) {
  if (!ChunkSizeAllowed(chunk_log2)) {
    return Fail("crypto.failed", "a stream's chunks must have 2^10 to 2^24 bytes");
  }
  const Bytes salt = RandomBytes(kSaltSize);
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(impl->keyed, Derive(base_key, context, salt));
  Append(impl->header, AsBytes(kMagic));
  for (uint8_t b : {kVersion, kSuite, chunk_log2, uint8_t{0}}) impl->header.push_back(b);
  Append(impl->header, salt);
  Append(impl->header, impl->keyed.commitment.Expose());
  impl->target = &target;
  impl->chunk_size = size_t{1} << chunk_log2;
  impl->pending = SecretBytes(impl->chunk_size);
  ASSIGN_OR_RETURN(const std::span<uint8_t> room, target.Room(impl->header.size()));
  std::ranges::copy(impl->header, room.begin());
  TRY(target.Filled(room.size()));
  return std::unique_ptr<StreamSealer>(new StreamSealer(std::move(impl)));
}

Result<> StreamSealer::Write(ByteView plaintext) {
  Impl& s = *impl_;
  if (s.closed) return Fail("internal.bug", "a sealed stream is written to after its end");
  while (!plaintext.empty()) {
    if (s.pending_size == s.chunk_size) {
      TRY(s.SealChunk(s.pending.Expose(), /*last=*/false));
      s.pending_size = 0;
    }
    // Whole chunks with more behind them need no copy.
    while (s.pending_size == 0 && plaintext.size() > s.chunk_size) {
      TRY(s.SealChunk(plaintext.first(s.chunk_size), /*last=*/false));
      plaintext = plaintext.subspan(s.chunk_size);
    }
    const size_t n = std::min(plaintext.size(), s.chunk_size - s.pending_size);
    std::copy_n(plaintext.begin(), n, s.pending.ExposeMutable().begin() + s.pending_size);
    s.pending_size += n;
    plaintext = plaintext.subspan(n);
  }
  return {};
}

Result<> StreamSealer::Finish() {
  if (impl_->closed) return Fail("internal.bug", "a sealed stream is finished twice");
  return impl_->SealChunk(impl_->pending.Expose().first(impl_->pending_size), /*last=*/true);
}

// -- opening

struct StreamOpener::Impl {
  std::unique_ptr<Aead> aead;
  Bytes header;
  uint8_t chunk_log2 = 0;
  uint64_t plain_size = 0;
  uint64_t chunk_count = 0;
};

StreamOpener::StreamOpener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StreamOpener::~StreamOpener() = default;

Result<std::unique_ptr<StreamOpener>> StreamOpener::New(ByteView base_key,
                                                        const StreamContext& context,
                                                        ByteView header, uint64_t sealed_size) {
  if (header.size() != kStreamHeaderSize || AsText(header.first(4)) != kMagic ||
      header[4] != kVersion || header[5] != kSuite || header[7] != 0) {
    return Fail("crypto.decrypt_failed", "a sealed stream's header has another form");
  }
  auto impl = std::make_unique<Impl>();
  impl->chunk_log2 = header[6];
  ASSIGN_OR_RETURN(impl->plain_size, StreamPlainSize(sealed_size, impl->chunk_log2));
  impl->chunk_count = ChunkCount(impl->plain_size, impl->chunk_log2);
  ASSIGN_OR_RETURN(Keyed keyed, Derive(base_key, context, header.subspan(kSaltAt, kSaltSize)));
  if (!ConstantTimeEqual(keyed.commitment.Expose(), header.subspan(kSaltAt + kSaltSize))) {
    return Fail("crypto.decrypt_failed", "a sealed stream commits to another key");
  }
  impl->aead = std::move(keyed.aead);
  impl->header = ToBytes(header);
  return std::unique_ptr<StreamOpener>(new StreamOpener(std::move(impl)));
}

uint64_t StreamOpener::plain_size() const { return impl_->plain_size; }
size_t StreamOpener::chunk_size() const { return size_t{1} << impl_->chunk_log2; }
uint64_t StreamOpener::chunk_count() const { return impl_->chunk_count; }

std::pair<uint64_t, size_t> StreamOpener::ChunkExtent(uint64_t i) const {
  const uint64_t offset = kStreamHeaderSize + i * (chunk_size() + kAeadTagSize);
  if (i + 1 < impl_->chunk_count) return {offset, chunk_size() + kAeadTagSize};
  const uint64_t before = (impl_->chunk_count - 1) << impl_->chunk_log2;
  return {offset, static_cast<size_t>(impl_->plain_size - before) + kAeadTagSize};
}

Result<> StreamOpener::OpenChunk(uint64_t i, ByteView sealed_chunk, std::span<uint8_t> out) const {
  if (i >= impl_->chunk_count || sealed_chunk.size() != ChunkExtent(i).second) {
    return DecryptFailure();
  }
  return impl_->aead->Open(Nonce(i, i + 1 == impl_->chunk_count), impl_->header, sealed_chunk, out);
}

// -- whole messages

Result<Bytes> SealStream(ByteView base_key, const StreamContext& context, ByteView plaintext) {
  Bytes out;
  out.reserve(StreamSealedSize(plaintext.size(), kDefaultChunkLog2));
  ASSIGN_OR_RETURN(const std::unique_ptr<StreamSealer> sealer,
                   StreamSealer::New(base_key, context, [&out](ByteView bytes) -> Result<> {
                     Append(out, bytes);
                     return {};
                   }));
  TRY(sealer->Write(plaintext));
  TRY(sealer->Finish());
  return out;
}

Result<SecretBytes> OpenStream(ByteView base_key, const StreamContext& context, ByteView sealed,
                               uint64_t max_plain_size) {
  const ByteView header = sealed.first(std::min(sealed.size(), kStreamHeaderSize));
  ASSIGN_OR_RETURN(const std::unique_ptr<StreamOpener> opener,
                   StreamOpener::New(base_key, context, header, sealed.size()));
  if (opener->plain_size() > max_plain_size) {
    return Fail("input.too_large", "a sealed stream is larger than allowed here");
  }
  SecretBytes out(opener->plain_size());
  for (uint64_t i = 0; i < opener->chunk_count(); ++i) {
    const auto [offset, size] = opener->ChunkExtent(i);
    TRY(opener->OpenChunk(
        i, sealed.subspan(offset, size),
        out.ExposeMutable().subspan(i * opener->chunk_size(), size - kAeadTagSize)));
  }
  return out;
}

}  // namespace cce::crypto
