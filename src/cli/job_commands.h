#pragma once

#include "cli/settings.h"

namespace CLI {
class App;
}

namespace cce::cli {

// cce job init | check | try | submit | status | fetch | cancel | explain
void AddJobCommands(CLI::App& app, const GlobalOptions& options, int& exit_code);
// cce job try: job_try.cc
void AddJobTryCommand(CLI::App& job, const GlobalOptions& options, int& exit_code);
// cce job submit: job_submit.cc
void AddJobSubmitCommand(CLI::App& job, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
