// The two documents that say which versions are good: TCB info v3 (TDX) and QE identity v2 (TD_QE),
// in the form of Intel's Provisioning Certification Service API v4. Signatures are over exactly
// these bytes.
#pragma once

#include <string>

#include "base/clock.h"

namespace cce::sim {

std::string TcbInfoDocument(UnixSeconds issued, UnixSeconds next_update);
std::string QeIdentityDocument(UnixSeconds issued, UnixSeconds next_update);

}  // namespace cce::sim
