// JSON-RPC over HTTP(S).
#pragma once

#include <memory>
#include <string>

#include "chain/rpc.h"

namespace cce::chain {

// Certificates are verified against `ca_file` or the system's roots. Connections are kept; each
// request running at once has one of its own. Errors: config.invalid (not an http or https URL, or
// one with credentials).
Result<std::shared_ptr<RpcTransport>> NewHttpTransport(const std::string& url, int timeout_ms,
                                                       const std::string& ca_file);

}  // namespace cce::chain
