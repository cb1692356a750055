#include "gate/decoder/blocks.h"

#include <array>
#include <optional>
#include <string>

#include "gate/text.h"

namespace cce::gate {
namespace {

constexpr size_t kLeastRun = 32;      // characters, of base64
constexpr size_t kLeastHex = 66;      // digits: more than a SHA-256
constexpr size_t kLeastOpaque = 192;  // decoded bytes that are not text

int Sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

int Nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Bytes DecodeSextets(std::string_view digits) {
  Bytes out;
  out.reserve(digits.size() * 3 / 4);
  uint32_t bits = 0;
  int have = 0;
  for (const char c : digits) {
    bits = bits << 6 | static_cast<uint32_t>(Sextet(c));
    have += 6;
    if (have >= 8) {
      have -= 8;
      out.push_back(static_cast<uint8_t>(bits >> have));
    }
  }
  return out;
}

bool KnownPacking(ByteView b) {
  static constexpr std::array<std::string_view, 9> kMagics = {"\x1f\x8b",
                                                              "BZh",
                                                              "\xfd"
                                                              "7zXZ",
                                                              "\x28\xb5\x2f\xfd",
                                                              "PK\x03\x04",
                                                              "7z\xbc\xaf",
                                                              "\x89PNG",
                                                              "%PDF",
                                                              "\x04\x22\x4d\x18"};
  for (const std::string_view magic : kMagics) {
    if (b.size() > magic.size() && AsText(b.first(magic.size())) == magic) return true;
  }
  return false;
}

bool ReadsAsText(ByteView bytes) {
  return bytes.size() >= 18 && (IsText(bytes) || Utf16ToUtf8(bytes).has_value());
}

// One maximal run of base64 digits (line ends taken out). The run may begin with other text
// ("path/QUJD"), so that each of the four alignments is tried.
std::optional<Bytes> DecodeRun(const std::string& run) {
  for (size_t skip = 0; skip < 4; ++skip) {
    const size_t probe = std::min<size_t>(run.size() - skip, 1024) / 4 * 4;
    const Bytes head = DecodeSextets(std::string_view(run).substr(skip, probe));
    // The last character of a probe may be cut: IsText is asked of a prefix that ends between
    // characters.
    size_t end = head.size();
    while (probe < run.size() - skip && end > 0 && end + 4 > head.size() &&
           (head[end - 1] & 0x80) != 0) {
      --end;
    }
    if (ReadsAsText(ByteView(head).first(end)) || KnownPacking(head)) {
      return DecodeSextets(std::string_view(run).substr(skip));
    }
  }
  Bytes whole = DecodeSextets(run);
  // Words and paths are base64 digits too; encoded bytes use the whole alphabet.
  if (whole.size() >= kLeastOpaque && ByteEntropy(AsBytes(run)) > 5.0) return whole;
  return std::nullopt;
}

struct Run {
  std::string digits;
  size_t end = 0;
};

// The run that begins at `at`; goes on over a line end when the line was all digits and long.
Run TakeBase64(std::string_view text, size_t at) {
  Run run;
  size_t line = 0;
  while (at < text.size()) {
    if (Sextet(text[at]) >= 0) {
      run.digits += text[at++];
      ++line;
      continue;
    }
    size_t next = at;
    if (text[next] == '\r') ++next;
    const bool wraps = next + 1 < text.size() && text[next] == '\n' && line >= kLeastRun &&
                       Sextet(text[next + 1]) >= 0;
    if (!wraps) break;
    at = next + 1;
    line = 0;
  }
  run.end = at;
  return run;
}

std::optional<Bytes> DecodeHex(std::string_view digits) {
  for (const char c : digits) {
    if (Nibble(c) < 0) return std::nullopt;
  }
  Bytes out;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(Nibble(digits[i]) << 4 | Nibble(digits[i + 1])));
  }
  if (ReadsAsText(out) || KnownPacking(out) || out.size() >= kLeastOpaque) return out;
  return std::nullopt;
}

}  // namespace

Result<> FindBlocks(std::string_view text, const BlockSink& found) {
  for (size_t at = 0; at < text.size();) {
    if (Sextet(text[at]) < 0) {
      ++at;
      continue;
    }
    Run run = TakeBase64(text, at);
    if (run.digits.size() >= kLeastRun) {
      std::optional<Bytes> hex;
      if (run.digits.size() >= kLeastHex) hex = DecodeHex(run.digits);
      const bool all_hex =
          run.digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
      if (hex) {
        TRY(found("hex", at, std::move(*hex)));
      } else if (!all_hex) {
        if (auto bytes = DecodeRun(run.digits)) TRY(found("base64", at, std::move(*bytes)));
      }
    }
    at = run.end;
  }
  return {};
}

size_t GzipHeaderSize(ByteView b) {
  if (b.size() < 10 || b[0] != 0x1f || b[1] != 0x8b) return 0;
  const uint8_t flags = b[3];
  size_t at = 10;
  if ((flags & 4) != 0) {
    if (b.size() < at + 2) return b.size();
    at += 2u + (b[at] | b[at + 1] << 8u);
  }
  for (const uint8_t flag : {uint8_t{8}, uint8_t{16}}) {
    if ((flags & flag) == 0) continue;
    while (at < b.size() && b[at] != 0) ++at;
    ++at;
  }
  if ((flags & 2) != 0) at += 2;
  return std::min(at, b.size());
}

}  // namespace cce::gate
