#include "privacy_plane/api/routes.h"

namespace cce::privacy_plane {
namespace {

Result<json::object> Identity(Core& core, const net::Request& request) {
  const auto text = request.query.find("challenge");
  if (text == request.query.end()) {
    return Fail(MakeError("input.missing_member", "challenge: required, but absent")
                    .Expected("?challenge= and 64 hex digits"));
  }
  ASSIGN_OR_RETURN(const auto challenge, ArrayFromHex<32>(text->second));
  ASSIGN_OR_RETURN(
      TeeVerifier::OwnEvidence own,
      core.verifier->AttestSelf(protocol::IdentityReportData(challenge, core.identity_bytes)));
  return protocol::ToJsonObject(
      protocol::IdentityReply{core.identity_bytes, std::move(own.evidence), own.collateral});
}

Result<json::object> Nonce(SignIn& sign_in) {
  ASSIGN_OR_RETURN(const protocol::NonceReply reply, sign_in.NewNonce());
  return protocol::ToJsonObject(reply);
}

Result<json::object> IssueToken(SignIn& sign_in, net::Request& request) {
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::SignInRequest message, protocol::ReadSignInRequest(text));
  ASSIGN_OR_RETURN(const protocol::TokenReply reply, sign_in.IssueToken(message));
  return protocol::ToJsonObject(reply);
}

Result<json::object> RevokeToken(SignIn& sign_in, const net::Request& request) {
  ASSIGN_OR_RETURN(const std::string token, BearerToken(request.headers));
  TRY(sign_in.RevokeToken(token));
  return json::object{};
}

}  // namespace

void AddIdentityRoutes(net::Router& router, Modules& modules) {
  router.Add("GET", "/v1/identity",
             [&modules](net::Request& request) { return Answer(Identity(modules.core, request)); });
  router.Add("POST", "/v1/nonces",
             [&modules](net::Request&) { return Answer(Nonce(modules.sign_in)); });
  router.Add("POST", "/v1/tokens", [&modules](net::Request& request) {
    return Answer(IssueToken(modules.sign_in, request));
  });
  router.Add("DELETE", "/v1/tokens", [&modules](net::Request& request) {
    return Answer(RevokeToken(modules.sign_in, request));
  });
}

}  // namespace cce::privacy_plane
