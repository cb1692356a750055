// SipHash-1-3 (Aumasson, Bernstein 2012) by OpenSSL's EVP_MAC: 64-bit keyed hashes of short
// strings. Not thread-safe: one a thread.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "gate/text.h"

namespace cce::gate {

// Which look-up table a key belongs to; part of what is hashed.
enum class KeyKind : uint8_t {
  kExact = 1,    // a cell, numbers to 13 significant digits
  kSix = 2,      // a number rounded to 6 digits, where that differs
  kThree = 3,    // to 3 digits, where that differs
  kPair = 4,     // two cells of one row
  kRow = 5,      // a whole row
  kShingle = 6,  // 24 normalised bytes
  kCheck = 7,    // of the key itself
  kRoll = 8,     // seeds the rolling hash
};

class KeyedHash {
 public:
  // The first 16 bytes of `key`. crypto.failed.
  static Result<KeyedHash> New(ByteView key);
  uint64_t operator()(KeyKind kind, ByteView data) const;
  uint64_t Cell(KeyKind kind, const Canon& cell) const;
  uint64_t Pair(uint64_t a, uint64_t b) const;  // either order
  // Of a row's exact cell keys; their order does not matter. Sorts `cells`.
  uint64_t Row(std::vector<uint64_t>& cells) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cce::gate
