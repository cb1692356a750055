// Private to src/crypto: SHA-256's compression of two streams at once. OpenSSL and libipsec-mb
// compress one at a time, or many whole messages; an object's content and ciphertext are two
// streams that grow together. The x86 SHA instructions have twice the throughput of their latency,
// so two cost little more than one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cce::crypto {

// Whether this CPU has the instructions.
bool HasSha256Pair();

// Compresses `blocks` blocks of 64 bytes into each state (FIPS 180-4, H0 to H7). Only where
// HasSha256Pair.
void Sha256PairBlocks(uint32_t* state_a, const uint8_t* a, uint32_t* state_b, const uint8_t* b,
                      size_t blocks);

}  // namespace cce::crypto
