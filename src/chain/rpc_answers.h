// Reading what a JSON-RPC endpoint answers. Members that are not asked for are let be: nodes differ
// in them.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "chain/rpc.h"

namespace cce::chain {

// Answers are at most this large (a block with all its transaction hashes stays far below).
constexpr size_t kMaxAnswer = size_t{4} << 20;

// The answer's `result`. `name` is the endpoint's, for errors. Errors: chain.malformed; for an
// error answer chain.reverted, chain.insufficient_funds, else chain.refused.
Result<json::value> ParseAnswer(std::string_view text, uint64_t id, const std::string& name);

// All: chain.malformed.
Result<Bytes> ParseData(const json::value& value, size_t max);
Result<uint64_t> ParseQuantity(const json::value& value);
Result<U256> ParseQuantity256(const json::value& value);
// null gives none.
Result<std::optional<Block>> ParseBlock(const json::value& value);
Result<std::optional<Receipt>> ParseReceipt(const json::value& value);

}  // namespace cce::chain
