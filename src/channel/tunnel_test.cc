#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>

#include "channel/test_support.h"

namespace cce::channel {
namespace {

using Kind = TunnelEvent::Kind;

Bytes Pattern(size_t size, uint32_t seed) {
  Bytes out(size);
  uint32_t x = seed * 2654435761u + 1;
  for (uint8_t& b : out) {
    x = x * 1664525u + 1013904223u;
    b = static_cast<uint8_t>(x >> 24);
  }
  return out;
}

// Sends and receives at once, and ends its direction.
bool EchoesIntact(int fd, const Bytes& data) {
  std::thread sender([&] {
    SendAll(fd, data);
    ::shutdown(fd, SHUT_WR);
  });
  const auto back = ReadToEnd(fd, data.size());
  sender.join();
  return back && *back == data;
}

TEST(Tunnel, Echo) {
  const Target echo(EchoBack);
  World world(Only("echo", echo.target()));
  const UniqueFd fd = Must(world.client->Connect("echo"));
  EXPECT_TRUE(EchoesIntact(fd.get(), Pattern(100, 1)));
  EXPECT_EQ(world.Await(Kind::kOpened).name, "echo");
  const TunnelEvent closed = world.Await(Kind::kClosed);
  EXPECT_EQ(closed.from_guest, 100u);
  EXPECT_EQ(closed.to_guest, 100u);
}

TEST(Tunnel, SixteenStreamsAtOnce) {
  const Target echo(EchoBack);
  World world(Only("echo", echo.target()));
  std::atomic<int> intact = 0;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const UniqueFd fd = Must(world.client->Connect("echo"));
      if (EchoesIntact(fd.get(), Pattern(8 << 20, i))) ++intact;
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(intact, 16);
}

TEST(Tunnel, RefusedNames) {
  const Target echo(EchoBack);
  auto options = Only("echo", echo.target());
  options.targets["forbidden"] = echo.target();  // a target, but not on the job's list
  options.allowed.insert("homeless");            // on the list, but without a target
  World world(std::move(options));
  EXPECT_EQ(CodeOf(world.client->Connect("forbidden")), "channel.refused");
  EXPECT_EQ(CodeOf(world.client->Connect("homeless")), "channel.refused");
  EXPECT_EQ(CodeOf(world.client->Connect("unknown")), "channel.refused");
  EXPECT_EQ(world.Await(Kind::kRefused).name, "forbidden");
  EXPECT_EQ(world.Await(Kind::kRefused).reason, "not on the job's list");
  for (const char* name :
       {"", "Echo", "a.b", "echo:1", "a_b", "012345678901234567890123456789012"}) {
    EXPECT_EQ(CodeOf(world.client->Connect(name)), "input.malformed") << name;
  }
  EXPECT_EQ(CodeOf(world.client->Connect("echo")), "ok");
}

TEST(Tunnel, RefusalsDoNotUseUpStreams) {
  const Target echo(EchoBack);
  auto options = Only("echo", echo.target());
  options.max_streams = 2;
  World world(std::move(options));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(CodeOf(world.client->Connect("unknown")), "channel.refused");
  }
  EXPECT_EQ(CodeOf(world.client->Connect("echo")), "ok");
}

TEST(Tunnel, StreamsAreBoundedAndWaitTheirTurn) {
  const Target echo(EchoBack);
  auto options = Only("echo", echo.target());
  options.max_streams = 2;
  World world(std::move(options));
  UniqueFd first = Must(world.client->Connect("echo"));
  const UniqueFd second = Must(world.client->Connect("echo"));
  auto third = std::async(std::launch::async, [&] { return world.client->Connect("echo"); });
  EXPECT_TRUE(EchoesIntact(first.get(), Pattern(100, 1)));
  first.Reset();
  const UniqueFd fd = Must(third.get());
  EXPECT_TRUE(EchoesIntact(fd.get(), Pattern(100, 2)));
}

TEST(Tunnel, DeadTargetIs502) {
  uint16_t port = 0;
  {
    const Target gone(EchoBack);
    port = gone.port();
  }
  auto options = Only("gone", {.host = "127.0.0.1", .port = port});
  options.targets["nowhere"] = {.unix_path = "/nonexistent/socket"};
  options.targets["nameless"] = {.host = "no-such-host.invalid", .port = 1};
  options.allowed = {"gone", "nowhere", "nameless"};
  World world(std::move(options));
  EXPECT_EQ(CodeOf(world.client->Connect("gone")), "channel.unreachable");
  EXPECT_EQ(CodeOf(world.client->Connect("nowhere")), "channel.unreachable");
  EXPECT_EQ(CodeOf(world.client->Connect("nameless")), "channel.unreachable");
  EXPECT_EQ(world.Await(Kind::kUnreachable).reason, "Connection refused");
}

TEST(Tunnel, SilentTargetIs502InTime) {
  // A listener whose queue is full does not answer a SYN.
  const Target full(nullptr, 0);
  std::vector<UniqueFd> fillers;
  for (int i = 0; i < 3; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(full.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    static_cast<void>(
        ::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  }
  auto options = Only("full", full.target());
  options.connect_timeout = std::chrono::milliseconds(50);
  World world(std::move(options));
  EXPECT_EQ(CodeOf(world.client->Connect("full")), "channel.unreachable");
  EXPECT_EQ(world.Await(Kind::kUnreachable).reason, "no answer in time");
}

TEST(Tunnel, HalfCloseReachesTheTarget) {
  const Target counter([](UniqueFd fd) {
    const auto all = ReadToEnd(fd.get(), 1 << 20);
    SendAll(fd.get(), AsBytes("got " + std::to_string(all->size())));
  });
  World world(Only("counter", counter.target()));
  const UniqueFd fd = Must(world.client->Connect("counter"));
  ASSERT_TRUE(SendAll(fd.get(), Pattern(300'000, 1)));
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(AsText(Must(ReadToEnd(fd.get(), 100))), "got 300000");
}

TEST(Tunnel, TargetMayEndFirst) {
  std::promise<size_t> taken;
  const Target talker([&](UniqueFd fd) {
    SendAll(fd.get(), AsBytes("hello"));
    ::shutdown(fd.get(), SHUT_WR);
    taken.set_value(ReadToEnd(fd.get(), 1 << 20)->size());
  });
  World world(Only("talker", talker.target()));
  const UniqueFd fd = Must(world.client->Connect("talker"));
  EXPECT_EQ(AsText(Must(ReadToEnd(fd.get(), 100))), "hello");
  ASSERT_TRUE(SendAll(fd.get(), Pattern(300'000, 1)));
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(taken.get_future().get(), 300'000u);
}

TEST(Tunnel, GuestThatClosesEndsTheTargetsWriting) {
  std::promise<void> ended;
  const Target endless([&](UniqueFd fd) {
    const Bytes piece(100'000);
    while (SendAll(fd.get(), piece)) {
    }
    ended.set_value();
  });
  World world(Only("endless", endless.target()));
  UniqueFd fd = Must(world.client->Connect("endless"));
  Bytes some(1000);
  ASSERT_TRUE(ReadExact(fd.get(), some));
  fd.Reset();
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(Tunnel, SlowReaderNeitherStallsOthersNorGrows) {
  std::atomic<size_t> sent = 0;
  const Target endless([&](UniqueFd fd) {
    const Bytes piece(64 * 1024);
    while (SendAll(fd.get(), piece)) sent += piece.size();
  });
  const Target echo(EchoBack);
  auto options = Only("endless", endless.target());
  options.targets["echo"] = echo.target();
  options.allowed.insert("echo");
  World world(std::move(options));
  std::vector<UniqueFd> unread;
  for (int i = 0; i < 8; ++i) unread.push_back(Must(world.client->Connect("endless")));
  for (uint32_t i = 0; i < 4; ++i) {
    const UniqueFd fd = Must(world.client->Connect("echo"));
    EXPECT_TRUE(EchoesIntact(fd.get(), Pattern(4 << 20, i)));
  }
  // Two socket buffers (at most 6 MiB by the kernel's defaults) and the window, for each.
  EXPECT_LT(sent, unread.size() * (size_t{8} << 20));
  const size_t before = sent;
  const UniqueFd fd = Must(world.client->Connect("echo"));
  EXPECT_TRUE(EchoesIntact(fd.get(), Pattern(16 << 20, 9)));
  EXPECT_LT(sent, before + (size_t{4} << 20)) << "the unread streams go on growing";
  unread.clear();
}

TEST(Tunnel, ListenersBridgeOrdinaryPrograms) {
  const Target echo(EchoBack);
  World world(Only("echo", echo.target()));
  const std::string path = "/tmp/tunnel_test." + std::to_string(::getpid());
  ASSERT_TRUE(WriteFileAtomic(path + ".file", AsBytes("x")));
  EXPECT_EQ(CodeOf(world.client->Listen("echo", path + ".file")), "io.failed") << "no socket";
  ::unlink((path + ".file").c_str());
  ASSERT_EQ(CodeOf(world.client->Listen("echo", path)), "ok");
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_TRUE(EchoesIntact(ConnectUnix(path).get(), Pattern(100'000, 1)));
  EXPECT_EQ(CodeOf(world.client->Listen("echo", path + "2")), "input.malformed") << "has one";
  EXPECT_NE(::access((path + "2").c_str(), F_OK), 0);

  const UniqueFd open = ConnectUnix(path);
  ASSERT_TRUE(SendAll(open.get(), AsBytes("a")));
  Bytes one(1);
  ASSERT_TRUE(ReadExact(open.get(), one));
  ASSERT_TRUE(world.client->StopListening("echo"));
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_LE(::read(open.get(), one.data(), 1), 0) << "its connections are closed";
  EXPECT_EQ(CodeOf(world.client->StopListening("echo")), "input.malformed");

  const uint16_t port = Must(world.client->ListenTcp("echo"));
  EXPECT_TRUE(EchoesIntact(ConnectTcp(port).get(), Pattern(100'000, 2)));
}

TEST(Tunnel, RefusedListenerConnectionsAreBroken) {
  const Target echo(EchoBack);
  World world(Only("echo", echo.target()));
  const uint16_t port = Must(world.client->ListenTcp("other"));
  const UniqueFd fd = ConnectTcp(port);
  char c;
  EXPECT_EQ(::read(fd.get(), &c, 1), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(Tunnel, ForbidEndsANameForGood) {
  const Target echo(EchoBack);
  World world(Only("echo", echo.target()));
  const UniqueFd fd = Must(world.client->Connect("echo"));
  world.server->Forbid("echo");
  char c;
  EXPECT_LE(::read(fd.get(), &c, 1), 0);
  EXPECT_EQ(CodeOf(world.client->Connect("echo")), "channel.refused");
}

TEST(Tunnel, RelayThatVanishes) {
  const Target echo(EchoBack);
  std::promise<void> ended;
  World world(Only("echo", echo.target()), {.on_end = [&] { ended.set_value(); }});
  const UniqueFd fd = Must(world.client->Connect("echo"));
  EXPECT_FALSE(world.client->ended());
  world.server->Stop();
  world.JoinServer();
  EXPECT_TRUE(world.outcome);
  ended.get_future().wait();
  EXPECT_TRUE(world.client->ended());
  char c;
  EXPECT_EQ(::read(fd.get(), &c, 1), 0);
  EXPECT_FALSE(SendAll(fd.get(), AsBytes("x")));
  EXPECT_EQ(CodeOf(world.client->Connect("echo")), "channel.closed");
  EXPECT_EQ(CodeOf(world.client->ListenTcp("echo")), "channel.closed");
}

TEST(Tunnel, GuestThatVanishes) {
  std::promise<size_t> taken;
  const Target sink([&](UniqueFd fd) {
    Bytes buffer(65536);
    size_t total = 0;
    ssize_t n;
    while ((n = ::read(fd.get(), buffer.data(), buffer.size())) > 0)
      total += static_cast<size_t>(n);
    taken.set_value(total);
  });
  World world(Only("sink", sink.target()));
  const UniqueFd fd = Must(world.client->Connect("sink"));
  std::thread writer([&] {
    const Bytes piece(100'000);
    while (SendAll(fd.get(), piece)) {
    }
  });
  world.Await(Kind::kOpened);
  world.client->Close();
  writer.join();
  taken.get_future().wait();
  world.JoinServer();
  EXPECT_TRUE(world.outcome);
}

TEST(Tunnel, ConnectFailsWhereNobodyAnswers) {
  auto [guest, relay] = SocketPair();
  const auto client = Must(
      TunnelClient::Start(std::move(guest), {.connect_timeout = std::chrono::milliseconds(50)}));
  EXPECT_EQ(CodeOf(client->Connect("echo")), "net.timeout");
  EXPECT_EQ(CodeOf(TunnelClient::Start(UniqueFd())), "input.malformed");
}

}  // namespace
}  // namespace cce::channel
