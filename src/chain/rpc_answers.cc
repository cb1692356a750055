#include "chain/rpc_answers.h"

#include <algorithm>
#include <cctype>

namespace cce::chain {
namespace {

Unexpected Malformed(std::string what) {
  return Fail("chain.malformed", "an endpoint's answer is malformed: " + std::move(what));
}

// An endpoint's own words, fit for an error text.
std::string Cleaned(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 200)) out.push_back(c >= ' ' && c < 127 ? c : '?');
  return out;
}

bool Mentions(std::string_view text, std::string_view word) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

Unexpected FromErrorAnswer(const json::value& value, const std::string& name) {
  const json::object* error = value.if_object();
  if (error == nullptr) return Malformed("'error' is no object");
  const json::value* code = error->if_contains("code");
  const json::value* message = error->if_contains("message");
  const json::value* data = error->if_contains("data");
  if (code == nullptr || !code->is_int64() || message == nullptr || !message->is_string()) {
    return Malformed("'error' lacks code or message");
  }
  const std::string_view text = message->get_string();
  // Geth, Reth and anvil give code 3 with the revert data; others only say so.
  if (code->get_int64() == 3 || Mentions(text, "revert")) {
    Error out = MakeError("chain.reverted", "the contract reverted: " + Cleaned(text));
    if (data != nullptr && data->is_string()) {
      out.found = "revert data " + Cleaned(std::string_view(data->get_string()).substr(0, 138));
    }
    return Fail(std::move(out));
  }
  if (Mentions(text, "insufficient funds")) {
    return Fail("chain.insufficient_funds", name + " says: " + Cleaned(text));
  }
  return Fail("chain.refused", name + " answers with error " + std::to_string(code->get_int64()) +
                                   ": " + Cleaned(text));
}

Result<const json::value*> Member(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return Malformed("'" + std::string(key) + "' is missing");
  return value;
}

template <size_t N>
Result<ByteArray<N>> Fixed(const json::object& object, std::string_view key) {
  ASSIGN_OR_RETURN(const json::value* value, Member(object, key));
  ASSIGN_OR_RETURN(const Bytes bytes, ParseData(*value, N));
  if (bytes.size() != N) return Malformed("'" + std::string(key) + "' has the wrong length");
  return ToArray<N>(bytes);
}

Result<uint64_t> Quantity(const json::object& object, std::string_view key) {
  ASSIGN_OR_RETURN(const json::value* value, Member(object, key));
  return ParseQuantity(*value);
}

}  // namespace

Result<json::value> ParseAnswer(std::string_view text, uint64_t id, const std::string& name) {
  auto parsed = ParseJson(text, {.max_bytes = kMaxAnswer, .max_depth = 32});
  if (!parsed) return Malformed(name + ": " + parsed.error().message);
  json::object* root = parsed->if_object();
  if (root == nullptr) return Malformed(name + ": not an object");
  const json::value* version = root->if_contains("jsonrpc");
  const json::value* answered = root->if_contains("id");
  if (version == nullptr || *version != json::value("2.0")) {
    return Malformed(name + ": not JSON-RPC 2.0");
  }
  const bool same_id =
      answered != nullptr && ((answered->is_int64() && std::cmp_equal(answered->get_int64(), id)) ||
                              (answered->is_uint64() && answered->get_uint64() == id));
  if (!same_id) return Malformed(name + ": the answer is to another request");
  const json::value* error = root->if_contains("error");
  json::value* result = root->if_contains("result");
  if (error != nullptr && !error->is_null()) return FromErrorAnswer(*error, name);
  if (result == nullptr) return Malformed(name + ": neither result nor error");
  return std::move(*result);
}

Result<Bytes> ParseData(const json::value& value, size_t max) {
  if (!value.is_string()) return Malformed("data is no text");
  const std::string_view text = value.get_string();
  if (!text.starts_with("0x")) return Malformed("data lacks 0x");
  if (text.size() > 2 + 2 * max) {
    return Malformed("data is larger than " + std::to_string(max) + " bytes");
  }
  auto bytes = FromHex(text.substr(2));
  if (!bytes) return Malformed("data is not hex");
  return std::move(*bytes);
}

Result<U256> ParseQuantity256(const json::value& value) {
  if (!value.is_string()) return Malformed("a quantity is no text");
  auto number = U256::FromQuantity(std::string_view(value.get_string()));
  if (!number) return Malformed(number.error().message);
  return *number;
}

Result<uint64_t> ParseQuantity(const json::value& value) {
  ASSIGN_OR_RETURN(const U256 number, ParseQuantity256(value));
  const auto small = number.ToU64();
  if (!small) return Malformed(small.error().message);
  return *small;
}

Result<std::optional<Block>> ParseBlock(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const json::object* object = value.if_object();
  if (object == nullptr) return Malformed("a block is no object");
  Block block;
  ASSIGN_OR_RETURN(block.number, Quantity(*object, "number"));
  ASSIGN_OR_RETURN(block.hash, Fixed<32>(*object, "hash"));
  ASSIGN_OR_RETURN(const uint64_t time, Quantity(*object, "timestamp"));
  // Beyond the year 9999 no caller can print or compare it.
  if (time > 253'402'300'799) return Malformed("a block's time is out of range");
  block.time = static_cast<UnixSeconds>(time);
  if (const json::value* fee = object->if_contains("baseFeePerGas"); fee && !fee->is_null()) {
    ASSIGN_OR_RETURN(block.base_fee, ParseQuantity256(*fee));
  }
  return block;
}

Result<std::optional<Receipt>> ParseReceipt(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const json::object* object = value.if_object();
  if (object == nullptr) return Malformed("a receipt is no object");
  const json::value* number = object->if_contains("blockNumber");
  if (number != nullptr && number->is_null()) return std::nullopt;  // not mined yet
  Receipt out;
  ASSIGN_OR_RETURN(out.transaction, Fixed<32>(*object, "transactionHash"));
  ASSIGN_OR_RETURN(out.block_number, Quantity(*object, "blockNumber"));
  ASSIGN_OR_RETURN(out.block_hash, Fixed<32>(*object, "blockHash"));
  ASSIGN_OR_RETURN(const uint64_t status, Quantity(*object, "status"));
  if (status > 1) return Malformed("a receipt's status is neither 0 nor 1");
  out.succeeded = status == 1;
  ASSIGN_OR_RETURN(out.gas_used, Quantity(*object, "gasUsed"));
  if (const json::value* made = object->if_contains("contractAddress"); made && !made->is_null()) {
    ASSIGN_OR_RETURN(out.contract, Fixed<20>(*object, "contractAddress"));
  }
  return out;
}

}  // namespace cce::chain
