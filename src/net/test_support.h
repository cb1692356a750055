// For the tests of src/net: raw sockets, and a server and client in one line.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <thread>

#include "base/file.h"
#include "base/testing.h"
#include "crypto/p256.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace cce::net {

inline std::unique_ptr<HttpServer> Serve(Router router, ServerOptions options = {}) {
  return Must(HttpServer::Start(options, std::move(router)));
}

inline std::unique_ptr<HttpClient> Plain(const HttpServer& server) {
  ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(server.port());
  return Must(HttpClient::New(options));
}

// A client's bare TCP socket.
class RawSocket {
 public:
  explicit RawSocket(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }
  void Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  // All until the server closes; "<timeout>" is appended where it does not within 5 s.
  std::string ReadToEnd() {
    std::string out;
    for (;;) {
      if (!Readable(5000)) return out + "<timeout>";
      char buffer[4096];
      const ssize_t n = ::read(fd_.get(), buffer, sizeof buffer);
      if (n <= 0) return out;
      out.append(buffer, static_cast<size_t>(n));
    }
  }
  // Reads until `text` has come; false at the end or after 5 s.
  bool ReadUntil(std::string_view text) {
    std::string out;
    while (out.find(text) == std::string::npos) {
      char c;
      if (!Readable(5000) || ::read(fd_.get(), &c, 1) != 1) return false;
      out += c;
    }
    return true;
  }
  bool Readable(int milliseconds) {
    pollfd p{fd_.get(), POLLIN, 0};
    return ::poll(&p, 1, milliseconds) == 1;
  }
  std::string Ask(std::string_view text) {
    Send(text);
    return ReadToEnd();
  }

 private:
  UniqueFd fd_;
  bool connected_ = false;
};

// Answers one connection with fixed bytes once a request's header has come.
class CannedServer {
 public:
  explicit CannedServer(std::string answer, bool close = true)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer), close] { Run(answer, close); });
  }
  ~CannedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    release_.set_value();
    thread_.join();
  }
  std::unique_ptr<HttpClient> Client(ClientOptions options = {}) const {
    options.base_url = "http://127.0.0.1:" + std::to_string(port_);
    return Must(HttpClient::New(options));
  }
  uint16_t port() const { return port_; }

 private:
  void Run(const std::string& answer, bool close) {
    const UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
    if (!peer.valid()) return;
    std::string got;
    char c;
    while (got.find("\r\n\r\n") == std::string::npos && ::read(peer.get(), &c, 1) == 1) got += c;
    std::string_view rest = answer;
    while (!rest.empty()) {
      const ssize_t n = ::send(peer.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) break;
      rest.remove_prefix(static_cast<size_t>(n));
    }
    if (!close) release_.get_future().wait();
  }

  UniqueFd listener_;
  uint16_t port_ = 0;
  std::promise<void> release_;
  std::thread thread_;
};

inline size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace cce::net
