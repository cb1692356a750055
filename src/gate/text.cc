#include "gate/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cce::gate {
namespace {

// Length of the UTF-8 sequence at p, 0 where there is none.
size_t SequenceLength(const uint8_t* p, size_t rest) {
  const uint8_t c = p[0];
  if (c < 0x80) return 1;
  const auto tail = [&](size_t i) { return i < rest && (p[i] & 0xc0) == 0x80; };
  if (c >= 0xc2 && c <= 0xdf) return tail(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)) return 0;
    return 3;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

void AppendCodePoint(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

std::optional<std::string> DecodeUtf16(ByteView bytes, bool big) {
  if (bytes.size() % 2 != 0) return std::nullopt;
  const auto unit = [&](size_t i) -> uint32_t {
    return big ? (bytes[i] << 8u | bytes[i + 1]) : (bytes[i + 1] << 8u | bytes[i]);
  };
  std::string out;
  out.reserve(bytes.size() / 2);
  for (size_t i = 0; i < bytes.size(); i += 2) {
    uint32_t c = unit(i);
    if (c >= 0xdc00 && c <= 0xdfff) return std::nullopt;
    if (c >= 0xd800 && c <= 0xdbff) {
      if (i + 2 >= bytes.size()) return std::nullopt;
      const uint32_t low = unit(i + 2);
      if (low < 0xdc00 || low > 0xdfff) return std::nullopt;
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      i += 2;
    }
    AppendCodePoint(out, c);
  }
  return IsText(AsBytes(out)) ? std::optional(out) : std::nullopt;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

uint64_t PowerOfTen(int n) {
  uint64_t p = 1;
  while (n-- > 0) p *= 10;
  return p;
}

void StripZeros(Canon& n) {
  if (n.mantissa == 0) {
    n.exponent = 0;
    n.negative = false;
  }
  while (n.mantissa != 0 && n.mantissa % 10 == 0) {
    n.mantissa /= 10;
    ++n.exponent;
  }
  n.digits = 1;
  for (uint64_t m = n.mantissa; m >= 10; m /= 10) ++n.digits;
}

// Reads a whole token as a decimal number; at most 18 digits are kept.
bool ReadNumber(std::string_view token, Canon& out) {
  if (token.size() > 40) return false;
  size_t i = 0;
  out.negative = false;
  if (token[i] == '+' || token[i] == '-') out.negative = token[i++] == '-';
  uint64_t mantissa = 0;
  int kept = 0, exponent = 0, digits = 0, seen = 0;
  bool point = false;
  for (; i < token.size(); ++i) {
    if (token[i] == '.' && !point) {
      point = true;
    } else if (IsDigit(token[i])) {
      ++digits;
      if (mantissa != 0 || token[i] != '0') ++seen;
      if (kept < 18) {
        mantissa = mantissa * 10 + static_cast<uint64_t>(token[i] - '0');
        if (mantissa != 0) ++kept;
        if (point) --exponent;
      } else if (!point) {
        ++exponent;
      }
    } else {
      break;
    }
  }
  if (digits == 0 || (!point && seen > 18)) return false;  // longer integers are names, not numbers
  if (i < token.size() && (token[i] == 'e' || token[i] == 'E')) {
    ++i;
    const bool minus = i < token.size() && token[i] == '-';
    if (i < token.size() && (token[i] == '+' || token[i] == '-')) ++i;
    if (i == token.size() || token.size() - i > 3) return false;
    int e = 0;
    for (; i < token.size() && IsDigit(token[i]); ++i) e = e * 10 + (token[i] - '0');
    exponent += minus ? -e : e;
  }
  if (i + 1 == token.size() && token[i] == '%') ++i;
  if (i != token.size()) return false;
  out.mantissa = mantissa;
  out.exponent = exponent;
  StripZeros(out);
  return true;
}

bool IsMissing(std::string_view word) {
  static constexpr std::array<std::string_view, 12> kMissing = {
      "na", "nan", "n/a", "null", "none", "nat", "missing", "-", ".", "?", "inf", "<na>"};
  return std::find(kMissing.begin(), kMissing.end(), word) != kMissing.end();
}

}  // namespace

bool IsText(ByteView bytes) {
  size_t control = 0;
  for (size_t i = 0; i < bytes.size();) {
    const size_t n = SequenceLength(bytes.data() + i, bytes.size() - i);
    if (n == 0 || bytes[i] == 0) return false;
    if (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t') ++control;
    i += n;
  }
  return control <= 4 + bytes.size() / 200;
}

std::optional<std::string> Utf16ToUtf8(ByteView bytes) {
  if (bytes.size() < 4) return std::nullopt;
  if (bytes[0] == 0xff && bytes[1] == 0xfe) return DecodeUtf16(bytes.subspan(2), false);
  if (bytes[0] == 0xfe && bytes[1] == 0xff) return DecodeUtf16(bytes.subspan(2), true);
  std::array<size_t, 2> zeros{};
  const size_t probe = std::min<size_t>(bytes.size(), 4096);
  for (size_t i = 0; i < probe; ++i) zeros[i % 2] += bytes[i] == 0;
  for (const bool big : {false, true}) {
    if (zeros[big ? 0 : 1] * 10 > probe * 4 && zeros[big ? 1 : 0] == 0) {
      return DecodeUtf16(bytes, big);
    }
  }
  return std::nullopt;
}

std::optional<std::string> Latin1ToUtf8(ByteView bytes) {
  size_t high = 0;
  for (const uint8_t c : bytes) {
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || (c >= 0x7f && c < 0xa0)) {
      return std::nullopt;
    }
    high += c >= 0x80;
  }
  if (high * 20 > bytes.size()) return std::nullopt;
  std::string out;
  out.reserve(bytes.size() + high);
  for (const uint8_t c : bytes) AppendCodePoint(out, c);
  return out;
}

std::optional<char> SniffDelimiter(std::string_view head) {
  std::vector<std::string_view> lines;
  ForEachLine(head.substr(0, size_t{1} << 16), [&](std::string_view line, size_t) {
    if (!line.empty() && !line.starts_with("##") && lines.size() < 40) lines.push_back(line);
  });
  if (head.size() > (size_t{1} << 16) && lines.size() > 1 && lines.size() < 40) lines.pop_back();
  if (lines.size() < 2) return std::nullopt;
  std::vector<std::string_view> cells;
  char best = 0;
  size_t best_cells = 1;
  for (const char delimiter : {',', '\t', ';', '|'}) {
    SplitCells(lines[0], delimiter, cells);
    const size_t width = cells.size();
    if (width <= best_cells) continue;
    size_t equal = 0;
    for (const std::string_view line : lines) {
      SplitCells(line, delimiter, cells);
      equal += cells.size() == width;
    }
    if (equal * 10 >= lines.size() * 8) {
      best = delimiter;
      best_cells = width;
    }
  }
  return best != 0 ? std::optional(best) : std::nullopt;
}

void SplitCells(std::string_view line, char delimiter, std::vector<std::string_view>& cells) {
  cells.clear();
  size_t at = 0;
  for (;;) {
    if (at < line.size() && line[at] == '"') {
      size_t end = at + 1;
      while (end < line.size()) {
        if (line[end] == '"') {
          if (end + 1 < line.size() && line[end + 1] == '"') {
            ++end;
          } else {
            break;
          }
        }
        ++end;
      }
      end = std::min(end, line.size());
      cells.push_back(line.substr(at + 1, end - at - 1));
      const size_t next = line.find(delimiter, end);
      if (next == std::string_view::npos) return;
      at = next + 1;
      continue;
    }
    const size_t next = line.find(delimiter, at);
    if (next == std::string_view::npos) {
      cells.push_back(line.substr(std::min(at, line.size())));
      return;
    }
    cells.push_back(line.substr(at, next - at));
    at = next + 1;
  }
}

bool LooksLikeHeader(const std::vector<std::string_view>& first,
                     const std::vector<std::string_view>& second) {
  Canon canon;
  const auto numbers = [&](const std::vector<std::string_view>& cells) {
    return std::count_if(cells.begin(), cells.end(), [&](std::string_view cell) {
      return Canonicalise(TrimToken(cell), canon) && canon.number;
    });
  };
  return numbers(first) == 0 && numbers(second) > 0;
}

std::string_view TrimToken(std::string_view token) {
  const auto outer = [](char c) {
    return c == '.' || c == '!' || c == '?' || c == '*' || c == '#' || c == ' ' || c == '\t' ||
           c == '$' || c == '~' || c == '"' || c == '\'' || c == '/' || c == '_';
  };
  while (!token.empty() && outer(token.back())) token.remove_suffix(1);
  while (!token.empty() && outer(token.front()) &&
         !(token.front() == '.' && token.size() > 1 && IsDigit(token[1]))) {
    token.remove_prefix(1);
  }
  return token;
}

bool Canonicalise(std::string_view token, Canon& out) {
  out.word.clear();
  out.number = false;
  out.digits = 0;
  if (token.empty()) return false;
  if (ReadNumber(token, out)) {
    out.number = true;
    if (out.digits > 13) out = Rounded(out, 13);
    return true;
  }
  out.word.assign(token.substr(0, 128));
  for (char& c : out.word) c = Lower(c);
  return !IsMissing(out.word);
}

Canon Rounded(const Canon& number, int digits) {
  Canon out;
  out.number = true;
  out.negative = number.negative;
  out.mantissa = number.mantissa;
  out.exponent = number.exponent;
  const int drop = number.digits - digits;
  if (drop > 0) {
    const uint64_t unit = PowerOfTen(drop);
    out.mantissa = (number.mantissa + unit / 2) / unit;
    out.exponent += drop;
  }
  StripZeros(out);
  return out;
}

double ValueOf(const Canon& number) {
  const double v = static_cast<double>(number.mantissa) * std::pow(10.0, number.exponent);
  return number.negative ? -v : v;
}

void TextNormaliser::Feed(std::string_view text, std::string& out) {
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ';' ||
                       c == '|' || c == '"' || c == '\'';
    if (!space) {
      out += Lower(c);
    } else if (!space_) {
      out += ' ';
    }
    space_ = space;
  }
}

double ByteEntropy(ByteView bytes) {
  if (bytes.empty()) return 0;
  std::array<size_t, 256> counts{};
  for (const uint8_t c : bytes) ++counts[c];
  double bits = 0;
  for (const size_t n : counts) {
    if (n == 0) continue;
    const double p = static_cast<double>(n) / static_cast<double>(bytes.size());
    bits -= p * std::log2(p);
  }
  return bits;
}

}  // namespace cce::gate
