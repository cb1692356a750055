#pragma once

#include "cli/settings.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

// cce attest verify | explain | inspect | replay. Exit codes: 0 accepted (or shown), 1 refused, 2
// unusable input. Needs no settings, no server and no network.
void AddAttestCommands(args::Command& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
