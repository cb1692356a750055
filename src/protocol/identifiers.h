// The identifiers that run through every conversation, and their text forms.
#pragma once

#include <compare>
#include <string>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace cce::protocol {

using DatasetId = ByteArray<20>;  // the address of the dataset's contract
using Wallet = ByteArray<20>;
using Digest32 = ByteArray<32>;   // SHA-256
using JobId = ByteArray<16>;      // random
using Challenge = ByteArray<32>;  // random, one use
using RequestId = ByteArray<16>;  // chosen by the CVM: repeats of one request
using SnapshotId = Digest32;      // tree digest of the sealed index

// "0x" and 40 lower-case hex digits.
std::string AddressText(const ByteArray<20>& address);
// In any case, with or without "0x". For what programs write (paths, documents): no look at the
// EIP-55 checksum that chain::ParseAddress demands of what people type. input.malformed.
Result<ByteArray<20>> AddressFromHex(std::string_view text);

// A required hex member of exactly N bytes; zeros when `fields` has failed (Finish tells).
template <size_t N>
ByteArray<N> HexField(Fields& fields, std::string_view key) {
  ByteArray<N> out{};
  const Bytes bytes = fields.Hex(key, N);
  if (bytes.size() == N) std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

}  // namespace cce::protocol
