// Sign-in with Ethereum: EIP-4361 messages, read by their ABNF and nothing looser, and their
// verification. Which message we sign is in docs/formats/chain.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "chain/signer.h"

namespace cce::chain {

constexpr size_t kMaxSiweSize = 8192;

struct SiweMessage {
  std::optional<std::string> scheme;
  std::string domain;  // RFC 3986 authority, not empty
  EthAddress address{};
  std::optional<std::string> statement;
  std::string uri;
  uint64_t chain_id = 0;
  std::string nonce;                           // 8 or more letters and digits
  std::string issued_at;                       // RFC 3339, as written
  std::optional<std::string> expiration_time;  // RFC 3339
  std::optional<std::string> not_before;       // RFC 3339
  std::optional<std::string> request_id;
  std::optional<std::vector<std::string>> resources;

  friend bool operator==(const SiweMessage&, const SiweMessage&) = default;
};

// Errors: signin.malformed (which line, and what was expected there).
Result<SiweMessage> ParseSiwe(std::string_view text);
// The message's text; fails where a field could not be read back. ParseSiwe(RenderSiwe(m)) == m.
Result<std::string> RenderSiwe(const SiweMessage& message);

struct SiweExpectations {
  std::string domain;
  std::string uri;
  uint64_t chain_id = 0;
  std::string nonce;
  UnixSeconds now = 0;
  // Exactly these, in this order. None: not checked.
  std::optional<std::vector<std::string>> resources;
  // Messages need an expiration time, at most this far after issue; 0: not asked for.
  int64_t max_lifetime = 0;
  // A message may be issued this far ahead of `now` (clocks differ).
  int64_t max_ahead = 300;
};

// Reads and checks a signed message. Cheap checks first, the signature last. `contracts` may be
// null: then contract wallets are refused. Errors: signin.malformed, signin.domain, signin.uri,
// signin.chain_id, signin.nonce, signin.expired, signin.not_yet_valid, signin.resources,
// signin.signature; those of ChainClient.
Result<SiweMessage> VerifySiwe(std::string_view text, ByteView signature,
                               const SiweExpectations& expected, const ContractWallets* contracts);

}  // namespace cce::chain
