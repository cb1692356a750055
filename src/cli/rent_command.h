#pragma once

#include "cli/settings.h"

namespace CLI {
class App;
}

namespace cce::cli {

// cce rent DATASET --hours N
void AddRentCommand(CLI::App& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
