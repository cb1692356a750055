// For the tests of src/channel: targets, and both ends over a socketpair.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/testing.h"
#include "channel/tunnel_client.h"
#include "channel/tunnel_server.h"

namespace cce::channel {

inline std::pair<UniqueFd, UniqueFd> SocketPair() {
  int pair[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  return {UniqueFd(pair[0]), UniqueFd(pair[1])};
}

inline bool SendAll(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

inline UniqueFd ConnectTcp(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.Reset();
  return fd;
}

inline UniqueFd ConnectUnix(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.Reset();
  return fd;
}

// A TCP server on loopback; `serve` runs on a thread of its own for each connection.
class Target {
 public:
  using Serve = std::function<void(UniqueFd)>;
  explicit Target(Serve serve, int backlog = 64)
      : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), backlog), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (serve_) thread_ = std::thread([this] { Accept(); });
  }
  ~Target() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    for (auto& t : connections_) t.join();
  }
  TunnelTarget target() const { return {.host = "127.0.0.1", .port = port_}; }
  uint16_t port() const { return port_; }

 private:
  void Accept() {
    for (;;) {
      UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer.valid()) return;
      connections_.emplace_back([this, fd = peer.Release()] { serve_(UniqueFd(fd)); });
    }
  }

  Serve serve_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
  std::vector<std::thread> connections_;
};

inline void EchoBack(UniqueFd fd) {
  Bytes buffer(64 * 1024);
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n <= 0 || !SendAll(fd.get(), ByteView(buffer).first(static_cast<size_t>(n)))) return;
  }
}

// Both ends, the server's on a thread.
class World {
 public:
  explicit World(TunnelServerOptions options, TunnelClientOptions client_options = {}) {
    auto [guest, relay] = SocketPair();
    options.log = [this](const TunnelEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    };
    server = std::make_unique<TunnelServer>(std::move(relay), std::move(options));
    thread_ = std::thread([this] { outcome = server->Run(); });
    client = Must(TunnelClient::Start(std::move(guest), std::move(client_options)));
  }
  ~World() {
    client->Close();
    JoinServer();
  }
  void JoinServer() {
    if (thread_.joinable()) thread_.join();
  }
  // Waits for such an event, 10 s at most.
  TunnelEvent Await(TunnelEvent::Kind kind) {
    std::unique_lock lock(mutex_);
    const auto find = [&] {
      return std::find_if(events_.begin(), events_.end(),
                          [&](const TunnelEvent& e) { return e.kind == kind; });
    };
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return find() != events_.end(); });
    const auto at = find();
    EXPECT_NE(at, events_.end());
    return at == events_.end() ? TunnelEvent{} : *at;
  }

  std::unique_ptr<TunnelServer> server;
  std::unique_ptr<TunnelClient> client;
  Result<> outcome;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<TunnelEvent> events_;
  std::thread thread_;
};

inline TunnelServerOptions Only(const std::string& name, TunnelTarget target) {
  TunnelServerOptions options;
  options.targets[name] = std::move(target);
  options.allowed = {name};
  return options;
}

}  // namespace cce::channel
