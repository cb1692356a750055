#include "chain/abi.h"

#include <cctype>

#include "crypto/hash.h"

namespace cce::chain {
namespace {

Unexpected Malformed(std::string what) {
  return Fail("chain.malformed", "a contract's answer " + std::move(what));
}

bool ZeroPadded(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

}  // namespace

ByteArray<4> Selector(std::string_view signature) {
  const Hash32 hash = crypto::Keccak256(AsBytes(signature));
  return {hash[0], hash[1], hash[2], hash[3]};
}

Hash32 EventTopic(std::string_view signature) { return crypto::Keccak256(AsBytes(signature)); }

std::string FormatAddress(const EthAddress& address) {
  std::string hex = ToHex(address);
  const Hash32 hash = crypto::Keccak256(AsBytes(hex));
  for (size_t i = 0; i < hex.size(); ++i) {
    const int nibble = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15;
    if (nibble >= 8 && hex[i] >= 'a') hex[i] = static_cast<char>(hex[i] - 'a' + 'A');
  }
  return "0x" + hex;
}

Result<EthAddress> ParseAddress(std::string_view text) {
  const auto bad = [&](std::string why) {
    return Fail(MakeError("input.malformed", "an address " + std::move(why))
                    .Expected("0x and 40 hex digits")
                    .Found(std::string(text.substr(0, 44))));
  };
  if (text.size() != 42 || !text.starts_with("0x")) return bad("has the wrong form");
  const auto address = ArrayFromHex<20>(text.substr(2));
  if (!address) return bad("is not hex");
  const auto any = [&](int (*is)(int)) {
    return std::any_of(text.begin() + 2, text.end(),
                       [&](char c) { return is(static_cast<unsigned char>(c)) != 0; });
  };
  if (any(std::isupper) && any(std::islower) && FormatAddress(*address) != text) {
    return bad("has a wrong EIP-55 checksum: a digit was changed");
  }
  return *address;
}

Result<EthAddress> ParseChecksumAddress(std::string_view text) {
  ASSIGN_OR_RETURN(const EthAddress address, ParseAddress(text));
  if (FormatAddress(address) != text) {
    return Fail(MakeError("input.malformed", "an address lacks the EIP-55 checksum")
                    .Expected(FormatAddress(address))
                    .Found(std::string(text)));
  }
  return address;
}

Hash32 AddressWord(const EthAddress& address) {
  Hash32 word{};
  std::copy(address.begin(), address.end(), word.begin() + 12);
  return word;
}

Hash32 UintWord(uint64_t value) { return U256::From(value).bytes; }

Hash32 BoolWord(bool value) { return UintWord(value ? 1 : 0); }

AbiWriter::AbiWriter(std::string_view signature) {
  const auto selector = Selector(signature);
  selector_.assign(selector.begin(), selector.end());
}

AbiWriter& AbiWriter::Address(const EthAddress& value) { return Word(AddressWord(value)); }
AbiWriter& AbiWriter::Uint(uint64_t value) { return Word(UintWord(value)); }
AbiWriter& AbiWriter::Uint(const U256& value) { return Word(value.bytes); }
AbiWriter& AbiWriter::Bool(bool value) { return Word(BoolWord(value)); }

AbiWriter& AbiWriter::Word(const Hash32& value) {
  slots_.push_back({.word = value});
  return *this;
}

AbiWriter& AbiWriter::Dynamic(ByteView value) {
  Bytes tail = ToBytes(UintWord(value.size()));
  Append(tail, value);
  tail.resize((tail.size() + 31) / 32 * 32);
  slots_.push_back({.dynamic = true, .tail = std::move(tail)});
  return *this;
}

Bytes AbiWriter::Finish() const {
  Bytes out = selector_;
  size_t offset = slots_.size() * 32;
  for (const Slot& slot : slots_) {
    Append(out, slot.dynamic ? UintWord(offset) : slot.word);
    offset += slot.tail.size();
  }
  for (const Slot& slot : slots_) Append(out, slot.tail);
  return out;
}

Result<ByteView> AbiReader::Next() {
  if (data_.size() - at_ < 32) return Malformed("is too short");
  const ByteView word = data_.subspan(at_, 32);
  at_ += 32;
  return word;
}

Result<EthAddress> AbiReader::Address() {
  ASSIGN_OR_RETURN(const ByteView word, Next());
  if (!ZeroPadded(word.first(12))) return Malformed("is not an address");
  return ToArray<20>(word.subspan(12));
}

Result<uint64_t> AbiReader::Uint64() {
  ASSIGN_OR_RETURN(const U256 value, Uint());
  return value.ToU64();
}

Result<U256> AbiReader::Uint() {
  ASSIGN_OR_RETURN(const Hash32 word, Word());
  return U256{word};
}

Result<bool> AbiReader::Bool() {
  ASSIGN_OR_RETURN(const ByteView word, Next());
  if (!ZeroPadded(word.first(31)) || word[31] > 1) return Malformed("is not a bool");
  return word[31] == 1;
}

Result<Hash32> AbiReader::Word() {
  ASSIGN_OR_RETURN(const ByteView word, Next());
  return ToArray<32>(word);
}

Result<Bytes> AbiReader::Dynamic(size_t max) {
  ASSIGN_OR_RETURN(const uint64_t offset, Uint64());
  if (offset > data_.size()) return Malformed("points outside itself");
  AbiReader tail(data_.subspan(offset));
  ASSIGN_OR_RETURN(const uint64_t size, tail.Uint64());
  if (size > max) return Malformed("is larger than asked for");
  const ByteView rest = data_.subspan(offset + 32);
  if (size > rest.size()) return Malformed("is too short");  // first: padding must not overflow
  const size_t padded = (size + 31) / 32 * 32;
  if (padded > rest.size()) return Malformed("is too short");
  if (!ZeroPadded(rest.subspan(size, padded - size))) return Malformed("is not zero-padded");
  return ToBytes(rest.first(size));
}

}  // namespace cce::chain
