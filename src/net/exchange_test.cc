#include "net/exchange.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/testing.h"

namespace cce::net {
namespace {

constexpr size_t kAny = std::numeric_limits<size_t>::max();

class RequestBody : public testing::Test {
 protected:
  // As the connection does it.
  const uint8_t* Push(std::string_view text) {
    Chunk chunk = exchange_.EmptyChunk();
    std::copy(text.begin(), text.end(), chunk.buffer.begin());
    chunk.size = text.size();
    const uint8_t* at = chunk.buffer.data();
    exchange_.PushBody(std::move(chunk));
    return at;
  }
  std::string Next(size_t max) {
    const auto next = exchange_.Next(max);
    return next ? std::string(AsText(*next)) : next.error().code;
  }

  int woken_ = 0;
  Exchange exchange_{std::nullopt, true, [this] { ++woken_; }, [] {}};
};

TEST_F(RequestBody, ComesInSlicesOfTheChunks) {
  const uint8_t* first = Push("abcdef");
  Push("gh");
  exchange_.EndBody();
  EXPECT_EQ(Must(exchange_.Next(4)).data(), first) << "not a copy";
  EXPECT_EQ(Next(4), "ef") << "a slice ends where its chunk does";
  EXPECT_EQ(Next(kAny), "gh");
  EXPECT_EQ(Next(kAny), "");
  EXPECT_EQ(Next(1), "") << "the end stays the end";
}

TEST_F(RequestBody, IsReadByCopyToo) {
  Push("abcdef");
  Push("gh");
  exchange_.EndBody();
  Bytes out(4);
  EXPECT_EQ(Must(exchange_.Read(out)), 4u);
  EXPECT_EQ(AsText(out), "abcd");
  EXPECT_EQ(Next(1), "e");
  EXPECT_EQ(Must(exchange_.Read(out)), 1u);
  EXPECT_EQ(AsText(Must(exchange_.ReadAll(2))), "gh");
  EXPECT_EQ(Must(exchange_.Read(out)), 0u);
}

TEST_F(RequestBody, ReadAllHasALimit) {
  Push("abc");
  Push("def");
  EXPECT_EQ(CodeOf(exchange_.ReadAll(5)), "input.too_large");
}

TEST_F(RequestBody, AChunkIsFilledAgainOnlyAfterTheNextCall) {
  const uint8_t* first = Push("abc");
  const ByteView seen = Must(exchange_.Next(kAny));
  const uint8_t* second = Push("def");
  EXPECT_NE(second, first);
  Push("ghi");
  EXPECT_FALSE(exchange_.WantsBody()) << "the chunk in the handler's hands counts";
  EXPECT_EQ(AsText(seen), "abc");
  const int woken = woken_;
  EXPECT_EQ(Next(2), "de");
  EXPECT_EQ(woken_, woken + 1) << "there is room again";
  EXPECT_TRUE(exchange_.WantsBody());
  EXPECT_EQ(Push("jkl"), first);
  EXPECT_EQ(Next(kAny), "f");
  EXPECT_EQ(woken_, woken + 1);
}

TEST_F(RequestBody, IsAskedForByTheFirstCall) {
  EXPECT_FALSE(exchange_.WantsBody());
  Push("abc");
  EXPECT_EQ(Next(1), "a");
  EXPECT_EQ(woken_, 1);
  EXPECT_TRUE(exchange_.WantsBody());
}

TEST_F(RequestBody, AnErrorComesAfterWhatArrived) {
  Push("abc");
  exchange_.FailBody(MakeError("net.timeout", "too slow"));
  exchange_.FailBody(MakeError("net.closed", "a consequence"));
  EXPECT_EQ(Next(2), "ab");
  EXPECT_EQ(Next(2), "c");
  EXPECT_EQ(Next(2), "net.timeout");
  EXPECT_EQ(Next(2), "net.timeout");
}

TEST_F(RequestBody, IsGoneWithTheConnectionButNotUnderTheHandler) {
  Push("abc");
  const ByteView seen = Must(exchange_.Next(kAny));
  exchange_.Abandon(MakeError("net.closed", "gone"));
  EXPECT_EQ(AsText(seen), "abc");
  EXPECT_EQ(Next(kAny), "net.closed");
}

TEST(MemoryBody, ComesInSlices) {
  MemoryBody body(ToBytes("abc"));
  EXPECT_EQ(AsText(Must(body.Next(2))), "ab");
  EXPECT_EQ(AsText(Must(body.Next(kAny))), "c");
  EXPECT_TRUE(Must(body.Next(kAny)).empty());
}

}  // namespace
}  // namespace cce::net
