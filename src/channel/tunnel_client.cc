#include "channel/tunnel_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <thread>

#include "channel/mux.h"

namespace cce::channel {
namespace {

// More than a relay lets through at once (64): the rest waits its turn in nghttp2.
constexpr size_t kMaxBridges = 256;

Result<> CheckName(std::string_view name) {
  if (IsChannelName(name)) return {};
  return Fail(MakeError("input.malformed", "not a name of the channel")
                  .Expected("1 to 32 characters of a-z, 0-9 and '-'"));
}

Unexpected ChannelClosed() { return Fail("channel.closed", "the control stream has ended"); }

Result<UniqueFd> ListenOn(const sockaddr* address, socklen_t size, mode_t mode) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno("socket", errno);
  // Before bind: then the socket's file never has another mode.
  if (address->sa_family == AF_UNIX && ::fchmod(fd.get(), mode) != 0) {
    return FailErrno("fchmod", errno);
  }
  if (::bind(fd.get(), address, size) != 0) return FailErrno("bind", errno);
  if (::listen(fd.get(), 64) != 0) return FailErrno("listen", errno);
  return fd;
}

}  // namespace

bool IsChannelName(std::string_view name) {
  if (name.empty() || name.size() > 32) return false;
  for (const char c : name) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return true;
}

class TunnelClient::Impl : public Mux {
 public:
  Impl(UniqueFd stream, TunnelClientOptions options)
      : Mux(std::move(stream), Role::kClient, kMaxBridges), options_(std::move(options)) {}

  void Start() {
    thread_ = std::thread([this] {
      static_cast<void>(Loop());
      ended_ = true;
      for (auto& [name, listener] : listeners_) Remove(listener);
      listeners_.clear();
      if (!closing_ && options_.on_end) options_.on_end();
    });
  }

  void Close() {
    closing_ = true;
    Stop();
    const std::lock_guard lock(join_);
    if (thread_.joinable()) thread_.join();
  }

  bool ended() const { return ended_; }

  Result<UniqueFd> Connect(std::string_view name) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
      return FailErrno("socketpair", errno);
    }
    UniqueFd ours(pair[0]);
    auto theirs = std::make_shared<UniqueFd>(pair[1]);
    auto outcome = std::make_shared<std::promise<Result<>>>();
    auto future = outcome->get_future();
    Post([this, theirs, outcome, name = std::string(name)](bool alive) {
      if (!alive) {
        outcome->set_value(ChannelClosed());
        return;
      }
      Bridge* bridge =
          bridge_count() < kMaxBridges ? OpenStream(name, std::move(*theirs)) : nullptr;
      if (bridge == nullptr) {
        outcome->set_value(Fail("internal.unavailable", "too many connections on the channel"));
        return;
      }
      waiting_[bridge->stream] = outcome;
    });
    if (future.wait_for(options_.connect_timeout) != std::future_status::ready) {
      return Fail("net.timeout", "the relay does not answer");  // closing `ours` ends the stream
    }
    TRY(future.get());
    return ours;
  }

  Result<> AddListener(std::string_view name, UniqueFd fd, const std::string& path) {
    auto outcome = std::make_shared<std::promise<Result<>>>();
    auto future = outcome->get_future();
    auto shared = std::make_shared<UniqueFd>(std::move(fd));
    Post([=, this, name = std::string(name)](bool alive) {
      Listener listener{std::move(*shared), path};
      if (alive && !listeners_.contains(name)) {
        listeners_[name] = std::move(listener);
        outcome->set_value({});
        return;
      }
      Remove(listener);
      outcome->set_value(alive ? Result<>(Fail("input.malformed", "the name has a listener"))
                               : Result<>(ChannelClosed()));
    });
    return future.get();
  }

  Result<> RemoveListener(std::string_view name) {
    auto outcome = std::make_shared<std::promise<Result<>>>();
    auto future = outcome->get_future();
    Post([=, this, name = std::string(name)](bool alive) {
      const auto at = listeners_.find(name);
      if (!alive || at == listeners_.end()) {
        outcome->set_value(alive ? Result<>(Fail("input.malformed", "the name has no listener"))
                                 : Result<>(ChannelClosed()));
        return;
      }
      Remove(at->second);
      listeners_.erase(at);
      ForEach([&](Bridge& bridge) {
        if (bridge.from_listener && bridge.name == name) Abort(bridge, NGHTTP2_CANCEL);
      });
      outcome->set_value({});
    });
    return future.get();
  }

 private:
  struct Listener {
    UniqueFd fd;
    std::string path;  // of a Unix socket
  };

  static void Remove(Listener& listener) {
    if (!listener.path.empty()) ::unlink(listener.path.c_str());
    listener.fd.Reset();
  }

  void Resolve(int32_t stream, Result<> result) {
    const auto at = waiting_.find(stream);
    if (at == waiting_.end()) return;
    at->second->set_value(std::move(result));
    waiting_.erase(at);
  }

  void OnAnswer(Bridge& bridge) override {
    if (bridge.status == "200") {
      BeginFlow(bridge);
      Resolve(bridge.stream, {});
      return;
    }
    if (bridge.status == "403") {
      Resolve(bridge.stream, Fail("channel.refused", "the relay refuses '" + bridge.name + "'"));
    } else {
      Resolve(bridge.stream,
              Fail("channel.unreachable", "the relay cannot reach '" + bridge.name + "'"));
    }
    bridge.refused = true;
    Abort(bridge, NGHTTP2_CANCEL);
  }

  void OnClosed(const Bridge& bridge) override {
    Resolve(bridge.stream, Fail("channel.unreachable",
                                "the relay broke off the connection to '" + bridge.name + "'"));
  }

  void AddListeners(std::vector<pollfd>& polls) override {
    if (bridge_count() >= kMaxBridges || now_ < accept_again_) return;
    for (const auto& [name, listener] : listeners_) {
      polls.push_back({listener.fd.get(), POLLIN, 0});
    }
  }

  void OnListener(int fd) override {
    for (const auto& [name, listener] : listeners_) {
      if (listener.fd.get() != fd) continue;
      UniqueFd peer(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!peer.valid()) {
        // Out of descriptors: the connection stays pending, so do not look again at once.
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
          accept_again_ = now_ + std::chrono::milliseconds(50);
        }
        return;
      }
      if (Bridge* bridge = OpenStream(name, std::move(peer))) bridge->from_listener = true;
      return;
    }
  }

  TimePoint OnTick(TimePoint now) override {
    now_ = now;
    return now < accept_again_ ? accept_again_ : TimePoint::max();
  }

  const TunnelClientOptions options_;
  std::map<int32_t, std::shared_ptr<std::promise<Result<>>>> waiting_;
  std::map<std::string, Listener> listeners_;
  TimePoint now_{};
  TimePoint accept_again_{};
  std::atomic<bool> closing_{false};
  std::atomic<bool> ended_{false};
  std::mutex join_;
  std::thread thread_;
};

