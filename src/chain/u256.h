// Unsigned 256-bit integers as the EVM has them, in the few operations that amounts of money need.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::chain {

// Big-endian value. Arithmetic that would overflow fails with chain.out_of_range.
struct U256 {
  ByteArray<32> bytes{};

  static U256 From(uint64_t value);
  // Decimal digits only. Errors: input.malformed, chain.out_of_range.
  static Result<U256> FromDecimal(std::string_view text);
  // A JSON-RPC quantity: "0x", then hex digits without leading zeros ("0x0" is zero).
  static Result<U256> FromQuantity(std::string_view text);

  Result<uint64_t> ToU64() const;  // chain.out_of_range above 2^64 - 1
  std::string ToDecimal() const;
  std::string ToQuantity() const;

  Result<U256> Plus(const U256& other) const;
  Result<U256> Times(uint64_t factor) const;

  friend auto operator<=>(const U256&, const U256&) = default;
};

// Wei as ether with its unit and no needless zeros: "0.25 ETH", "1 wei" below 10^-9 ether.
std::string FormatWei(const U256& wei);

}  // namespace cce::chain
