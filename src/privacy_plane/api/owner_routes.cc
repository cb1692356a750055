#include "privacy_plane/api/routes.h"

namespace cce::privacy_plane {
namespace {

Result<json::object> Jobs(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, OwnerToken(modules, request));
  return modules.output_gate.OwnerJobs(token.dataset);
}

Result<json::object> Job(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, OwnerToken(modules, request));
  ASSIGN_OR_RETURN(const JobId job, ArrayFromHex<16>(request.params.at("job")));
  return modules.output_gate.OwnerJob(token.dataset, job);
}

Result<json::object> Decide(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, OwnerToken(modules, request));
  ASSIGN_OR_RETURN(const JobId job, ArrayFromHex<16>(request.params.at("job")));
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::ReviewDecisionRequest decision,
                   protocol::ReadReviewDecisionRequest(text));
  TRY(modules.output_gate.Decide(token.dataset, job, decision));
  return modules.output_gate.OwnerJob(token.dataset, job);
}

}  // namespace

Result<TokenRecord> OwnerToken(const Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token,
                   modules.sign_in.Authorize(request.headers, TokenRecord::Purpose::kOwner));
  if (protocol::AddressText(token.dataset) != request.params.at("dataset")) {
    return Fail("signin.token", "the token is another dataset's");
  }
  return token;
}

void AddOwnerRoutes(net::Router& router, Modules& modules) {
  router.Add("GET", "/v1/owner/{dataset}/jobs",
             [&modules](net::Request& request) { return Answer(Jobs(modules, request)); });
  router.Add("GET", "/v1/owner/{dataset}/jobs/{job}",
             [&modules](net::Request& request) { return Answer(Job(modules, request)); });
  router.Add("POST", "/v1/owner/{dataset}/jobs/{job}/decision",
             [&modules](net::Request& request) { return Answer(Decide(modules, request)); });
}

}  // namespace cce::privacy_plane
