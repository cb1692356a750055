// What the decoder gives up before it looks at a hostile byte.
#pragma once

#include "base/result.h"
#include "gate/decoder/request.h"

namespace cce::gate {

// Closes every descriptor past 2, sets a fixed locale and time zone, forbids core dumps. Before the
// request is read.
Result<> PrepareProcess();
// Memory and CPU limits of the request, no new file; then a system-call filter that leaves read,
// write, memory and exit. Opening anything fails; every other call ends the process.
Result<> EnterSandbox(const DecodeRequest& request);

}  // namespace cce::gate
