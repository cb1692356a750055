// Byte strings, their text forms, and the framing of hash inputs.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cce {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;
template <size_t N>
using ByteArray = std::array<uint8_t, N>;

inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes ToBytes(ByteView view) { return {view.begin(), view.end()}; }
inline Bytes ToBytes(std::string_view text) { return ToBytes(AsBytes(text)); }
template <size_t N>
Result<ByteArray<N>> ToArray(ByteView view) {
  if (view.size() != N) {
    return Fail(MakeError("input.malformed", "a byte string has the wrong length")
                    .Expected(std::to_string(N) + " bytes")
                    .Found(std::to_string(view.size()) + " bytes"));
  }
  ByteArray<N> out;
  std::copy(view.begin(), view.end(), out.begin());
  return out;
}

bool Equal(ByteView a, ByteView b);  // NOT constant-time: for public values

// Lower-case hex, no prefix. Decoding takes either case and, where `allow_0x`, an optional "0x".
std::string ToHex(ByteView bytes);
Result<Bytes> FromHex(std::string_view text, bool allow_0x = false);
template <size_t N>
Result<ByteArray<N>> ArrayFromHex(std::string_view text, bool allow_0x = false) {
  ASSIGN_OR_RETURN(Bytes bytes, FromHex(text, allow_0x));
  return ToArray<N>(bytes);
}

// RFC 4648 base64 with padding, and base64url without (as in JWT). Decoding is strict: no white
// space, no missing or extra padding, unused bits zero.
std::string ToBase64(ByteView bytes);
Result<Bytes> FromBase64(std::string_view text);
std::string ToBase64Url(ByteView bytes);
Result<Bytes> FromBase64Url(std::string_view text);

// Big-endian integers.
void AppendU16(Bytes& out, uint16_t v);
void AppendU32(Bytes& out, uint32_t v);
void AppendU64(Bytes& out, uint64_t v);
uint16_t ReadU16(const uint8_t* p);
uint32_t ReadU32(const uint8_t* p);
uint64_t ReadU64(const uint8_t* p);
void Append(Bytes& out, ByteView more);

// The framing of every structured hash or HKDF input (docs/formats.md, "Framing"): the label, then
// each field, every one of them preceded by its length as u32 big-endian.
Bytes Frame(std::string_view label, std::initializer_list<ByteView> fields);

// A cursor over untrusted big-endian bytes; every read is checked ("input.malformed" past the end).
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}
  Result<ByteView> Take(size_t n);
  Result<uint8_t> U8();
  Result<uint16_t> U16();
  Result<uint32_t> U32();
  Result<uint64_t> U64();
  Result<ByteView> Prefixed32(size_t max);  // u32 length, then as many bytes
  size_t Remaining() const { return rest_.size(); }
  Result<> ExpectEnd() const;

 private:
  ByteView rest_;
};

}  // namespace cce
