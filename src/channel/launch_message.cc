#include "channel/launch_message.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace cce::channel {
namespace {

// The peer's end may be gone, which must be an error and not a signal.
Result<> SendAll(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE || errno == ECONNRESET) {
        return Fail("channel.closed", "the peer is gone before the launch document was sent");
      }
      return FailErrno("sending the launch document", errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<> SendLaunchDocument(int fd, ByteView document) {
  if (document.empty()) return Fail("input.malformed", "the launch document is empty");
  if (document.size() > kMaxLaunchDocument) {
    return Fail(MakeError("input.too_large", "the launch document is too large")
                    .Expected("at most " + std::to_string(kMaxLaunchDocument) + " bytes")
                    .Found(std::to_string(document.size()) + " bytes"));
  }
  Bytes message;
  AppendU32(message, static_cast<uint32_t>(document.size()));
  Append(message, document);
  return SendAll(fd, message);
}

Result<Bytes> ReceiveLaunchDocument(int fd, size_t max) {
  uint8_t prefix[4];
  TRY(ReadExact(fd, prefix));
  const uint32_t size = ReadU32(prefix);
  if (size == 0) return Fail("input.malformed", "the launch document is empty");
  if (size > max) {
    return Fail(MakeError("input.too_large", "the launch document is too large")
                    .Expected("at most " + std::to_string(max) + " bytes")
                    .Found(std::to_string(size) + " bytes"));
  }
  Bytes document(size);
  TRY(ReadExact(fd, document));
  return document;
}

}  // namespace cce::channel
