// Ed25519 (RFC 8032): the log key's signatures.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::crypto {

using Ed25519PublicKey = ByteArray<32>;
using Ed25519Signature = ByteArray<64>;

// `seed` of 32 bytes.
Result<Ed25519PublicKey> Ed25519PublicFromSeed(ByteView seed);
Result<Ed25519Signature> Ed25519Sign(ByteView seed, ByteView message);
Result<> Ed25519Verify(ByteView public_key, ByteView message, ByteView signature);

}  // namespace cce::crypto
