// spdlog is included here and nowhere else.
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "base/clock.h"
#include "base/json.h"

namespace cce {
namespace {

std::string& ProgramName() {
  static std::string name = "cce4long";
  return name;
}

spdlog::level::level_enum Level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};

void Write(LogLevel level, json::object line) {
  spdlog::default_logger_raw()->log(Level(level), "{}", ToJson(std::move(line)));
}

json::object Begin(LogLevel level, std::string_view event) {
  const int64_t now = SystemClock().NowMillis();
  return {{"time", FormatTime(now / 1000)},
          {"ms", now % 1000},
          {"level", kLevelNames[static_cast<int>(level)]},
          {"program", ProgramName()},
          {"event", event}};
}

}  // namespace

void StartLog(std::string_view program, LogLevel least) {
  ProgramName() = program;
  auto logger = std::make_shared<spdlog::logger>("cce4long",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  logger->set_level(Level(least));
  spdlog::set_default_logger(std::move(logger));
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!spdlog::default_logger_raw()->should_log(Level(level))) return;
  json::object line = Begin(level, event);
  for (const auto& [key, value] : fields) line[key] = value;
  Write(level, std::move(line));
}

void LogError(LogLevel level, std::string_view event, const Error& error,
              std::initializer_list<LogField> fields) {
  if (!spdlog::default_logger_raw()->should_log(Level(level))) return;
  json::object line = Begin(level, event);
  for (const auto& [key, value] : fields) line[key] = value;
  line["code"] = error.code;
  line["message"] = error.message;
  if (!error.expected.empty()) line["expected"] = error.expected;
  if (!error.found.empty()) line["found"] = error.found;
  if (!error.detail.empty()) line["detail"] = error.detail;
  Write(level, std::move(line));
}

}  // namespace cce
