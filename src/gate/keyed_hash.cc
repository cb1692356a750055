#include "gate/keyed_hash.h"

#include <algorithm>

#include "gate/siphash.h"

namespace cce::gate {
namespace {

constexpr size_t kSipKey = 16;

SipHash13 Begin(const SecretBytes& key, KeyKind kind) {
  SipHash13 sip(key.Expose().data());
  sip.Byte(static_cast<uint8_t>(kind));
  return sip;
}

}  // namespace

Result<KeyedHash> KeyedHash::New(ByteView key) {
  if (key.size() < kSipKey) return Fail("crypto.bad_key", "the index key is too short");
  KeyedHash out;
  out.key_ = std::make_shared<const SecretBytes>(SecretBytes::CopyOf(key.first(kSipKey)));
  return out;
}

uint64_t KeyedHash::operator()(KeyKind kind, ByteView data) const {
  SipHash13 sip = Begin(*key_, kind);
  sip.Bytes(data);
  return sip.Finish();
}

uint64_t KeyedHash::Cell(KeyKind kind, const Canon& cell) const {
  SipHash13 sip = Begin(*key_, kind);
  if (cell.number) {
    sip.Byte(cell.negative ? 2 : 1);
    sip.BigEndian(cell.mantissa);
    sip.BigEndian(static_cast<uint64_t>(static_cast<int64_t>(cell.exponent)));
  } else {
    sip.Byte(0);
    sip.Bytes(AsBytes(cell.word));
  }
  return sip.Finish();
}

uint64_t KeyedHash::Pair(uint64_t a, uint64_t b) const {
  SipHash13 sip = Begin(*key_, KeyKind::kPair);
  sip.BigEndian(std::min(a, b));
  sip.BigEndian(std::max(a, b));
  return sip.Finish();
}

uint64_t KeyedHash::Row(std::vector<uint64_t>& cells) const {
  std::sort(cells.begin(), cells.end());
  SipHash13 sip = Begin(*key_, KeyKind::kRow);
  for (const uint64_t c : cells) sip.BigEndian(c);
  return sip.Finish();
}

}  // namespace cce::gate
