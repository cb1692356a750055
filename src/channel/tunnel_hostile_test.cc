// Either end against a peer that does not speak the protocol.
#include <gtest/gtest.h>

#include <random>

#include "channel/test_support.h"

namespace cce::channel {
namespace {

// What an honest client sends first: preface, SETTINGS, WINDOW_UPDATE, HEADERS of a CONNECT.
Bytes HonestOpening() {
  auto [guest, relay] = SocketPair();
  const auto client = Must(
      TunnelClient::Start(std::move(guest), {.connect_timeout = std::chrono::milliseconds(100)}));
  static_cast<void>(client->Connect("echo"));
  Bytes out(4096);
  const ssize_t n = ::recv(relay.get(), out.data(), out.size(), MSG_DONTWAIT);
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

// Feeds `bytes` to a server and ends the stream.
Result<> ServeBytes(ByteView bytes, std::vector<TunnelEvent>* events = nullptr) {
  auto [guest, relay] = SocketPair();
  auto options = Only("echo", {.unix_path = "/nonexistent"});
  options.log = [events](const TunnelEvent& event) {
    if (events != nullptr) events->push_back(event);
  };
  TunnelServer server(std::move(relay), std::move(options));
  std::thread feeder([fd = guest.get(), bytes] {
    SendAll(fd, bytes);
    ::shutdown(fd, SHUT_WR);
  });
  const Result<> result = server.Run();
  guest.Reset();  // where the server ended early, the feeder is not to hang
  feeder.join();
  return result;
}

TEST(HostileGuest, HonestOpeningIsServed) {
  std::vector<TunnelEvent> events;
  EXPECT_TRUE(ServeBytes(HonestOpening(), &events));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, TunnelEvent::Kind::kUnreachable);
  EXPECT_EQ(events[0].name, "echo");
}

TEST(HostileGuest, FormatVectorIsServed) {
  // docs/formats/channel.md
  const Bytes vector = Must(FromHex(
      "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a00001e040000000000000400040000000500010000"
      "00020000000000060000100000030000000000000408000000000000ff000100000e0104000000014207434f4e"
      "4e4543544183210b27"));
  std::vector<TunnelEvent> events;
  EXPECT_TRUE(ServeBytes(vector, &events));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, TunnelEvent::Kind::kRefused);
  EXPECT_EQ(events[0].name, "cced");
}

TEST(HostileGuest, GarbageIsAProtocolError) {
  EXPECT_EQ(CodeOf(ServeBytes(AsBytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))), "channel.protocol");
  EXPECT_EQ(CodeOf(ServeBytes(Bytes(100'000, 0xff))), "channel.protocol");
  EXPECT_EQ(CodeOf(ServeBytes({})), "ok") << "an empty stream is an end";
  Bytes bad = ToBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  bad.insert(bad.end(), 9 * 1000, 0xff);
  EXPECT_EQ(CodeOf(ServeBytes(bad)), "channel.protocol");
}

TEST(HostileGuest, MutationsDoNotCrash) {
  const Bytes honest = HonestOpening();
  ASSERT_GT(honest.size(), 60u);
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = honest;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) bytes[24 + random() % (bytes.size() - 24)] = random() & 0xff;
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    if (random() % 4 == 0) bytes.insert(bytes.end(), honest.begin() + 24, honest.end());
    static_cast<void>(ServeBytes(bytes));
  }
}

// A frame of HTTP/2 (RFC 9113, section 4.1).
Bytes Frame(uint8_t type, uint8_t flags, uint32_t stream, ByteView payload) {
  Bytes out;
  AppendU32(out, static_cast<uint32_t>(payload.size() << 8) | type);
  out.push_back(flags);
  AppendU32(out, stream);
  Append(out, payload);
  return out;
}

Bytes Preface() {
  Bytes out = ToBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Append(out, Frame(4, 0, 0, {}));
  return out;
}

// HPACK (RFC 7541): literals without indexing, names in full or from the static table.
void AppendLiteral(Bytes& out, std::string_view name, std::string_view value) {
  out.push_back(0x00);
  out.push_back(static_cast<uint8_t>(name.size()));
  Append(out, AsBytes(name));
  out.push_back(static_cast<uint8_t>(value.size()));
  Append(out, AsBytes(value));
}

TEST(HostileGuest, OtherRequestsAreRefused) {
  Bytes headers;
  AppendLiteral(headers, ":method", "GET");
  AppendLiteral(headers, ":scheme", "http");
  AppendLiteral(headers, ":path", "/");
  AppendLiteral(headers, ":authority", "echo");
  Bytes bytes = Preface();
  Append(bytes, Frame(1, 0x05, 1, headers));
  std::vector<TunnelEvent> events;
  EXPECT_TRUE(ServeBytes(bytes, &events));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, TunnelEvent::Kind::kRefused);
  EXPECT_EQ(events[0].reason, "not a CONNECT");
}

TEST(HostileGuest, NamesAreLoggedPrintable) {
  Bytes headers;
  AppendLiteral(headers, ":method", "CONNECT");
  AppendLiteral(headers, ":authority", "a~b" + std::string(100, 'x'));
  Bytes bytes = Preface();
  Append(bytes, Frame(1, 0x04, 1, headers));
  std::vector<TunnelEvent> events;
  EXPECT_TRUE(ServeBytes(bytes, &events));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, TunnelEvent::Kind::kRefused);
  EXPECT_EQ(events[0].name, "a~b" + std::string(61, 'x'));
}

