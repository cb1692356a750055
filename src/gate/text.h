// Reading text the way both sides of a comparison must: one tokeniser, one canonical form of a
// cell, for dataset and output alike. Pure functions over untrusted bytes; all are linear in their
// input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace cce::gate {

// Valid UTF-8 (no surrogates, no overlong forms), no NUL, next to no control characters.
bool IsText(ByteView bytes);
// UTF-16 with or without a byte order mark, Latin-1 that is mostly ASCII: as UTF-8. Empty: neither.
std::optional<std::string> Utf16ToUtf8(ByteView bytes);
std::optional<std::string> Latin1ToUtf8(ByteView bytes);

// The separator of a delimited table (',' tab ';' '|'), judged by its first lines; lines beginning
// with "##" are passed over. At least two lines of at least two cells.
std::optional<char> SniffDelimiter(std::string_view head);
// The cells of one line, quotes around a cell taken off; views into `line`. `cells` is cleared
// first.
void SplitCells(std::string_view line, char delimiter, std::vector<std::string_view>& cells);
// Whether a table's first line names its columns: no number in it, and one in `second`.
bool LooksLikeHeader(const std::vector<std::string_view>& first,
                     const std::vector<std::string_view>& second);
// Calls f(line, number from 1) for each line without its end.
template <typename F>
void ForEachLine(std::string_view text, F&& f) {
  size_t number = 1;
  for (size_t at = 0; at < text.size(); ++number) {
    size_t end = text.find('\n', at);
    if (end == std::string_view::npos) end = text.size();
    std::string_view line = text.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    f(line, number);
    at = end + 1;
  }
}

// Calls f(token) for each token: runs between white space, quotes, brackets and separators, less
// outer punctuation.
inline constexpr std::array<bool, 256> kTokenBreaks = [] {
  std::array<bool, 256> out{};
  for (const char c : std::string_view(" \t\n\r\f\v,;|\"'`()[]{}<>=:&\\")) {
    out[static_cast<uint8_t>(c)] = true;
  }
  return out;
}();
inline bool IsTokenBreak(char c) { return kTokenBreaks[static_cast<uint8_t>(c)]; }
std::string_view TrimToken(std::string_view token);
template <typename F>
void ForEachToken(std::string_view text, F&& f) {
  size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && IsTokenBreak(text[at])) ++at;
    const size_t begin = at;
    while (at < text.size() && !IsTokenBreak(text[at])) ++at;
    const std::string_view token = TrimToken(text.substr(begin, at - begin));
    if (!token.empty()) f(token);
  }
}

// A token's canonical form. Numbers become sign, mantissa without trailing zeros, and decimal
// exponent, at most 13 significant digits, so that 73.50, 7.35e1 and 73.500000000000014 are one;
// words become lower-case ASCII.
struct Canon {
  bool number = false;
  bool negative = false;
  uint8_t digits = 0;    // significant digits; 0 for words
  int32_t exponent = 0;  // value = mantissa * 10^exponent
  uint64_t mantissa = 0;
  std::string word;  // at most 128 bytes
};
// False for an empty token and for the ways to say "missing" (na, nan, null, none, ...).
bool Canonicalise(std::string_view token, Canon& out);
// The number rounded half up to `digits` significant digits.
Canon Rounded(const Canon& number, int digits);
double ValueOf(const Canon& number);

// Normal form for shingles: lower case, each run of white space, separators and quotes as one
// space. Streaming.
class TextNormaliser {
 public:
  void Feed(std::string_view text, std::string& out);

 private:
  bool space_ = true;
};

// Bits per byte of the byte distribution.
double ByteEntropy(ByteView bytes);

}  // namespace cce::gate
