// Little-endian integers and fixed fields of evidence. Internal to src/attest; the caller has
// checked the bounds.
#pragma once

#include <algorithm>

#include "base/bytes.h"

namespace cce::attest {

inline uint16_t LoadU16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
inline uint32_t LoadU32(const uint8_t* p) {
  return LoadU16(p) | static_cast<uint32_t>(LoadU16(p + 2)) << 16;
}
inline uint64_t LoadU64(const uint8_t* p) {
  return LoadU32(p) | static_cast<uint64_t>(LoadU32(p + 4)) << 32;
}

template <typename Span>
ByteView Field(ByteView bytes, Span span) {
  return bytes.subspan(span.offset, span.size);
}
template <typename Span, size_t N>
void CopyField(ByteView bytes, Span span, ByteArray<N>& out) {
  const ByteView field = Field(bytes, span);
  std::copy(field.begin(), field.end(), out.begin());
}
inline bool AllZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}
// Hex of an integer's little-endian bytes: how registers are written everywhere.
inline std::string HexOfU64(uint64_t value) {
  ByteArray<8> bytes;
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
  return ToHex(bytes);
}

}  // namespace cce::attest
