#pragma once

#include <string>

#include "cli/settings.h"
#include "manifest/verify.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

// cce verify RESULT --manifest M: offline. Exit code 0: accepted, 1: refused, 2: the input cannot
// be used (a file that is absent, a trust file that does not fit its schema). Of the settings only
// the trust file is taken, and nothing at all where --trust names one; development parts are
// allowed by the command line alone.
void AddVerifyCommand(args::Command& app, const GlobalOptions& global, int& exit_code);

// A report for people: a tick for each step; if accepted, what was run, on what, where, by whose
// decision. Every line is one of ours: what comes from the manifest cannot break it.
std::string ReportText(const manifest::Report& report);
// {"accepted", "engine", "steps", "development", "error" or "statement"}
json::object ReportJson(const manifest::Report& report);

}  // namespace cce::cli
