#include "privacy_plane/compute_controller/launcher_client.h"

#include "net/http_client.h"

namespace cce::privacy_plane {

Result<protocol::MachineState> LauncherClient::Call(const std::string& method,
                                                    const std::string& path,
                                                    const json::value& body) const {
  net::ClientOptions options;
  options.base_url = url_;
  options.pinned_spki_sha256 = {launcher_key_};
  options.client_key = &own_key_;
  options.connect_timeout = std::chrono::seconds(5);
  options.total_timeout = std::chrono::seconds(60);
  ASSIGN_OR_RETURN(const auto client, net::HttpClient::New(options));
  net::ClientRequest request;
  request.method = method;
  request.path = path;
  request.headers["content-type"] = "application/json";
  request.body = ToBytes(ToJson(body));
  Result<net::ClientResponse> response = client->SendOk(request);
  if (!response && response.error().code.starts_with("net.")) {
    Error error = MakeError("launcher.unreachable", "the launcher does not answer");
    error.detail = FormatError(response.error());
    return Fail(std::move(error));
  }
  if (!response) return Fail(response.error());
  return protocol::ReadMachineState(AsText(response->body));
}

Result<protocol::MachineState> LauncherClient::Start(
    const protocol::MachineRequest& request) const {
  return Call("POST", "/v1/machines", protocol::ToJsonObject(request));
}
Result<protocol::MachineState> LauncherClient::Renew(const ByteArray<16>& machine) const {
  return Call("POST", "/v1/machines/" + ToHex(machine) + "/lease", json::object{});
}
Result<protocol::MachineState> LauncherClient::End(const ByteArray<16>& machine) const {
  return Call("DELETE", "/v1/machines/" + ToHex(machine), json::object{});
}

}  // namespace cce::privacy_plane
