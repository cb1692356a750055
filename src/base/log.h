// Structured log: one JSON object a line on standard error (spdlog behind it). Fields are names and
// public values; a secret has no way in (SecretBytes does not print).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace cce {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

using LogField = std::pair<std::string_view, std::string>;

// `program` stands in every line. Call once, before the first Log. Thread-safe afterwards.
void StartLog(std::string_view program, LogLevel least);
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
// An error with its code, message, expected, found and detail.
void LogError(LogLevel level, std::string_view event, const Error& error,
              std::initializer_list<LogField> fields = {});

}  // namespace cce
