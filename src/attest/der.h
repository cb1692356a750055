// A reader of strict DER (X.690 section 10): definite, minimal lengths, low tag numbers, nothing
// after the end. Internal to src/attest. Every call returns false, and stays where it is, on
// anything else.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/clock.h"

namespace cce::attest::der {

constexpr uint8_t kBoolean = 0x01, kInteger = 0x02, kBitString = 0x03, kOctetString = 0x04,
                  kNull = 0x05, kOid = 0x06, kEnumerated = 0x0a, kUtf8String = 0x0c,
                  kPrintableString = 0x13, kIa5String = 0x16, kUtcTime = 0x17,
                  kGeneralizedTime = 0x18, kSequence = 0x30, kSet = 0x31;
constexpr uint8_t Context(uint8_t n) { return static_cast<uint8_t>(0xa0 | n); }  // constructed
constexpr uint8_t ContextPrimitive(uint8_t n) { return static_cast<uint8_t>(0x80 | n); }

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}
  bool AtEnd() const { return rest_.empty(); }
  bool Next(uint8_t tag) const { return !rest_.empty() && rest_[0] == tag; }
  // The next element's content; `whole` with its header.
  bool Take(uint8_t tag, ByteView& content, ByteView* whole = nullptr);
  bool TakeAny(uint8_t& tag, ByteView& content, ByteView* whole = nullptr);
  // Content octets of an INTEGER, minimal; negative ones are refused.
  bool TakeUnsigned(ByteView& magnitude);  // without the leading zero octet; zero is one 0 octet
  bool TakeUint(uint64_t& value, uint64_t max, uint8_t tag = kInteger);
  bool TakeBool(bool& value);
  bool TakeBits(ByteView& bytes);    // no unused bits
  bool TakeTime(UnixSeconds& time);  // UTCTime or GeneralizedTime in Zulu with seconds

 private:
  ByteView rest_;
};

}  // namespace cce::attest::der
