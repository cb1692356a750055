#pragma once

#include "cli/answer.h"
#include "cli/settings.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

// cce dataset create | ls | show | diff | verify | rotate | delete | abandon | policy init |
// policy set | upload | finalize | check-receipt | revoke-token
void AddDatasetCommands(args::Command& app, const GlobalOptions& options, int& exit_code);
// cce dataset policy ...: policy_commands.cc
void AddPolicyCommands(args::Command& dataset, const GlobalOptions& options, int& exit_code);
// cce dataset upload, finalize, check-receipt, revoke-token: upload_commands.cc
void AddUploadCommands(args::Command& dataset, const GlobalOptions& options, int& exit_code);
// cce dataset ls, diff: life_commands.cc
void AddLifeCommands(args::Command& dataset, const GlobalOptions& options, int& exit_code);
// cce dataset verify, rotate, delete, abandon: order_commands.cc
void AddOrderCommands(args::Command& dataset, const GlobalOptions& options, int& exit_code);
// What show --full gives: everything that cced holds of it, for its owner.
Result<Answer> ShowOwnDataset(const Settings& settings, const std::string& dataset);

}  // namespace cce::cli
