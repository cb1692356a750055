// The container's system-call filter: an allow-list. What is not on it fails with EPERM, what a
// newer C library merely tries first (clone3 and its like) with ENOSYS. No way to a socket but
// AF_UNIX, AF_INET and AF_INET6: AF_VSOCK has no namespace, and io_uring, the 32-bit and x32 calls
// would go round the check.
#pragma once

#include <span>
#include <string_view>

#include "base/json.h"

namespace cce::executor {

// The `linux.seccomp` member of an OCI runtime configuration.
json::object SeccompProfile();

// The calls that are allowed whatever their arguments: for tests.
std::span<const std::string_view> PlainAllowedCalls();

}  // namespace cce::executor
