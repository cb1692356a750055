#pragma once

#include "cli/settings.h"

namespace CLI {
class App;
}

namespace cce::cli {

// cce trust add | show
void AddTrustCommands(CLI::App& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
