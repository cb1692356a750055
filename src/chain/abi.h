// The part of the Solidity contract ABI that our contracts and wallets need: static words, `bytes`
// and `string`. Encoding is by position: each argument has one 32-byte head word, dynamic ones a
// tail.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "chain/u256.h"
#include "crypto/secp256k1.h"

namespace cce::chain {

using crypto::EthAddress;
using Hash32 = ByteArray<32>;

// The first four bytes of Keccak-256 of a signature such as "hasAccess(address)".
ByteArray<4> Selector(std::string_view signature);
// The topic of an event such as "Anchored(address,uint64,bytes32)".
Hash32 EventTopic(std::string_view signature);

// "0x" and 40 hex digits with the EIP-55 checksum.
std::string FormatAddress(const EthAddress& address);
// "0x" and 40 hex digits. Mixed case must carry a right EIP-55 checksum; one case only is taken as
// it is. Errors: input.malformed.
Result<EthAddress> ParseAddress(std::string_view text);
// Only the EIP-55 form.
Result<EthAddress> ParseChecksumAddress(std::string_view text);

// One 32-byte word each.
Hash32 AddressWord(const EthAddress& address);
Hash32 UintWord(uint64_t value);
Hash32 BoolWord(bool value);

// Builds calldata or constructor arguments.
class AbiWriter {
 public:
  AbiWriter() = default;  // constructor arguments: no selector
  explicit AbiWriter(std::string_view signature);
  AbiWriter& Address(const EthAddress& value);
  AbiWriter& Uint(uint64_t value);
  AbiWriter& Uint(const U256& value);
  AbiWriter& Bool(bool value);
  AbiWriter& Word(const Hash32& value);  // bytes32
  AbiWriter& Dynamic(ByteView value);    // bytes, string
  Bytes Finish() const;

 private:
  struct Slot {
    Hash32 word;
    bool dynamic = false;
    Bytes tail;
  };
  Bytes selector_;
  std::vector<Slot> slots_;
};

// Reads returned data, hostile until checked: heads in order, padding must be zero, offsets inside
// the data. Errors: chain.malformed, chain.out_of_range.
class AbiReader {
 public:
  explicit AbiReader(ByteView data) : data_(data) {}
  Result<EthAddress> Address();
  Result<uint64_t> Uint64();
  Result<U256> Uint();
  Result<bool> Bool();
  Result<Hash32> Word();
  Result<Bytes> Dynamic(size_t max);

 private:
  Result<ByteView> Next();
  ByteView data_;
  size_t at_ = 0;
};

}  // namespace cce::chain
