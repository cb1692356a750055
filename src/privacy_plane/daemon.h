// Puts cced together from its configuration and runs it until asked to stop.
#pragma once

#include <functional>

#include "privacy_plane/config.h"

namespace cce::privacy_plane {

// Starts every module, serves, calls `wait` (which returns when the daemon is to stop), stops in
// reverse order.
Result<> RunDaemon(Config config, const std::function<void()>& wait);

// The public side of the keys that this configuration's root key gives: {"identity_key", "tls_key",
// "chain_address"}. What a launcher (tls_key) and a chain (chain_address needs gas for anchors)
// must know before the first start.
Result<json::object> PublicKeys(const Config& config);

}  // namespace cce::privacy_plane
