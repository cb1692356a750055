#include "net/wire.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace cce::net {
namespace {

int ClampToInt(size_t size) {
  return static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

Wire::Wire(int fd, SSL_CTX* tls) : fd_(fd), is_tls_(tls != nullptr) {
  if (!is_tls_) return;
  ssl_.reset(SSL_new(tls));
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd) != 1) {
    Close();
    return;
  }
  SSL_set_accept_state(ssl_.get());
  SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
}

void Wire::Close() {
  ssl_.reset();
  fd_ = -1;
}

std::optional<SpkiHash> Wire::peer_key() const {
  return ssl_ == nullptr ? std::nullopt : PeerSpki(ssl_.get());
}

Step Wire::SslStep(int result) {
  if (result > 0) return {Step::Kind::kDone, static_cast<size_t>(result)};
  const int kind = SSL_get_error(ssl_.get(), result);
  if (kind == SSL_ERROR_WANT_READ) return {Step::Kind::kWantRead};
  if (kind == SSL_ERROR_WANT_WRITE) return {Step::Kind::kWantWrite};
  if (kind == SSL_ERROR_ZERO_RETURN) return {Step::Kind::kEnd};
  const unsigned long code = ERR_get_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  reason_ = text == nullptr ? "the connection was closed" : text;
  ERR_clear_error();
  return {Step::Kind::kFailed};
}

Step Wire::SocketStep(ssize_t result, Step::Kind again) {
  if (result > 0) return {Step::Kind::kDone, static_cast<size_t>(result)};
  if (result == 0) return {Step::Kind::kEnd};
  if (errno == EAGAIN || errno == EINTR) return {again};
  return {Step::Kind::kFailed};
}

Step Wire::Handshake() {
  if (ssl_ == nullptr) return {};
  ERR_clear_error();
  return SslStep(SSL_do_handshake(ssl_.get()));
}

Step Wire::Shutdown() {
  if (ssl_ == nullptr) return {};
  ERR_clear_error();
  int result = SSL_shutdown(ssl_.get());
  if (result == 0) result = SSL_shutdown(ssl_.get());  // ours is sent: now the peer's
  return SslStep(result);
}

Step Wire::Read(std::span<uint8_t> out) {
  if (!is_tls_) return ReadRaw(out);
  if (ssl_ == nullptr) return {};
  ERR_clear_error();
  size_t at = 0;
  while (at < out.size()) {
    const int n = SSL_read(ssl_.get(), out.data() + at, ClampToInt(out.size() - at));
    // What stopped it after some bytes stops the next call, too.
    if (n <= 0) return at > 0 ? Step{Step::Kind::kDone, at} : SslStep(n);
    at += static_cast<size_t>(n);
  }
  return {Step::Kind::kDone, at};
}

Step Wire::Write(std::span<const iovec> pieces) {
  if (fd_ < 0) return {};
  if (!is_tls_) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    return SocketStep(::sendmsg(fd_, &message, MSG_NOSIGNAL), Step::Kind::kWantWrite);
  }
  if (ssl_ == nullptr) return {};
  ERR_clear_error();
  return SslStep(SSL_write(ssl_.get(), pieces[0].iov_base, ClampToInt(pieces[0].iov_len)));
}

Step Wire::ReadRaw(std::span<uint8_t> out) {
  if (fd_ < 0) return {};
  return SocketStep(::recv(fd_, out.data(), out.size(), 0), Step::Kind::kWantRead);
}

}  // namespace cce::net
