#include "privacy_plane/api/routes.h"

namespace cce::privacy_plane {
namespace {

Result<json::object> Check(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const Bytes spec, request.body.ReadAll(size_t{1} << 20));
  ASSIGN_OR_RETURN(const protocol::JobCheckReply reply, modules.controller.Check(spec));
  return protocol::ToJsonObject(reply);
}

Result<json::object> Submit(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const std::string text, Text(request, size_t{2} << 20));
  ASSIGN_OR_RETURN(const protocol::SubmitJobRequest message, protocol::ReadSubmitJobRequest(text));
  ASSIGN_OR_RETURN(const protocol::SubmitJobReply reply, modules.controller.Submit(message));
  return protocol::ToJsonObject(reply);
}

Result<JobId> OwnJob(const Modules& modules, const net::Request& request) {
  return modules.controller.Authorize(request.headers, request.params.at("job"));
}

Result<json::object> Status(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const JobId job, OwnJob(modules, request));
  ASSIGN_OR_RETURN(const protocol::JobStatus status, modules.controller.Status(job));
  return protocol::ToJsonObject(status);
}

Result<json::object> Cancel(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const JobId job, OwnJob(modules, request));
  ASSIGN_OR_RETURN(const protocol::JobStatus status, modules.controller.Cancel(job));
  return protocol::ToJsonObject(status);
}

Result<json::object> Delivery(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const JobId job, OwnJob(modules, request));
  ASSIGN_OR_RETURN(const protocol::Delivery delivery, modules.output_gate.Deliver(job));
  return protocol::ToJsonObject(delivery);
}

Result<net::Response> SealedResult(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const JobId job, OwnJob(modules, request));
  return modules.output_gate.SealedResult(job);
}

}  // namespace

void AddJobRoutes(net::Router& router, Modules& modules) {
  router.Add("POST", "/v1/jobs/check",
             [&modules](net::Request& request) { return Answer(Check(modules, request)); });
  router.Add(
      "POST", "/v1/jobs",
      [&modules](net::Request& request) { return Answer(Submit(modules, request)); },
      uint64_t{2} << 20);
  router.Add("GET", "/v1/jobs/{job}",
             [&modules](net::Request& request) { return Answer(Status(modules, request)); });
  router.Add("POST", "/v1/jobs/{job}/cancel",
             [&modules](net::Request& request) { return Answer(Cancel(modules, request)); });
  router.Add("GET", "/v1/jobs/{job}/delivery",
             [&modules](net::Request& request) { return Answer(Delivery(modules, request)); });
  router.Add("GET", "/v1/jobs/{job}/result", [&modules](net::Request& request) {
    Result<net::Response> response = SealedResult(modules, request);
    return response ? std::move(*response) : net::Response::Problem(response.error());
  });
}

}  // namespace cce::privacy_plane
