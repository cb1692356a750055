#include "chain/rlp.h"

namespace cce::chain {
namespace {

// `base` is 0x80 for strings, 0xc0 for lists.
Bytes Prefixed(uint8_t base, ByteView payload) {
  Bytes out;
  if (payload.size() < 56) {
    out.push_back(static_cast<uint8_t>(base + payload.size()));
  } else {
    Bytes length;
    for (size_t n = payload.size(); n != 0; n >>= 8) {
      length.insert(length.begin(), static_cast<uint8_t>(n & 0xff));
    }
    out.push_back(static_cast<uint8_t>(base + 55 + length.size()));
    Append(out, length);
  }
  Append(out, payload);
  return out;
}

}  // namespace

Bytes RlpBytes(ByteView value) {
  if (value.size() == 1 && value[0] < 0x80) return {value[0]};
  return Prefixed(0x80, value);
}

Bytes RlpUint(const U256& value) {
  const auto first =
      std::find_if(value.bytes.begin(), value.bytes.end(), [](uint8_t b) { return b != 0; });
  return RlpBytes(ByteView(first, value.bytes.end()));
}

Bytes RlpUint(uint64_t value) { return RlpUint(U256::From(value)); }

Bytes RlpList(const std::vector<Bytes>& items) {
  Bytes payload;
  for (const Bytes& item : items) Append(payload, item);
  return Prefixed(0xc0, payload);
}

}  // namespace cce::chain
