#pragma once

#include "cli/settings.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

// cce job init | check | try | submit | status | fetch | cancel | explain
void AddJobCommands(args::Command& app, const GlobalOptions& options, int& exit_code);
// cce job try: job_try.cc
void AddJobTryCommand(args::Command& job, const GlobalOptions& options, int& exit_code);
// cce job submit: job_submit.cc
void AddJobSubmitCommand(args::Command& job, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
