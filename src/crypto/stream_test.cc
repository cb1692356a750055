#include "crypto/stream.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace cce::crypto {
namespace {

constexpr uint8_t kLog2 = 10;
constexpr size_t kChunk = 1024;
constexpr size_t kSealedChunk = kChunk + kAeadTagSize;

StreamContext Context() { return {.label = "cce4long/v1/test", .fields = {Bytes{1}, Bytes{2}}}; }
const Bytes& Key() {
  static const Bytes key = RandomBytes(32);
  return key;
}

Bytes SealSmall(ByteView plaintext, size_t piece = SIZE_MAX) {
  Bytes out;
  const auto sealer = StreamSealer::New(
      Key(), Context(),
      [&out](ByteView bytes) -> Result<> {
        Append(out, bytes);
        return {};
      },
      kLog2);
  EXPECT_TRUE(sealer);
  for (ByteView rest = plaintext; !rest.empty();) {
    const size_t n = std::min(piece, rest.size());
    EXPECT_TRUE((*sealer)->Write(rest.first(n)));
    rest = rest.subspan(n);
  }
  EXPECT_TRUE((*sealer)->Finish());
  return out;
}

bool Refused(ByteView sealed, ByteView key = Key(), const StreamContext& context = Context()) {
  const auto result = OpenStream(key, context, sealed, 1 << 20);
  return !result && result.error().code == "crypto.decrypt_failed";
}

TEST(StreamTest, RoundTripsAtEverySizeAndPiece) {
  for (size_t size : {size_t{0}, size_t{1}, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk - 1,
                      2 * kChunk, 2 * kChunk + 1, 5 * kChunk + 7}) {
    const Bytes plaintext = RandomBytes(size);
    for (size_t piece : {size_t{1}, size_t{7}, kChunk - 1, kChunk, kChunk + 1, 3 * kChunk}) {
      const Bytes sealed = SealSmall(plaintext, piece);
      EXPECT_EQ(sealed.size(), StreamSealedSize(size, kLog2));
      EXPECT_EQ(*StreamPlainSize(sealed.size(), kLog2), size);
      const auto opened = OpenStream(Key(), Context(), sealed, size);
      ASSERT_TRUE(opened) << size << " " << piece;
      EXPECT_EQ(ToBytes(opened->Expose()), plaintext);
    }
  }
}

TEST(StreamTest, OpensAtRandom) {
  const Bytes plaintext = RandomBytes(3 * kChunk + 100);
  const Bytes sealed = SealSmall(plaintext);
  const auto opener =
      StreamOpener::New(Key(), Context(), ByteView(sealed).first(kStreamHeaderSize), sealed.size());
  ASSERT_TRUE(opener);
  EXPECT_EQ((*opener)->plain_size(), plaintext.size());
  EXPECT_EQ((*opener)->chunk_size(), kChunk);
  ASSERT_EQ((*opener)->chunk_count(), 4u);
  for (uint64_t i : {3, 1, 0, 2}) {
    const auto [offset, size] = (*opener)->ChunkExtent(i);
    Bytes out(size - kAeadTagSize);
    ASSERT_TRUE((*opener)->OpenChunk(i, ByteView(sealed).subspan(offset, size), out));
    EXPECT_TRUE(Equal(out, ByteView(plaintext).subspan(i * kChunk, out.size())));
  }
  Bytes out(kChunk);
  EXPECT_FALSE((*opener)->OpenChunk(4, Bytes(kSealedChunk), out));
  EXPECT_FALSE((*opener)->OpenChunk(0, Bytes(kSealedChunk - 1), std::span(out).first(kChunk - 1)));
}

class StreamAttackTest : public testing::Test {
 protected:
  Bytes Chunk(size_t i) const {
    const size_t at = kStreamHeaderSize + i * kSealedChunk;
    const size_t end = std::min(at + kSealedChunk, sealed_.size());
    return {sealed_.begin() + at, sealed_.begin() + end};
  }
  Bytes With(std::initializer_list<size_t> chunks) const {
    Bytes out(sealed_.begin(), sealed_.begin() + kStreamHeaderSize);
    for (size_t i : chunks) Append(out, Chunk(i));
    return out;
  }
  const Bytes plaintext_ = RandomBytes(4 * kChunk);
  const Bytes sealed_ = SealSmall(plaintext_);
};

TEST_F(StreamAttackTest, ChunksKeepTheirPlaces) {
  ASSERT_EQ(With({0, 1, 2, 3}), sealed_);
  EXPECT_TRUE(Refused(With({1, 0, 2, 3})));
  EXPECT_TRUE(Refused(With({0, 2, 1, 3})));
  EXPECT_TRUE(Refused(With({0, 1, 3, 2})));
  EXPECT_TRUE(Refused(With({0, 0, 2, 3})));
  EXPECT_TRUE(Refused(With({0, 1, 1, 2, 3})));
  EXPECT_TRUE(Refused(With({0, 1, 2, 3, 3})));
  EXPECT_TRUE(Refused(With({1, 2, 3})));
  EXPECT_TRUE(Refused(With({0, 1, 2})));
  EXPECT_TRUE(Refused(With({3})));
  EXPECT_TRUE(Refused(With({})));
}

TEST_F(StreamAttackTest, TruncationAndExtensionFail) {
  for (size_t chunks = 0; chunks <= 4; ++chunks) {
    const size_t border = kStreamHeaderSize + chunks * kSealedChunk;
    for (size_t size : {border - 1, border, border + 1, border + 15, border + 16, border + 17}) {
      if (size >= sealed_.size()) continue;
      EXPECT_TRUE(Refused(ByteView(sealed_).first(size))) << size;
    }
  }
  for (size_t more : {1, 15, 16, 17, 1040}) {
    Bytes longer = sealed_;
    longer.resize(longer.size() + more);
    EXPECT_TRUE(Refused(longer)) << more;
  }
  for (size_t size = 0; size < kStreamHeaderSize; ++size) {
    EXPECT_TRUE(Refused(ByteView(sealed_).first(size)));
  }
}

TEST_F(StreamAttackTest, EveryFlippedHeaderBitFails) {
  for (size_t bit = 0; bit < kStreamHeaderSize * 8; ++bit) {
    Bytes bad = sealed_;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_TRUE(Refused(bad)) << bit;
  }
}

TEST_F(StreamAttackTest, FlippedBodyFails) {
  for (size_t at = kStreamHeaderSize; at < sealed_.size(); at += 97) {
    Bytes bad = sealed_;
    bad[at] ^= 0x10;
    EXPECT_TRUE(Refused(bad)) << at;
  }
}

TEST_F(StreamAttackTest, AnotherKeyContextOrStreamFails) {
  EXPECT_TRUE(Refused(sealed_, RandomBytes(32)));
  EXPECT_TRUE(Refused(sealed_, Key(), {.label = "cce4long/v1/other", .fields = Context().fields}));
  EXPECT_TRUE(Refused(sealed_, Key(), {.label = "cce4long/v1/test", .fields = {Bytes{1, 2}}}));
  EXPECT_TRUE(Refused(sealed_, Key(), {.label = "cce4long/v1/test", .fields = {Bytes{1}}}));
  // a chunk of another stream under the same base key and context, in the same place
  const Bytes other = SealSmall(plaintext_);
  Bytes spliced = sealed_;
  std::copy_n(other.begin() + kStreamHeaderSize, kSealedChunk, spliced.begin() + kStreamHeaderSize);
  EXPECT_TRUE(Refused(spliced));
  EXPECT_EQ(OpenStream(Bytes(31), Context(), sealed_, 1 << 20).error().code, "crypto.bad_key");
}

TEST(StreamTest, EmptyStreamIsAuthenticated) {
  Bytes sealed = SealSmall({});
  EXPECT_EQ(sealed.size(), kStreamHeaderSize + kAeadTagSize);
  EXPECT_EQ(OpenStream(Key(), Context(), sealed, 0)->size(), 0u);
  sealed.back() ^= 1;
  EXPECT_TRUE(Refused(sealed));
  EXPECT_TRUE(Refused(ByteView(sealed).first(kStreamHeaderSize)));
}

TEST(StreamTest, LimitsAreKept) {
  const Bytes sealed = SealSmall(Bytes(100));
  EXPECT_EQ(OpenStream(Key(), Context(), sealed, 99).error().code, "input.too_large");
  const auto sink = [](ByteView) -> Result<> { return {}; };
  EXPECT_FALSE(StreamSealer::New(Key(), Context(), sink, 9));
  EXPECT_FALSE(StreamSealer::New(Key(), Context(), sink, 25));
  // 2^32 chunks and one byte
  EXPECT_TRUE(StreamPlainSize(StreamSealedSize(uint64_t{1} << 42, 10), 10));
  EXPECT_FALSE(StreamPlainSize(StreamSealedSize((uint64_t{1} << 42) + 1, 10), 10));
}

TEST(StreamTest, SealerStopsAfterEndAndAfterAFailingSink) {
  const auto good = [](ByteView) -> Result<> { return {}; };
  const auto sealer = StreamSealer::New(Key(), Context(), good, kLog2).value();
  ASSERT_TRUE(sealer->Finish());
  EXPECT_FALSE(sealer->Finish());
  EXPECT_FALSE(sealer->Write(Bytes(1)));

  int calls = 0;
  const auto failing = [&calls](ByteView) -> Result<> {
    if (++calls == 2) return Fail("io.disk_full", "no space");
    return {};
  };
  const auto broken = StreamSealer::New(Key(), Context(), failing, kLog2).value();
  EXPECT_EQ(broken->Write(Bytes(3 * kChunk)).error().code, "io.disk_full");
  EXPECT_FALSE(broken->Write(Bytes(1)));
  EXPECT_FALSE(broken->Finish());
}

TEST(StreamTest, SameTextSealsDifferently) {
  EXPECT_NE(*SealStream(Key(), Context(), AsBytes("text")),
            *SealStream(Key(), Context(), AsBytes("text")));
}

}  // namespace
}  // namespace cce::crypto
