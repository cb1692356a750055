#pragma once

#include "cli/settings.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

// cce trust add | show
void AddTrustCommands(args::Command& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
