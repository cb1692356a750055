#include "chain/u256.h"

namespace cce::chain {
namespace {

Unexpected OutOfRange(std::string message) {
  return Fail("chain.out_of_range", std::move(message));
}

// value * factor + addend; false on overflow. factor and addend fit 64 bits.
bool MultiplyAdd(ByteArray<32>& value, uint64_t factor, uint64_t addend) {
  unsigned __int128 carry = addend;
  for (size_t i = 32; i-- > 0;) {
    carry += static_cast<unsigned __int128>(value[i]) * factor;
    value[i] = static_cast<uint8_t>(carry & 0xff);
    carry >>= 8;
  }
  return carry == 0;
}

// Divides by 10 in place and gives the remainder.
unsigned DivideByTen(ByteArray<32>& value) {
  unsigned rest = 0;
  for (uint8_t& byte : value) {
    const unsigned current = rest * 256 + byte;
    byte = static_cast<uint8_t>(current / 10);
    rest = current % 10;
  }
  return rest;
}

bool IsZero(const ByteArray<32>& value) {
  return std::all_of(value.begin(), value.end(), [](uint8_t b) { return b == 0; });
}

}  // namespace

U256 U256::From(uint64_t value) {
  U256 out;
  for (size_t i = 0; i < 8; ++i) out.bytes[31 - i] = static_cast<uint8_t>(value >> (8 * i));
  return out;
}

Result<U256> U256::FromDecimal(std::string_view text) {
  if (text.empty() || text.size() > 100) {
    return Fail("input.malformed", "a decimal number is empty or too long");
  }
  U256 out;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return Fail("input.malformed", "a decimal number holds something else than digits");
    }
    if (!MultiplyAdd(out.bytes, 10, static_cast<uint64_t>(c - '0'))) {
      return OutOfRange("a number is larger than 256 bits");
    }
  }
  return out;
}

Result<U256> U256::FromQuantity(std::string_view text) {
  const bool form = text.size() >= 3 && text.size() <= 66 && text.starts_with("0x") &&
                    (text.size() == 3 || text[2] != '0');
  if (!form) return Fail("input.malformed", "a quantity is not of the form 0x1f");
  std::string digits(text.substr(2));
  if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
  ASSIGN_OR_RETURN(const Bytes bytes, FromHex(digits));
  U256 out;
  std::copy(bytes.begin(), bytes.end(), out.bytes.end() - static_cast<ptrdiff_t>(bytes.size()));
  return out;
}

Result<uint64_t> U256::ToU64() const {
  if (std::any_of(bytes.begin(), bytes.begin() + 24, [](uint8_t b) { return b != 0; })) {
    return OutOfRange("a number is larger than 64 bits");
  }
  return ReadU64(bytes.data() + 24);
}

std::string U256::ToDecimal() const {
  ByteArray<32> rest = bytes;
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + DivideByTen(rest)));
  } while (!IsZero(rest));
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string U256::ToQuantity() const {
  const std::string hex = ToHex(bytes);
  const size_t first = hex.find_first_not_of('0');
  return first == std::string::npos ? "0x0" : "0x" + hex.substr(first);
}

Result<U256> U256::Plus(const U256& other) const {
  U256 out = *this;
  unsigned carry = 0;
  for (size_t i = 32; i-- > 0;) {
    carry += static_cast<unsigned>(bytes[i]) + other.bytes[i];
    out.bytes[i] = static_cast<uint8_t>(carry & 0xff);
    carry >>= 8;
  }
  if (carry != 0) return OutOfRange("a sum is larger than 256 bits");
  return out;
}

Result<U256> U256::Times(uint64_t factor) const {
  U256 out = *this;
  if (!MultiplyAdd(out.bytes, factor, 0)) return OutOfRange("a product is larger than 256 bits");
  return out;
}

std::string FormatWei(const U256& wei) {
  constexpr uint64_t kGwei = 1'000'000'000;
  if (wei < U256::From(kGwei)) return wei.ToDecimal() + " wei";
  std::string digits = wei.ToDecimal();
  if (digits.size() < 19) digits.insert(0, 19 - digits.size(), '0');
  std::string fraction = digits.substr(digits.size() - 18);
  digits.resize(digits.size() - 18);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return digits + (fraction.empty() ? "" : "." + fraction) + " ETH";
}

}  // namespace cce::chain
