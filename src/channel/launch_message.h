// The first message on a control stream, before HTTP/2 begins: the launch document
// (docs/formats/channel.md): u32 big-endian length, then as many bytes. Both calls block and take
// exactly the message's bytes.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace cce::channel {

constexpr size_t kMaxLaunchDocument = size_t{64} * 1024;

// input.too_large past 64 KiB, input.malformed where empty; channel.closed where the peer is gone.
Result<> SendLaunchDocument(int fd, ByteView document);
// input.too_large past `max`; input.malformed for an empty or cut message.
Result<Bytes> ReceiveLaunchDocument(int fd, size_t max = kMaxLaunchDocument);

}  // namespace cce::channel
