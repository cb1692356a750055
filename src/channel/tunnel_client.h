// The guest's end of the channel: HTTP/2 CONNECT streams to *names* over one byte stream
// (docs/formats/channel.md). A name is a plain token, [a-z0-9-]{1,32}; what stands behind it is the
// relay's affair.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace cce::channel {

struct TunnelClientOptions {
  std::chrono::milliseconds connect_timeout{30'000};  // for Connect, relay's own connect included
  std::function<void()>
      on_end;  // once, from the loop's thread, when the stream has ended by itself
};

// Thread-safe. One thread moves all bytes; memory is bounded by 256 KiB a stream.
class TunnelClient {
 public:
  // `stream`: the control stream after the launch document (socket, pipe pair in one fd,
  // virtio-serial port).
  static Result<std::unique_ptr<TunnelClient>> Start(UniqueFd stream,
                                                     TunnelClientOptions options = {});
  ~TunnelClient();  // closes

  // A connected stream socket to `name`; half-close (shutdown) passes through. Errors:
  // input.malformed, channel.refused (relay's 403), channel.unreachable (502), channel.closed,
  // net.timeout.
  Result<UniqueFd> Connect(std::string_view name);

  // Accepts on a Unix socket (made here, an old socket replaced), each connection
  // going to `name`. One listener a name.
  Result<> Listen(std::string_view name, const std::string& unix_socket_path, mode_t mode = 0600);
  // The same on 127.0.0.1; returns the port.
  Result<uint16_t> ListenTcp(std::string_view name);
  // Stops accepting for `name`, closes the connections that came in that way, removes the Unix
  // socket.
  Result<> StopListening(std::string_view name);

  bool ended() const;  // the stream is gone
  void Close();        // ends all connections and the loop; idempotent

 private:
  class Impl;
  explicit TunnelClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

bool IsChannelName(std::string_view name);

}  // namespace cce::channel