TEST(HostileGuest, FloodsEnd) {
  // Pings whose answers nobody reads, and settings without end.
  for (const uint8_t type : {uint8_t{6}, uint8_t{4}}) {
    Bytes bytes = Preface();
    const Bytes frame = Frame(type, 0, 0, type == 6 ? Bytes(8) : Bytes());
    for (int i = 0; i < 200'000; ++i) Append(bytes, frame);
    auto [guest, relay] = SocketPair();
    TunnelServer server(std::move(relay), {});
    std::thread feeder([&, fd = guest.get()] { SendAll(fd, bytes); });
    EXPECT_EQ(CodeOf(server.Run()), "channel.protocol");
    feeder.join();
  }
}

TEST(HostileGuest, DataPastTheWindowIsAnError) {
  // The target never reads: what the guest may send stays within the stream's window.
  const Target deaf([](UniqueFd fd) {
    pollfd p{fd.get(), 0, 0};
    ::poll(&p, 1, 10'000);
  });
  Bytes headers;
  AppendLiteral(headers, ":method", "CONNECT");
  AppendLiteral(headers, ":authority", "deaf");
  Bytes opening = Preface();
  Append(opening, Frame(1, 0x04, 1, headers));
  Bytes bytes;
  const Bytes data = Frame(0, 0, 1, Bytes(16 * 1024));
  for (int i = 0; i < 64 * 16; ++i) Append(bytes, data);
  auto [guest, relay] = SocketPair();
  std::promise<void> opened;
  std::promise<TunnelEvent> closed;
  auto options = Only("deaf", deaf.target());
  options.log = [&](const TunnelEvent& event) {
    if (event.kind == TunnelEvent::Kind::kOpened) opened.set_value();
    if (event.kind == TunnelEvent::Kind::kClosed) closed.set_value(event);
  };
  TunnelServer server(std::move(relay), std::move(options));
  std::thread runner([&] { static_cast<void>(server.Run()); });
  ASSERT_TRUE(SendAll(guest.get(), opening));
  opened.get_future().wait();
  std::thread feeder([&, fd = guest.get()] { SendAll(fd, bytes); });
  EXPECT_LT(closed.get_future().get().from_guest, size_t{8} << 20);
  server.Stop();
  runner.join();
  feeder.join();
}

TEST(HostileRelay, GarbageEndsTheClient) {
  for (const char* text :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
    auto [guest, relay] = SocketPair();
    std::promise<void> ended;
    const auto client =
        Must(TunnelClient::Start(std::move(guest), {.on_end = [&] { ended.set_value(); }}));
    auto connecting = std::async(std::launch::async, [&] { return client->Connect("echo"); });
    std::string bytes;
    for (int i = 0; i < 100; ++i) bytes += text;
    SendAll(relay.get(), AsBytes(bytes));
    EXPECT_FALSE(connecting.get());
    ended.get_future().wait();
    EXPECT_TRUE(client->ended());
  }
}

TEST(HostileRelay, RandomAnswersDoNotCrash) {
  std::mt19937 random(11);
  Bytes answer = Frame(4, 0, 0, {});
  const uint8_t status_200[] = {0x88};  // static table, entry 8
  Append(answer, Frame(1, 0x04, 1, status_200));
  Append(answer, Frame(0, 0x00, 1, AsBytes("hello")));
  Append(answer, Frame(0, 0x01, 1, AsBytes("end")));
  for (int round = 0; round < 500; ++round) {
    auto [guest, relay] = SocketPair();
    const auto client =
        Must(TunnelClient::Start(std::move(guest), {.connect_timeout = std::chrono::seconds(5)}));
    Bytes bytes = answer;
    bytes[random() % bytes.size()] = random() & 0xff;
    std::thread feeder([&] {
      Bytes opening(24);  // the client is there
      static_cast<void>(ReadExact(relay.get(), opening));
      SendAll(relay.get(), bytes);
      ::shutdown(relay.get(), SHUT_WR);
    });
    static_cast<void>(client->Connect("echo"));
    feeder.join();
  }
}

}  // namespace
}  // namespace cce::channel
