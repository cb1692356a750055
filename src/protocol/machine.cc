#include "protocol/machine.h"

#include "protocol/launch_document.h"

namespace cce::protocol {

json::object ToJsonObject(const MachineRequest& request) {
  return {{"id", ToHex(request.id)},
          {"provider", request.provider},
          {"launch_document", ToBase64(request.launch_document)},
          {"names", json::array(request.names.begin(), request.names.end())},
          {"memory_mib", request.memory_mib},
          {"cpu_millis", request.cpu_millis},
          {"deadline_seconds", request.deadline_seconds},
          {"lease_seconds", request.lease_seconds}};
}

Result<MachineRequest> ReadMachineRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "machine request"));
  Fields f(document);
  const auto number = [&f](std::string_view key, uint64_t min, uint64_t max) {
    return static_cast<uint32_t>(f.Uint(key, {.min = min, .max = max}));
  };
  MachineRequest request;
  request.id = HexField<16>(f, "id");
  request.provider = f.String("provider", {.min = 1, .max = 32});
  request.launch_document = f.Base64("launch_document", kMaxLaunchDocument);
  request.names = f.Strings("names", {.min = 1, .max = 16, .max_item = 32});
  request.memory_mib = number("memory_mib", 64, 1 << 20);
  request.cpu_millis = number("cpu_millis", 100, 256000);
  request.deadline_seconds = number("deadline_seconds", 1, uint64_t{8} * 86400);
  request.lease_seconds = number("lease_seconds", 1, 86400);
  TRY(f.Finish());
  return request;
}

json::object ToJsonObject(const MachineState& state) {
  return {{"id", ToHex(state.id)}, {"state", state.state}, {"reason", state.reason}};
}

Result<MachineState> ReadMachineState(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "machine state"));
  Fields f(document);
  MachineState state;
  state.id = HexField<16>(f, "id");
  state.state = f.Choice("state", {"running", "ended"});
  state.reason = f.Choice("reason", {"", "exited", "deadline", "lease", "deleted", "failed"});
  TRY(f.Finish());
  return state;
}

}  // namespace cce::protocol
