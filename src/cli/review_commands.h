#pragma once

#include "cli/settings.h"

namespace CLI {
class App;
}

namespace cce::cli {

// cce review list | show | approve | reject
void AddReviewCommands(CLI::App& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
