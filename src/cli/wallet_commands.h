#pragma once

#include "cli/settings.h"

namespace CLI {
class App;
}

namespace cce::cli {

// cce wallet new | import | show
void AddWalletCommands(CLI::App& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
