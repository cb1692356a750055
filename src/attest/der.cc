#include "attest/der.h"

#include <chrono>

namespace cce::attest::der {
namespace {

// The whole element at the start of `bytes`: header size and content size.
bool Header(ByteView bytes, size_t& header, size_t& size) {
  if (bytes.size() < 2 || (bytes[0] & 0x1f) == 0x1f) return false;
  if (bytes[1] < 0x80) {
    header = 2;
    size = bytes[1];
  } else {
    const size_t count = bytes[1] & 0x7f;
    if (count == 0 || count > 3 || bytes.size() < 2 + count || bytes[2] == 0) return false;
    header = 2 + count;
    size = 0;
    for (size_t i = 0; i < count; ++i) size = size << 8 | bytes[2 + i];
    if (size < 0x80) return false;
  }
  return size <= bytes.size() - header;
}

bool Digits(ByteView text, size_t at, size_t count, unsigned& value) {
  value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

}  // namespace

bool Reader::TakeAny(uint8_t& tag, ByteView& content, ByteView* whole) {
  size_t header = 0;
  size_t size = 0;
  if (!Header(rest_, header, size)) return false;
  tag = rest_[0];
  content = rest_.subspan(header, size);
  if (whole != nullptr) *whole = rest_.first(header + size);
  rest_ = rest_.subspan(header + size);
  return true;
}

bool Reader::Take(uint8_t tag, ByteView& content, ByteView* whole) {
  if (!Next(tag)) return false;
  uint8_t found = 0;
  return TakeAny(found, content, whole);
}

bool Reader::TakeUnsigned(ByteView& magnitude) {
  Reader copy = *this;
  ByteView content;
  if (!copy.Take(kInteger, content) || content.empty() || (content[0] & 0x80) != 0) return false;
  if (content.size() > 1 && content[0] == 0) {
    if ((content[1] & 0x80) == 0) return false;
    content = content.subspan(1);
  }
  magnitude = content;
  *this = copy;
  return true;
}

bool Reader::TakeUint(uint64_t& value, uint64_t max, uint8_t tag) {
  Reader copy = *this;
  ByteView content;
  if (!copy.Take(tag, content) || content.empty() || content.size() > 9 ||
      (content[0] & 0x80) != 0 ||
      (content.size() > 1 && content[0] == 0 && (content[1] & 0x80) == 0) ||
      (content.size() == 9 && content[0] != 0)) {
    return false;
  }
  uint64_t number = 0;
  for (const uint8_t byte : content) number = number << 8 | byte;
  if (number > max) return false;
  value = number;
  *this = copy;
  return true;
}

bool Reader::TakeBool(bool& value) {
  Reader copy = *this;
  ByteView content;
  if (!copy.Take(kBoolean, content) || content.size() != 1 ||
      (content[0] != 0 && content[0] != 0xff)) {
    return false;
  }
  value = content[0] != 0;
  *this = copy;
  return true;
}

bool Reader::TakeBits(ByteView& bytes) {
  Reader copy = *this;
  ByteView content;
  if (!copy.Take(kBitString, content) || content.empty() || content[0] != 0) return false;
  bytes = content.subspan(1);
  *this = copy;
  return true;
}

bool Reader::TakeTime(UnixSeconds& time) {
  Reader copy = *this;
  uint8_t tag = 0;
  ByteView text;
  if (!copy.TakeAny(tag, text)) return false;
  const size_t year_digits = tag == kUtcTime ? 2 : 4;
  if ((tag != kUtcTime && tag != kGeneralizedTime) || text.size() != year_digits + 11 ||
      text.back() != 'Z') {
    return false;
  }
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!Digits(text, 0, year_digits, year) || !Digits(text, year_digits, 2, month) ||
      !Digits(text, year_digits + 2, 2, day) || !Digits(text, year_digits + 4, 2, hour) ||
      !Digits(text, year_digits + 6, 2, minute) || !Digits(text, year_digits + 8, 2, second)) {
    return false;
  }
  if (tag == kUtcTime) year += year < 50 ? 2000 : 1900;  // RFC 5280 section 4.1.2.5.1
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return false;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  time = static_cast<UnixSeconds>(days) * 86400 + UnixSeconds{hour} * 3600 +
         UnixSeconds{minute} * 60 + second;
  *this = copy;
  return true;
}

}  // namespace cce::attest::der
