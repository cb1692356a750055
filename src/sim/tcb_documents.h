// The two documents that say which versions are good: TCB info v3 (TDX) and QE identity v2 (TD_QE),
// in the form of Intel's Provisioning Certification Service API v4. Signatures are over exactly
// these bytes.
#pragma once

#include <string>

#include "sim/collateral_spec.h"

namespace cce::sim {

std::string TcbInfoDocument(const CollateralSpec& spec);
std::string QeIdentityDocument(const CollateralSpec& spec);
// As the service writes FMSPC and other hex: in upper case.
std::string UpperHex(ByteView bytes);

}  // namespace cce::sim
