#include "base/bytes.h"

#include <algorithm>
#include <array>

namespace cce {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Encode64(ByteView bytes, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t v = static_cast<uint32_t>(bytes[i]) << 16;
    if (n > 1) v |= static_cast<uint32_t>(bytes[i + 1]) << 8;
    if (n > 2) v |= bytes[i + 2];
    out += alphabet[v >> 18];
    out += alphabet[(v >> 12) & 63];
    if (n > 1) out += alphabet[(v >> 6) & 63];
    if (n > 2) out += alphabet[v & 63];
    if (pad) out.append(3 - n, '=');
  }
  return out;
}

// The value of each character; 64 for what is none of the alphabet's.
constexpr std::array<uint8_t, 256> ValuesOf(std::string_view alphabet) {
  std::array<uint8_t, 256> out{};
  out.fill(64);
  for (size_t i = 0; i < alphabet.size(); ++i) {
    out[static_cast<uint8_t>(alphabet[i])] = static_cast<uint8_t>(i);
  }
  return out;
}
constexpr std::array<uint8_t, 256> kBase64Values = ValuesOf(kBase64);
constexpr std::array<uint8_t, 256> kBase64UrlValues = ValuesOf(kBase64Url);

Result<Bytes> Decode64(std::string_view text, const std::array<uint8_t, 256>& values, bool padded) {
  const auto bad = [] { return Fail("input.malformed", "a base64 text is malformed"); };
  if (padded) {
    if (text.size() % 4 != 0) return bad();
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  const size_t tail = text.size() % 4;
  if (tail == 1) return bad();
  Bytes out(text.size() / 4 * 3 + (tail > 0 ? tail - 1 : 0));
  uint8_t* to = out.data();
  const auto value = [&](size_t at) { return values[static_cast<uint8_t>(text[at])]; };
  uint8_t seen = 0;  // of all values; 64 stands out
  for (size_t i = 0; i + 4 <= text.size(); i += 4) {
    const uint8_t a = value(i), b = value(i + 1), c = value(i + 2), d = value(i + 3);
    seen |= a | b | c | d;
    *to++ = static_cast<uint8_t>(a << 2 | b >> 4);
    *to++ = static_cast<uint8_t>(b << 4 | c >> 2);
    *to++ = static_cast<uint8_t>(c << 6 | d);
  }
  if (tail > 0) {
    const size_t i = text.size() - tail;
    const uint8_t a = value(i), b = value(i + 1), c = tail == 3 ? value(i + 2) : uint8_t{0};
    seen |= a | b | c;
    *to++ = static_cast<uint8_t>(a << 2 | b >> 4);
    if (tail == 3) *to++ = static_cast<uint8_t>(b << 4 | c >> 2);
    // Bits that belong to no byte must be zero: one text for each value.
    if ((tail == 3 ? c & 3 : b & 15) != 0) return bad();
  }
  if ((seen & 64) != 0) return bad();
  return out;
}

}  // namespace

bool Equal(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

std::string ToHex(ByteView bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const uint8_t b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

Result<Bytes> FromHex(std::string_view text, bool allow_0x) {
  if (allow_0x && (text.starts_with("0x") || text.starts_with("0X"))) text.remove_prefix(2);
  if (text.size() % 2 != 0) return Fail("input.malformed", "a hex text has an odd length");
  Bytes out(text.size() / 2);
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = HexDigit(text[2 * i]);
    const int low = HexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return Fail("input.malformed", "a hex text holds another character");
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return out;
}

std::string ToBase64(ByteView bytes) { return Encode64(bytes, kBase64, true); }
Result<Bytes> FromBase64(std::string_view text) { return Decode64(text, kBase64Values, true); }
std::string ToBase64Url(ByteView bytes) { return Encode64(bytes, kBase64Url, false); }
Result<Bytes> FromBase64Url(std::string_view text) {
  return Decode64(text, kBase64UrlValues, false);
}

void AppendU16(Bytes& out, uint16_t v) {
  out.push_back(static_cast<uint8_t>(v >> 8));
  out.push_back(static_cast<uint8_t>(v));
}
void AppendU32(Bytes& out, uint32_t v) {
  AppendU16(out, static_cast<uint16_t>(v >> 16));
  AppendU16(out, static_cast<uint16_t>(v));
}
void AppendU64(Bytes& out, uint64_t v) {
  AppendU32(out, static_cast<uint32_t>(v >> 32));
  AppendU32(out, static_cast<uint32_t>(v));
}
uint16_t ReadU16(const uint8_t* p) { return static_cast<uint16_t>(p[0] << 8 | p[1]); }
uint32_t ReadU32(const uint8_t* p) {
  return static_cast<uint32_t>(ReadU16(p)) << 16 | ReadU16(p + 2);
}
uint64_t ReadU64(const uint8_t* p) {
  return static_cast<uint64_t>(ReadU32(p)) << 32 | ReadU32(p + 4);
}
void Append(Bytes& out, ByteView more) { out.insert(out.end(), more.begin(), more.end()); }

Bytes Frame(std::string_view label, std::initializer_list<ByteView> fields) {
  Bytes out;
  AppendU32(out, static_cast<uint32_t>(label.size()));
  Append(out, AsBytes(label));
  for (const ByteView field : fields) {
    AppendU32(out, static_cast<uint32_t>(field.size()));
    Append(out, field);
  }
  return out;
}

Result<ByteView> ByteReader::Take(size_t n) {
  if (n > rest_.size()) {
    return Fail(MakeError("input.malformed", "a binary input ends early")
                    .Expected(std::to_string(n) + " more bytes")
                    .Found(std::to_string(rest_.size()) + " bytes"));
  }
  const ByteView head = rest_.first(n);
  rest_ = rest_.subspan(n);
  return head;
}
Result<uint8_t> ByteReader::U8() {
  ASSIGN_OR_RETURN(ByteView b, Take(1));
  return b[0];
}
Result<uint16_t> ByteReader::U16() {
  ASSIGN_OR_RETURN(ByteView b, Take(2));
  return ReadU16(b.data());
}
Result<uint32_t> ByteReader::U32() {
  ASSIGN_OR_RETURN(ByteView b, Take(4));
  return ReadU32(b.data());
}
Result<uint64_t> ByteReader::U64() {
  ASSIGN_OR_RETURN(ByteView b, Take(8));
  return ReadU64(b.data());
}
Result<ByteView> ByteReader::Prefixed32(size_t max) {
  ASSIGN_OR_RETURN(const uint32_t n, U32());
  if (n > max) {
    return Fail(MakeError("input.too_large", "a length field exceeds its limit")
                    .Expected("at most " + std::to_string(max))
                    .Found(std::to_string(n)));
  }
  return Take(n);
}
Result<> ByteReader::ExpectEnd() const {
  if (!rest_.empty()) {
    return Fail("input.malformed", std::to_string(rest_.size()) + " bytes follow the input's end");
  }
  return {};
}

}  // namespace cce
