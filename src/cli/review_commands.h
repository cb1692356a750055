#pragma once

#include "cli/settings.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

// cce review list | show | approve | reject
void AddReviewCommands(args::Command& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
