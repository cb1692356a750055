// EIP-712 typed data, and the three documents that a dataset's owner or reviewer signs with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/signer.h"

namespace cce::chain {

struct Eip712Domain {
  std::string name;
  std::string version;
  uint64_t chain_id = 0;
  EthAddress verifying_contract{};
};

Hash32 HashDomain(const Eip712Domain& domain);
// keccak256(0x19 0x01 || domain separator || struct hash): what is signed.
Hash32 TypedDigest(const Eip712Domain& domain, const Hash32& struct_hash);

// hashStruct(s): fields are added in the order of the type string, which holds all types referred
// to (EIP-712 "encodeType").
class StructHash {
 public:
  explicit StructHash(std::string_view type);
  StructHash& Address(const EthAddress& value);
  StructHash& Uint(uint64_t value);
  StructHash& Uint(const U256& value);
  StructHash& Word(const Hash32& value);       // bytes32, or a nested struct's hash
  StructHash& String(std::string_view value);  // string, bytes
  Hash32 Finish() const;

 private:
  Bytes encoded_;
};

// Domain of all our documents: name "cce4long", version "1", the chain, the dataset's contract.
Eip712Domain DatasetDomain(uint64_t chain_id, const EthAddress& dataset);

// DatasetPolicy(address dataset,uint64 version,bytes32 previous,bytes32 document,string summary)
struct DatasetPolicyDocument {
  EthAddress dataset{};
  uint64_t version = 0;  // 1, 2, ..
  Hash32 previous{};     // SHA-256 of the policy before; zero for the first
  Hash32 document{};     // SHA-256 of the policy's bytes
  std::string summary;   // what a wallet shows to the person who signs
};
Hash32 HashDatasetPolicy(uint64_t chain_id, const DatasetPolicyDocument& policy);

// ReviewDecision(address dataset,bytes32 job,uint64 attempt,bytes32 result,string decision,string
// reason)
struct ReviewDecisionDocument {
  EthAddress dataset{};
  Hash32 job{};
  uint64_t attempt = 0;
  Hash32 result{};  // digest of the result under review
  std::string decision;
  std::string reason;
};
Hash32 HashReviewDecision(uint64_t chain_id, const ReviewDecisionDocument& decision);

// DatasetOrder(address dataset,uint64 number,string action,bytes32 snapshot,string summary)
struct DatasetOrderDocument {
  EthAddress dataset{};
  uint64_t number = 0;  // 1, 2, ..: an order serves once
  std::string action;
  Hash32 snapshot{};    // zero where the order is about the whole dataset
  std::string summary;  // what a wallet shows to the person who signs
};
Hash32 HashDatasetOrder(uint64_t chain_id, const DatasetOrderDocument& order);

// JSON for eth_signTypedData_v4, by which a browser's wallet makes the same digest.
std::string DatasetPolicyTypedData(uint64_t chain_id, const DatasetPolicyDocument& policy);
std::string ReviewDecisionTypedData(uint64_t chain_id, const ReviewDecisionDocument& decision);
std::string DatasetOrderTypedData(uint64_t chain_id, const DatasetOrderDocument& order);

// Errors: as VerifySigner.
Result<> VerifyDatasetPolicy(uint64_t chain_id, const DatasetPolicyDocument& policy,
                             const EthAddress& signer, ByteView signature,
                             const ContractWallets* contracts);
Result<> VerifyReviewDecision(uint64_t chain_id, const ReviewDecisionDocument& decision,
                              const EthAddress& signer, ByteView signature,
                              const ContractWallets* contracts);
Result<> VerifyDatasetOrder(uint64_t chain_id, const DatasetOrderDocument& order,
                            const EthAddress& signer, ByteView signature,
                            const ContractWallets* contracts);

}  // namespace cce::chain
