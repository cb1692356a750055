#include "channel/tunnel_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "channel/mux.h"

namespace cce::channel {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::vector<Address> Resolve(const TunnelTarget& target) {
  std::vector<Address> out;
  if (!target.unix_path.empty()) {
    Address one;
    auto& address = reinterpret_cast<sockaddr_un&>(one.storage);
    address.sun_family = AF_UNIX;
    if (target.unix_path.size() >= sizeof address.sun_path) return out;
    target.unix_path.copy(address.sun_path, target.unix_path.size());
    one.size = sizeof address;
    out.push_back(one);
    return out;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(target.port);
  if (::getaddrinfo(target.host.c_str(), port.c_str(), &hints, &list) != 0) return out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    Address one;
    std::memcpy(&one.storage, at->ai_addr, at->ai_addrlen);
    one.size = at->ai_addrlen;
    out.push_back(one);
  }
  ::freeaddrinfo(list);
  return out;
}

// The guest chose it: for a log line.
std::string Printable(std::string_view text) {
  std::string out(text.substr(0, 64));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace

class TunnelServer::Impl : public Mux {
 public:
  Impl(UniqueFd stream, TunnelServerOptions options)
      : Mux(std::move(stream), Role::kServer, options.max_streams), options_(std::move(options)) {
    for (const auto& [name, target] : options_.targets) addresses_[name] = channel::Resolve(target);
  }

  Result<> Run() { return Loop(); }
  using Mux::Stop;

  void Forbid(std::string_view name) {
    Post([this, name = std::string(name)](bool alive) {
      options_.allowed.erase(name);
      if (!alive) return;
      ForEach([&](Bridge& bridge) {
        if (bridge.name == name) Abort(bridge, NGHTTP2_CANCEL);
      });
    });
  }

 private:
  // A connect that is under way: which of the target's addresses is tried.
  struct Attempt {
    size_t next = 0;
    TimePoint deadline;
    std::string reason = "no address";
  };

  void Report(TunnelEvent::Kind kind, const Bridge& bridge, std::string reason) {
    if (!options_.log) return;
    const bool known = !bridge.name.empty();
    options_.log({.kind = kind,
                  .name = known ? bridge.name : Printable(bridge.authority),
                  .reason = std::move(reason),
                  .from_guest = bridge.bytes_from_peer,
                  .to_guest = bridge.bytes_to_peer});
  }

  void OnRequest(Bridge& bridge) override {
    const char* reason = nullptr;
    if (bridge.method != "CONNECT") {
      reason = "not a CONNECT";
    } else if (!options_.allowed.contains(bridge.authority)) {
      reason = "not on the job's list";
    } else if (!addresses_.contains(bridge.authority)) {
      reason = "no target is configured";
    }
    if (reason != nullptr) {
      Report(TunnelEvent::Kind::kRefused, bridge, reason);
      Refuse(bridge, "403");
      return;
    }
    bridge.name = bridge.authority;
    attempts_[bridge.stream].deadline = std::chrono::steady_clock::now() + options_.connect_timeout;
    TryNext(bridge);
  }

  void TryNext(Bridge& bridge) {
    Attempt& attempt = attempts_[bridge.stream];
    const std::vector<Address>& addresses = addresses_[bridge.name];
    while (attempt.next < addresses.size()) {
      const Address& address = addresses[attempt.next++];
      bridge.fd = UniqueFd(
          ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!bridge.fd.valid()) {
        attempt.reason = std::strerror(errno);
        continue;
      }
      if (::connect(bridge.fd.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                    address.size) == 0) {
        Connected(bridge);
        return;
      }
      if (errno == EINPROGRESS) {
        bridge.connecting = true;
        return;
      }
      attempt.reason = std::strerror(errno);
    }
    Fail502(bridge);
  }

  void Connected(Bridge& bridge) {
    attempts_.erase(bridge.stream);
    const int on = 1;
    ::setsockopt(bridge.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Report(TunnelEvent::Kind::kOpened, bridge, "");
    Accept(bridge);
  }

  void Fail502(Bridge& bridge) {
    const std::string reason = attempts_[bridge.stream].reason;
    attempts_.erase(bridge.stream);
    Report(TunnelEvent::Kind::kUnreachable, bridge, reason);
    Refuse(bridge, "502");
  }

  void OnConnectable(Bridge& bridge) override {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(bridge.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) {
      Connected(bridge);
      return;
    }
    attempts_[bridge.stream].reason = std::strerror(error);
    bridge.connecting = false;
    TryNext(bridge);
  }

  void OnClosed(const Bridge& bridge) override {
    attempts_.erase(bridge.stream);
    if (bridge.open) Report(TunnelEvent::Kind::kClosed, bridge, "");
  }

  TimePoint OnTick(TimePoint now) override {
    TimePoint next = TimePoint::max();
    std::vector<int32_t> late;
    for (const auto& [stream, attempt] : attempts_) {
      if (attempt.deadline <= now) {
        late.push_back(stream);
      } else {
        next = std::min(next, attempt.deadline);
      }
    }
    for (const int32_t stream : late) {
      attempts_[stream].reason = "no answer in time";
      if (Bridge* bridge = Find(stream)) Fail502(*bridge);
      next = now;  // the answer is to be sent
    }
    return next;
  }

  TunnelServerOptions options_;
  std::map<std::string, std::vector<Address>, std::less<>> addresses_;
  std::map<int32_t, Attempt> attempts_;
};

TunnelServer::TunnelServer(UniqueFd stream, TunnelServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(stream), std::move(options))) {}
TunnelServer::~TunnelServer() = default;
Result<> TunnelServer::Run() { return impl_->Run(); }
void TunnelServer::Stop() { impl_->Stop(); }
void TunnelServer::Forbid(std::string_view name) { impl_->Forbid(name); }

}  // namespace cce::channel
