// 64-bit keyed hashes (SipHash-1-3) of cells, rows and shingles. Immutable, safe to use from many
// threads; copies share the key.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
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
  // The first 16 bytes of `key`. crypto.bad_key.
  static Result<KeyedHash> New(ByteView key);
  uint64_t operator()(KeyKind kind, ByteView data) const;
  uint64_t Cell(KeyKind kind, const Canon& cell) const;
  uint64_t Pair(uint64_t a, uint64_t b) const;  // either order
  // Of a row's exact cell keys; their order does not matter. Sorts `cells`.
  uint64_t Row(std::vector<uint64_t>& cells) const;

 private:
  std::shared_ptr<const SecretBytes> key_;
};

}  // namespace cce::gate
