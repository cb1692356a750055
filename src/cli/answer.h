// What a command gives back, and how it is shown: text for people or, with --json, one JSON object
// on standard output; errors on standard error. Progress and notices go to standard error.
#pragma once

#include <functional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/settings.h"

namespace cce::args {
class Command;
}  // namespace cce::args

namespace cce::cli {

struct Answer {
  std::string text;  // lines, each with its end
  json::object data;
  int exit_code = 0;  // 1: the answer is a refusal
};

using Command = std::function<Result<Answer>(const Settings&)>;

// Makes `command` the callback of `app`: settings are loaded first. Exit code 0, or 1 for an error.
void Bind(args::Command& app, const GlobalOptions& options, int& exit_code, Command command);

// A line on standard error.
void Notice(const std::string& line);
// "12.3 MiB".
std::string FormatBytes(uint64_t bytes);
// "✓" or "✗".
std::string_view Mark(bool good);
// A time for people: "2026-11-22 15:52:00Z".
std::string ShowTime(int64_t unix_seconds);
// Untrusted text for a terminal: control characters but line feeds become spaces, as do those that
// turn a line's direction; bytes that are not UTF-8 become question marks.
std::string Clean(std::string_view text);

}  // namespace cce::cli
