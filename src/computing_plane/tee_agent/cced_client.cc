#include "computing_plane/tee_agent/cced_client.h"

#include <algorithm>

namespace cce::tee_agent {
namespace {

constexpr std::string_view kTransient[] = {
    "net.unreachable", "net.timeout",  "net.tls",           "net.closed",
    "net.bad_answer",  "http.busy",    "chain.unreachable", "internal.unavailable",
    "store.timeout",   "store.failed", "store.unreachable", "store.not_mounted",
};
constexpr size_t kMaxAnswer = size_t{5} << 20;

}  // namespace

bool IsTransient(const Error& error) {
  return std::ranges::find(kTransient, error.code) != std::end(kTransient);
}

Result<std::unique_ptr<net::HttpClient>> PinnedClient(const std::string& socket_path,
                                                      const protocol::Digest32& tls_key) {
  return net::HttpClient::New({.base_url = "https://cced",
                               .pinned_spki_sha256 = {tls_key},
                               .unix_socket_path = socket_path,
                               .connect_timeout = std::chrono::seconds(30)});
}

Result<std::unique_ptr<CcedClient>> CcedClient::New(const std::string& socket_path,
                                                    const protocol::Digest32& tls_key,
                                                    const RetryRule& rule) {
  ASSIGN_OR_RETURN(auto http, PinnedClient(socket_path, tls_key));
  return std::unique_ptr<CcedClient>(new CcedClient(std::move(http), rule));
}

Result<net::ClientResponse> CcedClient::Expect(const net::ClientRequest& request) {
  refused_ = false;
  ASSIGN_OR_RETURN(net::ClientResponse response, http_->Send(request));
  refused_ = response.status >= 300;
  return net::ExpectOk(std::move(response));
}

Result<std::string> CcedClient::Post(const std::string& path, const json::object& message) {
  net::ClientRequest request{.method = "POST",
                             .path = path,
                             .headers = {{"content-type", "application/json"}},
                             .body = ToBytes(ToJson(message)),
                             .max_response = kMaxAnswer};
  return Repeat(rule_, [&]() -> Result<std::string> {
    ASSIGN_OR_RETURN(const net::ClientResponse response, Expect(request));
    return std::string(AsText(response.body));
  });
}

Result<protocol::ChallengeReply> CcedClient::Challenge(const std::string& credential) {
  ASSIGN_OR_RETURN(
      const std::string answer,
      Post("/v1/cvm/challenge", protocol::ToJsonObject(protocol::ChallengeRequest{credential})));
  return protocol::ReadChallengeReply(answer);
}

Result<protocol::KeysReply> CcedClient::Keys(const protocol::KeysRequest& request) {
  ASSIGN_OR_RETURN(const std::string answer, Post("/v1/cvm/keys", protocol::ToJsonObject(request)));
  return protocol::ReadKeysReply(answer);
}

Result<> CcedClient::End(const protocol::CvmEnd& end) {
  TRY(Post("/v1/cvm/end", protocol::ToJsonObject(end)));
  return {};
}

Result<> CcedClient::Send(const net::ClientRequest& request) {
  TRY(Expect(request));
  return {};
}

}  // namespace cce::tee_agent
