#include "privacy_plane/api/routes.h"

namespace cce::privacy_plane {
namespace {

// To a CVM every refusal is a code and the table's sentence.
net::Response AnswerCvm(const Result<json::object>& result) {
  return result ? net::Response::Json(*result) : net::Response::Problem(CodeOnly(result.error()));
}

Result<json::object> Challenge(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::ChallengeRequest message, protocol::ReadChallengeRequest(text));
  ASSIGN_OR_RETURN(const protocol::ChallengeReply reply, modules.key_release.Challenge(message));
  return protocol::ToJsonObject(reply);
}

// The reply goes out as the journal holds it, byte for byte.
Result<net::Response> Keys(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::KeysRequest message, protocol::ReadKeysRequest(text));
  ASSIGN_OR_RETURN(const std::string reply, modules.key_release.Release(message));
  return net::Response::Text(reply, "application/json");
}

Result<json::object> End(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::CvmEnd message, protocol::ReadCvmEnd(text));
  TRY(modules.controller.HandleEnd(message));
  return json::object{};
}

Result<json::object> TakeResult(Modules& modules, net::Request& request) {
  TRY(modules.output_gate.Take(request.body));
  return json::object{};
}

}  // namespace

void AddCvmRoutes(net::Router& router, Modules& modules) {
  router.Add("POST", "/v1/cvm/challenge",
             [&modules](net::Request& request) { return AnswerCvm(Challenge(modules, request)); });
  router.Add("POST", "/v1/cvm/keys", [&modules](net::Request& request) {
    Result<net::Response> response = Keys(modules, request);
    return response ? std::move(*response) : net::Response::Problem(CodeOnly(response.error()));
  });
  router.Add("POST", "/v1/cvm/end",
             [&modules](net::Request& request) { return AnswerCvm(End(modules, request)); });
  router.Add(
      "POST", "/v1/cvm/result",
      [&modules](net::Request& request) { return AnswerCvm(TakeResult(modules, request)); },
      modules.core.config.max_output_bytes + protocol::kMaxResultHeader + (1 << 20));
}

}  // namespace cce::privacy_plane
