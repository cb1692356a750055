// Encoded blocks inside text: base64 (either alphabet, also over several lines) and hex.
#pragma once

#include <functional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::gate {

// Calls `found(encoding, offset, bytes)` for each block that decodes to text, to a known packing,
// or to 192 and more bytes of anything else. Hex runs of 64 digits and fewer (digests) are passed
// over. Linear time.
using BlockSink = std::function<Result<>(std::string_view encoding, size_t offset, Bytes bytes)>;
Result<> FindBlocks(std::string_view text, const BlockSink& found);

// Bytes of a gzip member's header; 0 where `bytes` begins with none.
size_t GzipHeaderSize(ByteView bytes);

}  // namespace cce::gate
