// The launcher's API (src/protocol/machine.h): what only cced may ask for, by its client key.
#pragma once

#include "host/launcher/machines.h"
#include "net/http_server.h"

namespace cce::launcher {

// `machines` must outlive the router's server.
net::Router MakeRoutes(Machines& machines);

}  // namespace cce::launcher
