// The connection to a cced that has proved what it is. Before anything else is sent, the identity
// document is fetched with a fresh challenge, its evidence verified, and the connection's TLS key
// found in it; every later connection of the command is pinned to that key.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "attest/policy.h"
#include "attest/verdict.h"
#include "cli/settings.h"
#include "cli/wallet.h"
#include "manifest/verify.h"
#include "net/http_client.h"
#include "protocol/identity.h"
#include "protocol/sign_in.h"

namespace cce::cli {

struct ProvedIdentity {
  protocol::IdentityDocument document;
  Bytes bytes;
  protocol::Digest32 hash{};
  attest::Verdict verdict;  // accepted
  // What makes this a development cced: its own list, and its root if that is no vendor's.
  std::vector<std::string> development;
};

// GET /v1/identity at `server` and everything that proves it under `policy`. Errors: evidence.*,
// trust.tls_key, net.*, input.*.
Result<ProvedIdentity> ProveIdentity(const std::string& server, const attest::Policy& policy);
// Error: trust.development where there are development parts and they are not allowed.
Result<> CheckDevelopment(const ProvedIdentity& identity, const Settings& settings);

// The trust file; no engine where it does not exist. Errors: config.invalid, io.*.
Result<manifest::Trust> LoadTrust(const Settings& settings);

class Client {
 public:
  // To the settings' server, as the trust file has it. Errors: trust.unknown, trust.changed and
  // those of ProveIdentity and CheckDevelopment.
  static Result<Client> Connect(const Settings& settings);

  const ProvedIdentity& identity() const { return identity_; }
  const crypto::P256PublicKey& identity_key() const { return identity_.document.identity_key; }
  uint64_t chain_id() const { return identity_.document.chain_id; }
  const std::string& server() const { return options_.base_url; }

  // One more connection of its own, to the same key: for another thread.
  Result<std::unique_ptr<net::HttpClient>> NewConnection() const;

  // Requests; `token`: bearer, may be empty. The answer's text. Errors: the server's, net.*.
  Result<std::string> Get(const std::string& path, const std::string& token = {});
  Result<std::string> Send(const std::string& method, const std::string& path,
                           const std::string& token, const json::object& body);
  Result<std::string> Send(const std::string& method, const std::string& path, Bytes body);
  // Downloads to a sink.
  Result<> Download(const std::string& path, const std::string& token,
                    std::function<Result<>(ByteView)> sink);

  // A signed EIP-4361 message over a fresh nonce, for the one purpose that `resource` names;
  // `statement` is what a person reads. Errors: signin.*.
  Result<protocol::SignInRequest> SignIn(const Wallet& wallet, const std::string& resource,
                                         const std::string& statement);
  // The same, exchanged for a bearer token.
  Result<protocol::TokenReply> Token(const Wallet& wallet, const std::string& resource,
                                     const std::string& statement);

 private:
  Client() = default;
  Result<std::string> Ask(net::ClientRequest request, const std::string& token);

  net::ClientOptions options_;
  ProvedIdentity identity_;
  std::unique_ptr<net::HttpClient> http_;
};

// "https://host:port/..." -> "host:port".
std::string AuthorityOf(const std::string& url);

}  // namespace cce::cli
