// Recursive length prefix (Ethereum yellow paper, appendix B): writing only.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "chain/u256.h"

namespace cce::chain {

Bytes RlpBytes(ByteView value);
Bytes RlpUint(const U256& value);  // big-endian without leading zeros
Bytes RlpUint(uint64_t value);
// `items` are encoded already.
Bytes RlpList(const std::vector<Bytes>& items);

}  // namespace cce::chain
