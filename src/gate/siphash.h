// SipHash-1-3 with 64-bit output (Aumasson, Bernstein 2012) of a message given piece by piece. The
// state is a small value on the caller's stack: no allocation, no shared context, so that a key may
// be used from many threads at once, and a cell costs some ten nanoseconds (a library's MAC context
// costs ten times that). The tests compare it with OpenSSL's.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace cce::gate {

class SipHash13 {
 public:
  // `key`: 16 bytes.
  explicit SipHash13(const uint8_t* key) {
    const uint64_t k0 = Load(key), k1 = Load(key + 8);
    v0_ = k0 ^ 0x736f6d6570736575;
    v1_ = k1 ^ 0x646f72616e646f6d;
    v2_ = k0 ^ 0x6c7967656e657261;
    v3_ = k1 ^ 0x7465646279746573;
  }
  void Byte(uint8_t b) {
    word_ |= uint64_t{b} << (8 * (size_ % 8));
    if (++size_ % 8 == 0) Absorb();
  }
  void Bytes(ByteView data) {
    const uint8_t* p = data.data();
    const uint8_t* const end = p + data.size();
    const auto shift = static_cast<int>(8 * (size_ % 8));
    for (; end - p >= 8; p += 8) {
      const uint64_t w = Load(p);
      word_ |= w << shift;
      size_ += 8;
      Absorb();
      word_ = shift == 0 ? 0 : w >> (64 - shift);
    }
    for (; p != end; ++p) Byte(*p);
  }
  void BigEndian(uint64_t v) {
    uint8_t bytes[8];
    v = __builtin_bswap64(v);
    std::memcpy(bytes, &v, 8);
    Bytes(bytes);
  }
  // As a big-endian integer over the algorithm's eight output bytes. Call once.
  uint64_t Finish() {
    word_ |= uint64_t{size_ & 0xff} << 56;
    Absorb();
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i) Round();
    return __builtin_bswap64(v0_ ^ v1_ ^ v2_ ^ v3_);
  }

 private:
  static_assert(std::endian::native == std::endian::little);
  static uint64_t Load(const uint8_t* p) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    return v;
  }
  void Absorb() {
    v3_ ^= word_;
    Round();
    v0_ ^= word_;
    word_ = 0;
  }
  void Round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  uint64_t v0_, v1_, v2_, v3_;
  uint64_t word_ = 0;  // the bytes not yet absorbed
  size_t size_ = 0;
};

}  // namespace cce::gate
