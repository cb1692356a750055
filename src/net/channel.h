// Compiled only into connections.cc: a socket, its wire, and waiting for it in coroutines, with a
// deadline for each direction. All on the socket's strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "net/wire.h"

namespace cce::net {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

inline constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

// A coroutine looks at shared state, and if there is nothing to do it waits for an event that
// others wake. All of it runs on the connection's strand, so no wake-up is lost between look and
// wait.
class Event {
 public:
  explicit Event(const asio::any_io_executor& executor) : timer_(executor) {}
  void Wake() { timer_.cancel(); }
  asio::awaitable<void> Wait(Clock::time_point until = Clock::time_point::max()) {
    timer_.expires_at(until);
    co_await timer_.async_wait(kToken);
  }

 private:
  asio::steady_timer timer_;
};

class Channel final : public std::enable_shared_from_this<Channel> {
 public:
  // Up to this size the pieces of a message go out in one write.
  static constexpr size_t kJoinedWrite = size_t{16} * 1024;

  // Until when one direction's waits may last.
  struct Deadline {
    explicit Deadline(const asio::any_io_executor& executor) : timer(executor) {}
    void Set(Clock::duration from_now) { at = Clock::now() + from_now; }
    asio::steady_timer timer;
    Clock::time_point at;
    uint64_t wait = 0;  // counts the waits: an alarm may come after its own
    bool passed = false;
  };
  struct Moved {
    error_code ec;
    size_t size = 0;
  };

  // `tls` null: plain.
  Channel(tcp::socket s, SSL_CTX* tls)
      : socket(std::move(s)),
        wire(socket.native_handle(), tls),
        reading(socket.get_executor()),
        writing(socket.get_executor()) {}

  asio::any_io_executor Executor() { return socket.get_executor(); }

  // For a peer that is sure to send so many bytes more: waiting to read ends only once they are
  // there, or the peer's end is. One byte unless told.
  void WakeAt(size_t bytes) {
    if (std::exchange(wake_at_, bytes) == bytes) return;
    error_code ec;
    ec = socket.set_option(asio::socket_base::receive_low_watermark(static_cast<int>(bytes)), ec);
  }

  bool closed() const { return !socket.is_open(); }
  void Close() {
    wire.Close();
    error_code ec;
    ec = socket.close(ec);
  }

  // Steps until one is done. A step is a function, not a template, so that this is compiled once.
  asio::awaitable<Moved> Go(Deadline& deadline, std::function<Step()> step) {
    for (;;) {
      const Step made = step();
      if (made.kind == Step::Kind::kDone) co_return Moved{{}, made.size};
      if (made.kind == Step::Kind::kEnd) co_return Moved{asio::error::eof};
      if (made.kind == Step::Kind::kFailed) co_return Moved{asio::error::connection_reset};
      const error_code ec =
          co_await Ready(deadline, made.kind == Step::Kind::kWantRead ? tcp::socket::wait_read
                                                                      : tcp::socket::wait_write);
      if (ec) co_return Moved{ec};
    }
  }

  // All of the pieces; `total` is their sum.
  asio::awaitable<bool> WriteAll(std::vector<iovec> pieces, size_t total) {
    Bytes joined;
    if (pieces.size() > 1 && total <= kJoinedWrite) {
      for (const iovec& p : pieces) {
        Append(joined, {static_cast<const uint8_t*>(p.iov_base), p.iov_len});
      }
      pieces = {{joined.data(), joined.size()}};
    }
    std::span<iovec> rest(pieces);
    for (;;) {
      while (!rest.empty() && rest.front().iov_len == 0) rest = rest.subspan(1);
      if (rest.empty()) co_return true;
      const Moved moved = co_await Go(writing, [this, rest] { return wire.Write(rest); });
      if (moved.ec) co_return false;
      for (size_t left = moved.size; left > 0; rest = rest.subspan(1)) {
        iovec& first = rest.front();
        const size_t n = std::min(left, first.iov_len);
        first.iov_base = static_cast<uint8_t*>(first.iov_base) + n;
        first.iov_len -= n;
        left -= n;
        if (first.iov_len > 0) break;
      }
    }
  }

  tcp::socket socket;
  Wire wire;
  Deadline reading;
  Deadline writing;

 private:
  asio::awaitable<error_code> Ready(Deadline& deadline, tcp::socket::wait_type what) {
    deadline.timer.expires_at(deadline.at);
    deadline.timer.async_wait(
        [self = shared_from_this(), &deadline, wait = ++deadline.wait](error_code ec) {
          if (ec || wait != deadline.wait) return;
          deadline.passed = true;
          self->Close();
        });
    const auto [ec] = co_await socket.async_wait(what, kToken);
    ++deadline.wait;
    deadline.timer.cancel();
    co_return deadline.passed ? error_code(asio::error::timed_out) : ec;
  }

  size_t wake_at_ = 1;
};

}  // namespace cce::net
