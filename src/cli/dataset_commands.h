#pragma once

#include "cli/settings.h"

namespace CLI {
class App;
}

namespace cce::cli {

// cce dataset create | show | policy init | policy set | upload | finalize | check-receipt |
// revoke-token
void AddDatasetCommands(CLI::App& app, const GlobalOptions& options, int& exit_code);
// cce dataset policy ...: policy_commands.cc
void AddPolicyCommands(CLI::App& dataset, const GlobalOptions& options, int& exit_code);
// cce dataset upload, finalize, check-receipt, revoke-token: upload_commands.cc
void AddUploadCommands(CLI::App& dataset, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
