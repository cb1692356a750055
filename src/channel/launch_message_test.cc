#include "channel/launch_message.h"

#include <gtest/gtest.h>

#include "channel/test_support.h"

namespace cce::channel {
namespace {

TEST(LaunchMessage, TakesExactlyItsBytes) {
  const auto [a, b] = SocketPair();
  Bytes document(kMaxLaunchDocument, 'x');
  std::thread sender([&, fd = a.get()] {
    EXPECT_TRUE(SendLaunchDocument(fd, document));
    EXPECT_TRUE(SendAll(fd, AsBytes("PRI")));
  });
  EXPECT_EQ(Must(ReceiveLaunchDocument(b.get())), document);
  Bytes rest(3);
  ASSERT_TRUE(ReadExact(b.get(), rest));
  EXPECT_EQ(AsText(rest), "PRI");
  sender.join();
}

TEST(LaunchMessage, FormatVector) {
  const auto [a, b] = SocketPair();
  ASSERT_TRUE(SendLaunchDocument(a.get(), AsBytes("{}")));
  Bytes wire(6);
  ASSERT_TRUE(ReadExact(b.get(), wire));
  EXPECT_EQ(ToHex(wire), "000000027b7d");  // docs/formats/channel.md
}

TEST(LaunchMessage, SenderRefuses) {
  const auto [a, b] = SocketPair();
  EXPECT_EQ(CodeOf(SendLaunchDocument(a.get(), {})), "input.malformed");
  EXPECT_EQ(CodeOf(SendLaunchDocument(a.get(), Bytes(kMaxLaunchDocument + 1))), "input.too_large");
}

TEST(LaunchMessage, PeerIsGone) {
  auto [a, b] = SocketPair();
  b.Reset();
  EXPECT_EQ(CodeOf(SendLaunchDocument(a.get(), AsBytes("{}"))), "channel.closed");
  EXPECT_EQ(CodeOf(ReceiveLaunchDocument(a.get())), "input.malformed");
}

TEST(LaunchMessage, ReceiverRefuses) {
  const auto receive = [](std::string_view hex, size_t max) {
    auto [a, b] = SocketPair();
    EXPECT_TRUE(SendAll(a.get(), Must(FromHex(hex))));
    a.Reset();
    return CodeOf(ReceiveLaunchDocument(b.get(), max));
  };
  EXPECT_EQ(receive("000000027b7d", 2), "ok");
  EXPECT_EQ(receive("000000027b7d", 1), "input.too_large");
  EXPECT_EQ(receive("ffffffff", kMaxLaunchDocument), "input.too_large");
  EXPECT_EQ(receive("00000000", kMaxLaunchDocument), "input.malformed");
  EXPECT_EQ(receive("000000027b", kMaxLaunchDocument), "input.malformed");
  EXPECT_EQ(receive("0000", kMaxLaunchDocument), "input.malformed");
}

}  // namespace
}  // namespace cce::channel
