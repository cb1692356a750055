#include "host/launcher/routes.h"

namespace cce::launcher {
namespace {

constexpr size_t kMaxRequest = 256 << 10;

net::Response Answer(const Result<protocol::MachineState>& state, int status = 200) {
  if (!state) return net::Response::Problem(state.error());
  return net::Response::Json(protocol::ToJsonObject(*state), status);
}

Result<protocol::MachineState> Start(Machines& machines, net::Request& request) {
  ASSIGN_OR_RETURN(const Bytes body, request.body.ReadAll(kMaxRequest));
  ASSIGN_OR_RETURN(const auto machine, protocol::ReadMachineRequest(AsText(body)));
  return machines.Start(machine);
}

using Action = Result<protocol::MachineState> (Machines::*)(const ByteArray<16>&);

net::Handler OnMachine(Machines& machines, Action action) {
  return [&machines, action](net::Request& request) {
    const auto id = ArrayFromHex<16>(request.params.at("id"));
    if (!id) return net::Response::Problem(MakeError("machine.not_found", "not a machine's id"));
    return Answer((machines.*action)(*id));
  };
}

}  // namespace

net::Router MakeRoutes(Machines& machines) {
  net::Router router;
  router.Add(
      "POST", "/v1/machines",
      [&machines](net::Request& request) { return Answer(Start(machines, request), 201); },
      kMaxRequest);
  router.Add("GET", "/v1/machines/{id}", OnMachine(machines, &Machines::Find));
  router.Add("POST", "/v1/machines/{id}/lease", OnMachine(machines, &Machines::RenewLease));
  router.Add("DELETE", "/v1/machines/{id}", OnMachine(machines, &Machines::End));
  router.Add("GET", "/v1/health", [&machines](net::Request&) {
    return net::Response::Json(json::object{{"status", "ok"}, {"machines", machines.Running()}});
  });
  return router;
}

}  // namespace cce::launcher