TunnelClient::TunnelClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TunnelClient::~TunnelClient() { Close(); }

Result<std::unique_ptr<TunnelClient>> TunnelClient::Start(UniqueFd stream,
                                                          TunnelClientOptions options) {
  if (!stream.valid()) return Fail("input.malformed", "the control stream is not open");
  auto impl = std::make_unique<Impl>(std::move(stream), std::move(options));
  impl->Start();
  return std::unique_ptr<TunnelClient>(new TunnelClient(std::move(impl)));
}

Result<UniqueFd> TunnelClient::Connect(std::string_view name) {
  TRY(CheckName(name));
  return impl_->Connect(name);
}

Result<> TunnelClient::Listen(std::string_view name, const std::string& unix_socket_path,
                              mode_t mode) {
  TRY(CheckName(name));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (unix_socket_path.empty() || unix_socket_path.size() >= sizeof address.sun_path) {
    return Fail("input.malformed", "a Unix socket's path has 1 to 107 bytes");
  }
  unix_socket_path.copy(address.sun_path, unix_socket_path.size());
  struct stat status;
  if (::lstat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode)) {
    ::unlink(address.sun_path);
  }
  ASSIGN_OR_RETURN(UniqueFd fd,
                   ListenOn(reinterpret_cast<sockaddr*>(&address), sizeof address, mode));
  return impl_->AddListener(name, std::move(fd), unix_socket_path);
}

Result<uint16_t> TunnelClient::ListenTcp(std::string_view name) {
  TRY(CheckName(name));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSIGN_OR_RETURN(UniqueFd fd, ListenOn(reinterpret_cast<sockaddr*>(&address), size, 0));
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return FailErrno("getsockname", errno);
  }
  TRY(impl_->AddListener(name, std::move(fd), ""));
  return ntohs(address.sin_port);
}

Result<> TunnelClient::StopListening(std::string_view name) { return impl_->RemoveListener(name); }

bool TunnelClient::ended() const { return impl_->ended(); }
void TunnelClient::Close() { impl_->Close(); }

}  // namespace cce::channel
