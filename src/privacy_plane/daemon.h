// Puts cced together from its configuration and runs it until asked to stop.
#pragma once

#include <functional>

#include "privacy_plane/config.h"

namespace cce::privacy_plane {

// Starts every module, serves, calls `wait` (which returns when the daemon is to stop), stops in
// reverse order.
Result<> RunDaemon(Config config, const std::function<void()>& wait);

}  // namespace cce::privacy_plane
