// The chip's collateral over HTTP, in the vendors' wire forms: Intel's Provisioning Certification
// Service (API v4; the root CRL also as a PCCS gives it) and AMD's Key Distribution System
// (docs/formats/simulated-chip.md lists the routes). Plain HTTP: everything in it is signed.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "net/http_server.h"
#include "sim/chip.h"
#include "sim/snp_chip.h"

namespace cce::sim {

// Gives the SNP half, making it at the first call. Thread-safe.
using SnpChipSource = std::function<Result<const SnpChip*>()>;

// The routes; documents are made anew when they are older than a day. `chip`, `clock` and `defect`
// must outlive the router.
net::Router CollateralRoutes(const Chip& chip, SnpChipSource snp, const Clock& clock,
                             const CollateralDefect& defect);

}  // namespace cce::sim
