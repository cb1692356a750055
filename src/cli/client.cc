#include "cli/client.h"

#include <algorithm>

#include "attest/collateral.h"
#include "attest/verify.h"
#include "base/clock.h"
#include "chain/siwe.h"
#include "crypto/hash.h"

namespace cce::cli {
namespace {

constexpr int64_t kMessageLifetime = 600;  // seconds
constexpr size_t kMaxAnswer = size_t{64} << 20;

const manifest::TrustedCced* FindTrusted(const manifest::Trust& trust, const std::string& server) {
  const auto it = std::ranges::find_if(trust.engines, [&](const manifest::TrustedCced& engine) {
    std::string url = engine.url;
    while (url.ends_with('/')) url.pop_back();
    return url == server;
  });
  return it == trust.engines.end() ? nullptr : &*it;
}

}  // namespace

std::string AuthorityOf(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(start, url.find_first_of("/?#", start) - start);
}

Result<ProvedIdentity> ProveIdentity(const std::string& server, const attest::Policy& policy) {
  net::ClientOptions options;
  options.base_url = server;
  options.any_server_key = true;
  options.total_timeout = std::chrono::seconds(30);
  ASSIGN_OR_RETURN(const auto http, net::HttpClient::New(options));
  const auto challenge = crypto::RandomArray<32>();
  ASSIGN_OR_RETURN(const net::ClientResponse answer,
                   http->Get("/v1/identity?challenge=" + ToHex(challenge)));
  ASSIGN_OR_RETURN(protocol::IdentityReply reply, protocol::ReadIdentityReply(AsText(answer.body)));
  ASSIGN_OR_RETURN(const attest::Collateral collateral, attest::ParseBundle(reply.collateral));
  ProvedIdentity proved;
  proved.verdict = attest::VerifyBytes(
      reply.evidence, collateral, policy, SystemClock().Now(),
      attest::ExpectedBinding(protocol::IdentityReportData(challenge, reply.document)));
  if (!proved.verdict.accepted) return Fail(attest::ToError(proved.verdict));
  // From here on the document is the attested machine's word.
  ASSIGN_OR_RETURN(proved.document, protocol::DecodeIdentity(reply.document));
  const std::optional<net::SpkiHash> shown = http->server_key();
  if (shown != proved.document.tls_key) {
    return Fail(
        MakeError("trust.tls_key", "the connection does not end in the cced that was attested")
            .Expected("TLS key " + ToHex(proved.document.tls_key))
            .Found(shown ? ToHex(*shown) : "none"));
  }
  proved.bytes = std::move(reply.document);
  proved.hash = protocol::IdentityHash(proved.bytes);
  proved.development = proved.document.development;
  if (proved.verdict.development) {
    proved.development.push_back("TEE: its root '" + proved.verdict.root + "' is no vendor's");
  }
  return proved;
}

Result<> CheckDevelopment(const ProvedIdentity& identity, const Settings& settings) {
  if (identity.development.empty() || settings.allow_development) return {};
  std::string parts;
  for (const std::string& part : identity.development) {
    parts += (parts.empty() ? "" : "; ") + part;
  }
  return Fail(MakeError("trust.development", "this cced has development parts")
                  .Expected("none")
                  .Found(parts));
}

Result<manifest::Trust> LoadTrust(const Settings& settings) {
  const Result<Document> document = LoadToml(settings.trust);
  if (!document) {
    if (document.error().code == "io.not_found") return manifest::Trust{};
    return Fail(document.error());
  }
  return manifest::ReadTrust(*document);
}

Result<Client> Client::Connect(const Settings& settings) {
  ASSIGN_OR_RETURN(const std::string server, NeedServer(settings));
  ASSIGN_OR_RETURN(const manifest::Trust trust, LoadTrust(settings));
  const manifest::TrustedCced* trusted = FindTrusted(trust, server);
  if (trusted == nullptr) {
    return Fail(MakeError("trust.unknown", "the trust file does not name " + server)
                    .Expected("a [[cced]] of this URL in " + settings.trust)
                    .Next("cce trust add --server " + server + " --attestation POLICY.toml"));
  }
  Client client;
  ASSIGN_OR_RETURN(client.identity_, ProveIdentity(server, trusted->attestation));
  const ProvedIdentity& identity = client.identity_;
  if (identity.hash != trusted->identity ||
      identity.document.identity_key != trusted->identity_key) {
    return Fail(MakeError("trust.changed", "the identity document is not the one that was pinned")
                    .Expected(ToHex(trusted->identity))
                    .Found(ToHex(identity.hash)));
  }
  TRY(CheckDevelopment(identity, settings));
  if (settings.chain_id != 0 && settings.chain_id != identity.document.chain_id) {
    return Fail(MakeError("chain.wrong_chain", "cced serves another chain than the settings name")
                    .Expected(std::to_string(settings.chain_id))
                    .Found(std::to_string(identity.document.chain_id)));
  }
  client.options_.base_url = server;
  client.options_.pinned_spki_sha256 = {identity.document.tls_key};
  ASSIGN_OR_RETURN(client.http_, client.NewConnection());
  return client;
}

Result<std::unique_ptr<net::HttpClient>> Client::NewConnection() const {
  return net::HttpClient::New(options_);
}

Result<std::string> Client::Ask(net::ClientRequest request, const std::string& token) {
  if (!token.empty()) request.headers["Authorization"] = "Bearer " + token;
  request.max_response = kMaxAnswer;
  ASSIGN_OR_RETURN(const net::ClientResponse answer, http_->SendOk(request));
  return std::string(AsText(answer.body));
}

Result<std::string> Client::Get(const std::string& path, const std::string& token) {
  net::ClientRequest request;
  request.path = path;
  return Ask(std::move(request), token);
}

Result<std::string> Client::Send(const std::string& method, const std::string& path,
                                 const std::string& token, const json::object& body) {
  net::ClientRequest request;
  request.method = method;
  request.path = path;
  request.headers["Content-Type"] = "application/json";
  request.body = ToBytes(ToJson(body));
  return Ask(std::move(request), token);
}

Result<std::string> Client::Send(const std::string& method, const std::string& path, Bytes body) {
  net::ClientRequest request;
  request.method = method;
  request.path = path;
  request.headers["Content-Type"] = "application/json";
  request.body = std::move(body);
  return Ask(std::move(request), {});
}

Result<> Client::Download(const std::string& path, const std::string& token,
                          std::function<Result<>(ByteView)> sink) {
  net::ClientRequest request;
  request.path = path;
  request.sink = std::move(sink);
  TRY(Ask(std::move(request), token));
  return {};
}

Result<protocol::SignInRequest> Client::SignIn(const Wallet& wallet, const std::string& resource,
                                               const std::string& statement) {
  ASSIGN_OR_RETURN(const std::string text, Send("POST", "/v1/nonces", "", json::object{}));
  ASSIGN_OR_RETURN(const protocol::NonceReply nonce, protocol::ReadNonceReply(text));
  const UnixSeconds now = SystemClock().Now();
  chain::SiweMessage message;
  message.domain = AuthorityOf(server());
  message.address = wallet.address;
  message.statement = statement;
  message.uri = server();
  message.chain_id = chain_id();
  message.nonce = nonce.nonce;
  message.issued_at = FormatTime(now);
  message.expiration_time = FormatTime(now + kMessageLifetime);
  message.resources = {protocol::IdentityResource(identity_.hash), resource};
  protocol::SignInRequest request;
  ASSIGN_OR_RETURN(request.message, chain::RenderSiwe(message));
  ASSIGN_OR_RETURN(const crypto::EthSignature signature,
                   crypto::EthSignDigest(wallet.key, chain::PersonalDigest(request.message)));
  request.signature = ToBytes(signature);
  return request;
}

Result<protocol::TokenReply> Client::Token(const Wallet& wallet, const std::string& resource,
                                           const std::string& statement) {
  ASSIGN_OR_RETURN(const protocol::SignInRequest request, SignIn(wallet, resource, statement));
  ASSIGN_OR_RETURN(const std::string text,
                   Send("POST", "/v1/tokens", "", protocol::ToJsonObject(request)));
  return protocol::ReadTokenReply(text);
}

}  // namespace cce::cli
