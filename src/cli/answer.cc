#include "cli/answer.h"

#include <array>
#include <cstdio>

#include "base/arguments.h"
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

struct Character {
  char32_t code = 0;
  size_t size = 0;  // bytes; 0: not UTF-8
};

// The first character of a text that is not empty. Overlong forms, surrogates and what is cut short
// are none.
Character TakeCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  char32_t code = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size};
}

// Control characters (C0, C1, DEL) but line feeds, and those that turn or part lines: bidirectional
// controls, line and paragraph separator.
bool MovesTheTerminal(char32_t c) {
  return (c < 0x20 && c != '\n') || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e ||
         c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

void Bind(args::Command& app, const GlobalOptions& options, int& exit_code, Command command) {
  app.OnParsed([&options, &exit_code, command = std::move(command)] {
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
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = TakeCharacter(text);
    if (next.size == 0) {
      out += '?';
      text.remove_prefix(1);
      continue;
    }
    if (MovesTheTerminal(next.code)) {
      out += ' ';
    } else {
      out += text.substr(0, next.size);
    }
    text.remove_prefix(next.size);
  }
  return out;
}

}  // namespace cce::cli
