// Private to src/net: a connection's bytes, over a non-blocking TCP socket with or without TLS
// (OpenSSL on the socket itself). No call waits: it does what can be done now and says what the
// socket must be ready for before the next try. Not thread-safe.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>

#include "net/tls_context.h"

namespace cce::net {

struct Step {
  enum class Kind {
    kDone,       // `size` bytes passed, or the handshake is over
    kWantRead,   // again once the socket is readable
    kWantWrite,  // again once it is writable
    kEnd,        // the peer's orderly end
    kFailed,     // nothing more comes of this connection
  };
  Kind kind = Kind::kFailed;
  size_t size = 0;
};

class Wire {
 public:
  // `fd` stays the caller's: open until Close. `tls` null: plain. Writes under TLS raise SIGPIPE
  // where the peer is gone, so the calling thread must have it blocked.
  Wire(int fd, SSL_CTX* tls);

  bool is_tls() const { return is_tls_; }
  // Under TLS only.
  Step Handshake();
  // Sends our end and waits for the peer's.
  Step Shutdown();
  // Why the handshake failed, for the log.
  const std::string& reason() const { return reason_; }
  std::optional<SpkiHash> peer_key() const;

  // At least one byte; under TLS more than one record where they are there. `out` not empty.
  Step Read(std::span<uint8_t> out);
  // Takes a part of the pieces; the same bytes must come again after a kWant.
  Step Write(std::span<const iovec> pieces);
  // Bytes off the socket, past any TLS, to throw them away.
  Step ReadRaw(std::span<uint8_t> out);

  // Every later call fails. Comes before the socket is closed: its number may be another's then.
  void Close();

 private:
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Step SslStep(int result);
  Step SocketStep(ssize_t result, Step::Kind again);

  int fd_;
  bool is_tls_;
  std::unique_ptr<SSL, SslFree> ssl_;
  std::string reason_;
};

}  // namespace cce::net
