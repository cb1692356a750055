#include "chain/eip712.h"

#include "crypto/hash.h"

namespace cce::chain {
namespace {

constexpr std::string_view kDomainType =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
constexpr std::string_view kDatasetPolicyType =
    "DatasetPolicy(address dataset,uint64 version,bytes32 previous,bytes32 document,string "
    "summary)";
constexpr std::string_view kReviewDecisionType =
    "ReviewDecision(address dataset,bytes32 job,uint64 attempt,bytes32 result,string decision,"
    "string reason)";
constexpr std::string_view kDatasetOrderType =
    "DatasetOrder(address dataset,uint64 number,string action,bytes32 snapshot,string summary)";

std::string Hex(ByteView bytes) { return "0x" + ToHex(bytes); }

// "Name(type a,type b)" as the list of members that eth_signTypedData_v4 takes.
json::array Members(std::string_view type) {
  json::array members;
  std::string_view rest = type.substr(type.find('(') + 1);
  rest.remove_suffix(1);
  while (!rest.empty()) {
    const std::string_view member = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), member.size() + 1));
    const size_t space = member.find(' ');
    members.push_back({{"name", member.substr(space + 1)}, {"type", member.substr(0, space)}});
  }
  return members;
}

std::string TypedData(const Eip712Domain& domain, std::string_view type, json::object message) {
  const std::string_view name = type.substr(0, type.find('('));
  json::object types;
  types["EIP712Domain"] = Members(kDomainType);
  types[name] = Members(type);
  json::object root;
  root["types"] = std::move(types);
  root["primaryType"] = name;
  root["domain"] = {{"name", domain.name},
                    {"version", domain.version},
                    {"chainId", domain.chain_id},
                    {"verifyingContract", FormatAddress(domain.verifying_contract)}};
  root["message"] = std::move(message);
  return ToJson(root);
}

}  // namespace

StructHash::StructHash(std::string_view type) : encoded_(ToBytes(EventTopic(type))) {}

StructHash& StructHash::Address(const EthAddress& value) { return Word(AddressWord(value)); }
StructHash& StructHash::Uint(uint64_t value) { return Word(UintWord(value)); }
StructHash& StructHash::Uint(const U256& value) { return Word(value.bytes); }
StructHash& StructHash::String(std::string_view value) {
  return Word(crypto::Keccak256(AsBytes(value)));
}

StructHash& StructHash::Word(const Hash32& value) {
  Append(encoded_, value);
  return *this;
}

Hash32 StructHash::Finish() const { return crypto::Keccak256(encoded_); }

Hash32 HashDomain(const Eip712Domain& domain) {
  return StructHash(kDomainType)
      .String(domain.name)
      .String(domain.version)
      .Uint(domain.chain_id)
      .Address(domain.verifying_contract)
      .Finish();
}

Hash32 TypedDigest(const Eip712Domain& domain, const Hash32& struct_hash) {
  Bytes message = {0x19, 0x01};
  Append(message, HashDomain(domain));
  Append(message, struct_hash);
  return crypto::Keccak256(message);
}

Eip712Domain DatasetDomain(uint64_t chain_id, const EthAddress& dataset) {
  return {.name = "cce4long", .version = "1", .chain_id = chain_id, .verifying_contract = dataset};
}

Hash32 HashDatasetPolicy(uint64_t chain_id, const DatasetPolicyDocument& policy) {
  const Hash32 fields = StructHash(kDatasetPolicyType)
                            .Address(policy.dataset)
                            .Uint(policy.version)
                            .Word(policy.previous)
                            .Word(policy.document)
                            .String(policy.summary)
                            .Finish();
  return TypedDigest(DatasetDomain(chain_id, policy.dataset), fields);
}

Hash32 HashReviewDecision(uint64_t chain_id, const ReviewDecisionDocument& decision) {
  const Hash32 fields = StructHash(kReviewDecisionType)
                            .Address(decision.dataset)
                            .Word(decision.job)
                            .Uint(decision.attempt)
                            .Word(decision.result)
                            .String(decision.decision)
                            .String(decision.reason)
                            .Finish();
  return TypedDigest(DatasetDomain(chain_id, decision.dataset), fields);
}

Hash32 HashDatasetOrder(uint64_t chain_id, const DatasetOrderDocument& order) {
  const Hash32 fields = StructHash(kDatasetOrderType)
                            .Address(order.dataset)
                            .Uint(order.number)
                            .String(order.action)
                            .Word(order.snapshot)
                            .String(order.summary)
                            .Finish();
  return TypedDigest(DatasetDomain(chain_id, order.dataset), fields);
}

std::string DatasetPolicyTypedData(uint64_t chain_id, const DatasetPolicyDocument& policy) {
  return TypedData(DatasetDomain(chain_id, policy.dataset), kDatasetPolicyType,
                   {{"dataset", FormatAddress(policy.dataset)},
                    {"version", std::to_string(policy.version)},
                    {"previous", Hex(policy.previous)},
                    {"document", Hex(policy.document)},
                    {"summary", policy.summary}});
}

std::string ReviewDecisionTypedData(uint64_t chain_id, const ReviewDecisionDocument& decision) {
  return TypedData(DatasetDomain(chain_id, decision.dataset), kReviewDecisionType,
                   {{"dataset", FormatAddress(decision.dataset)},
                    {"job", Hex(decision.job)},
                    {"attempt", std::to_string(decision.attempt)},
                    {"result", Hex(decision.result)},
                    {"decision", decision.decision},
                    {"reason", decision.reason}});
}

std::string DatasetOrderTypedData(uint64_t chain_id, const DatasetOrderDocument& order) {
  return TypedData(DatasetDomain(chain_id, order.dataset), kDatasetOrderType,
                   {{"dataset", FormatAddress(order.dataset)},
                    {"number", std::to_string(order.number)},
                    {"action", order.action},
                    {"snapshot", Hex(order.snapshot)},
                    {"summary", order.summary}});
}

Result<> VerifyDatasetPolicy(uint64_t chain_id, const DatasetPolicyDocument& policy,
                             const EthAddress& signer, ByteView signature,
                             const ContractWallets* contracts) {
  return VerifySigner(signer, HashDatasetPolicy(chain_id, policy), signature, contracts);
}

Result<> VerifyReviewDecision(uint64_t chain_id, const ReviewDecisionDocument& decision,
                              const EthAddress& signer, ByteView signature,
                              const ContractWallets* contracts) {
  return VerifySigner(signer, HashReviewDecision(chain_id, decision), signature, contracts);
}

Result<> VerifyDatasetOrder(uint64_t chain_id, const DatasetOrderDocument& order,
                            const EthAddress& signer, ByteView signature,
                            const ContractWallets* contracts) {
  return VerifySigner(signer, HashDatasetOrder(chain_id, order), signature, contracts);
}

}  // namespace cce::chain
