#include "privacy_plane/api/routes.h"

namespace cce::privacy_plane {

net::Response Answer(const Result<json::object>& result) {
  return result ? net::Response::Json(*result) : net::Response::Problem(result.error());
}

Result<std::string> Text(net::Request& request, size_t max) {
  ASSIGN_OR_RETURN(const Bytes body, request.body.ReadAll(max));
  return std::string(AsText(body));
}

net::Router MakeApi(Modules& modules) {
  net::Router router;
  AddIdentityRoutes(router, modules);
  AddDatasetRoutes(router, modules);
  AddJobRoutes(router, modules);
  AddCvmRoutes(router, modules);
  AddOwnerRoutes(router, modules);
  AddLifeRoutes(router, modules);
  return router;
}

}  // namespace cce::privacy_plane
