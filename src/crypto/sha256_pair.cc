#include "crypto/sha256_pair.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace cce::crypto {

#if defined(__x86_64__)

namespace {

#define CCE_SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

alignas(16) constexpr uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// One stream's state in the order that the instructions want: words A B E F and C D G H.
struct Lane {
  __m128i abef, cdgh;
  __m128i words[4];  // the message schedule's last sixteen words
};

CCE_SHA_TARGET inline Lane Load(const uint32_t* state) {
  Lane lane;
  const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state));
  const __m128i hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state + 4));
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  lane.abef = _mm_alignr_epi8(cdab, efgh, 8);
  lane.cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
  return lane;
}

CCE_SHA_TARGET inline void Store(const Lane& lane, uint32_t* state) {
  const __m128i feba = _mm_shuffle_epi32(lane.abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(lane.cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

CCE_SHA_TARGET inline void LoadBlock(Lane& lane, const uint8_t* block) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  for (size_t i = 0; i < 4; ++i) {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * i));
    lane.words[i] = _mm_shuffle_epi8(raw, swap);
  }
}

// Rounds 4 `group` to 4 `group` + 3; then the words of rounds 16 later take their place.
CCE_SHA_TARGET inline void Rounds(Lane& lane, size_t group) {
  __m128i& w = lane.words[group % 4];
  const __m128i& w1 = lane.words[(group + 1) % 4];
  const __m128i& w2 = lane.words[(group + 2) % 4];
  const __m128i& w3 = lane.words[(group + 3) % 4];
  const __m128i constants =
      _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants + 4 * group));
  __m128i sum = _mm_add_epi32(w, constants);
  lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, sum);
  sum = _mm_shuffle_epi32(sum, 0x0e);
  lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, sum);
  if (group < 12) {
    const __m128i part = _mm_add_epi32(_mm_sha256msg1_epu32(w, w1), _mm_alignr_epi8(w3, w2, 4));
    w = _mm_sha256msg2_epu32(part, w3);
  }
}

}  // namespace

bool HasSha256Pair() {
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0 &&
           __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
  }();
  return has;
}

CCE_SHA_TARGET void Sha256PairBlocks(uint32_t* state_a, const uint8_t* a, uint32_t* state_b,
                                     const uint8_t* b, size_t blocks) {
  Lane one = Load(state_a);
  Lane two = Load(state_b);
  for (; blocks > 0; --blocks, a += 64, b += 64) {
    const Lane before_one = one;
    const Lane before_two = two;
    LoadBlock(one, a);
    LoadBlock(two, b);
#pragma clang loop unroll(full)
    for (size_t group = 0; group < 16; ++group) {
      Rounds(one, group);
      Rounds(two, group);
    }
    one.abef = _mm_add_epi32(one.abef, before_one.abef);
    one.cdgh = _mm_add_epi32(one.cdgh, before_one.cdgh);
    two.abef = _mm_add_epi32(two.abef, before_two.abef);
    two.cdgh = _mm_add_epi32(two.cdgh, before_two.cdgh);
  }
  Store(one, state_a);
  Store(two, state_b);
}

#else

bool HasSha256Pair() { return false; }
void Sha256PairBlocks(uint32_t*, const uint8_t*, uint32_t*, const uint8_t*, size_t) {}

#endif

}  // namespace cce::crypto
