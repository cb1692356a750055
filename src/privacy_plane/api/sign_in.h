// Sign-in at cced: nonces, EIP-4361 messages for one purpose, bearer tokens. Thread-safe.
#pragma once

#include <map>
#include <mutex>

#include "privacy_plane/core.h"
#include "protocol/sign_in.h"

namespace cce::privacy_plane {

class SignIn {
 public:
  explicit SignIn(Core& core) : core_(core) {}

  // Kept in memory for ten minutes, spent by the message that uses it. Error: signin.too_many.
  Result<protocol::NonceReply> NewNonce();

  // Verifies a message whose resources are the identity's and `resource`; gives the wallet. The
  // nonce is spent whether the message is good or not. Errors: signin.*, time.*, chain.*.
  Result<Wallet> Verify(const protocol::SignInRequest& request, const std::string& resource);

  // POST /v1/tokens: the purpose is the second resource. Errors: as Verify; signin.not_owner,
  // dataset.unknown.
  Result<protocol::TokenReply> IssueToken(const protocol::SignInRequest& request);
  Result<> RevokeToken(std::string_view token);

  // The record behind "Authorization: Bearer ..."; signin.token where it is unknown, revoked,
  // expired or serves another purpose.
  Result<TokenRecord> Authorize(const std::map<std::string, std::string>& headers,
                                TokenRecord::Purpose purpose) const;

 private:
  Result<> SpendNonce(const std::string& nonce, UnixSeconds now);
  Result<protocol::TokenReply> MakeToken(TokenRecord token);

  Core& core_;
  std::mutex mutex_;
  std::map<std::string, UnixSeconds> nonces_;  // -> expiry
};

// The token of "Authorization: Bearer TOKEN", or signin.token.
Result<std::string> BearerToken(const std::map<std::string, std::string>& headers);

}  // namespace cce::privacy_plane
