// secp256k1 for Ethereum: keys, recoverable signatures, addresses (libsecp256k1).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::crypto {

using EthAddress = ByteArray<20>;
// r || s || v with v = 27 or 28, s low (EIP-2), as wallets return it.
using EthSignature = ByteArray<65>;

// `key` of 32 bytes.
Result<EthAddress> EthAddressOf(const SecretBytes& key);
Result<EthSignature> EthSignDigest(const SecretBytes& key, ByteView digest32);
// The signer's address. Refuses high s, v other than 27/28 (0/1 are taken as such), wrong sizes.
Result<EthAddress> EthRecover(ByteView digest32, ByteView signature65);

}  // namespace cce::crypto
