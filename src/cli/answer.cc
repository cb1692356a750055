#include "cli/answer.h"

#include <CLI/App.hpp>
#include <array>
#include <cstdio>

#include "base/clock.h"

namespace cce::cli {
namespace {

int Show(const Result<Answer>& result, bool as_json) {
  if (result) {
    const std::string text = as_json ? ToPrettyJson(result->data) : result->text;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    return result->exit_code;
  }
  const Error& error = result.error();
  std::fprintf(stderr, "%s\n", Clean(FormatError(error)).c_str());
  if (as_json) {
    const ErrorInfo* info = FindErrorInfo(error.code);
    std::string next = error.next;
    if (next.empty() && info != nullptr) next = info->next;
    const json::object data{{"error", json::object{{"code", error.code},
                                                   {"message", error.message},
                                                   {"expected", error.expected},
                                                   {"found", error.found},
                                                   {"next", next}}}};
    std::fputs(ToPrettyJson(data).c_str(), stdout);
  }
  return 1;
}

}  // namespace

void Bind(CLI::App& app, const GlobalOptions& options, int& exit_code, Command command) {
  app.callback([&options, &exit_code, command = std::move(command)] {
    const Result<Settings> settings = LoadSettings(options);
    exit_code = Show(settings ? command(*settings) : Fail(settings.error()), options.json);
  });
}

void Notice(const std::string& line) { std::fprintf(stderr, "%s\n", Clean(line).c_str()); }

std::string FormatBytes(uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string_view Mark(bool good) { return good ? "✓" : "✗"; }

std::string ShowTime(int64_t unix_seconds) {
  std::string text = FormatTime(unix_seconds);
  if (const size_t t = text.find('T'); t != std::string::npos) text[t] = ' ';
  return text;
}

std::string Clean(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace cce::cli
