#include "chain/uri.h"

#include <cstddef>
#include <cstdint>

namespace cce::chain {
namespace {

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool IsUnreserved(char c) {
  return IsAlpha(c) || IsDigit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
bool IsSubDelim(char c) {
  return std::string_view("!$&'()*+,;=").find(c) != std::string_view::npos;
}

// *( unreserved / pct-encoded / sub-delims / any of `more` )
bool AllOf(std::string_view text, std::string_view more) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || !IsHexDigit(text[i + 1]) || !IsHexDigit(text[i + 2]))
        return false;
      i += 2;
    } else if (!IsUnreserved(c) && !IsSubDelim(c) && more.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool IsIpv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const size_t end = part < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 3) return false;
    int value = 0;
    for (const char c : text.substr(0, end)) {
      if (!IsDigit(c)) return false;
      value = value * 10 + (c - '0');
    }
    if (value > 255 || (end > 1 && text[0] == '0')) return false;
    text.remove_prefix(part < 3 ? end + 1 : end);
  }
  return true;
}

// Groups of one side of "::" (or the whole address): counts 16-bit units, -1 where malformed. An
// IPv4 tail counts two and may stand last only.
int Ipv6Units(std::string_view text, bool ipv4_tail) {
  if (text.empty()) return 0;
  int units = 0;
  while (true) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && ipv4_tail && IsIpv4(group)) return units + 2;
    if (group.empty() || group.size() > 4) return -1;
    for (const char c : group) {
      if (!IsHexDigit(c)) return -1;
    }
    ++units;
    if (colon == std::string_view::npos) return units;
    text.remove_prefix(colon + 1);
  }
}

bool IsIpv6(std::string_view text) {
  const size_t gap = text.find("::");
  if (gap == std::string_view::npos) return Ipv6Units(text, true) == 8;
  const int left = Ipv6Units(text.substr(0, gap), false);
  const int right = Ipv6Units(text.substr(gap + 2), true);
  return left >= 0 && right >= 0 && left + right <= 7;
}

// "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
bool IsIpvFuture(std::string_view text) {
  if (text.empty() || (text[0] != 'v' && text[0] != 'V')) return false;
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos || dot < 2 || dot + 1 == text.size()) return false;
  for (const char c : text.substr(1, dot - 1)) {
    if (!IsHexDigit(c)) return false;
  }
  for (const char c : text.substr(dot + 1)) {
    if (!IsUnreserved(c) && !IsSubDelim(c) && c != ':') return false;
  }
  return true;
}

bool IsPort(std::string_view text) {
  for (const char c : text) {
    if (!IsDigit(c)) return false;
  }
  return true;
}

// Segments of a path: pchar and "/".
bool IsPath(std::string_view text) { return AllOf(text, ":@/"); }

}  // namespace

bool IsPathChars(std::string_view text) { return AllOf(text, ":@"); }

bool IsUriScheme(std::string_view text) {
  if (text.empty() || !IsAlpha(text[0])) return false;
  for (const char c : text) {
    if (!IsAlpha(c) && !IsDigit(c) && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

bool IsUriAuthority(std::string_view text) {
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    if (!AllOf(text.substr(0, at), ":")) return false;
    text.remove_prefix(at + 1);
  }
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    const std::string_view literal = text.substr(1, close - 1);
    if (!IsIpv6(literal) && !IsIpvFuture(literal)) return false;
    const std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && IsPort(rest.substr(1)));
  }
  const size_t colon = text.find(':');
  if (!AllOf(text.substr(0, colon), "")) return false;
  return colon == std::string_view::npos || IsPort(text.substr(colon + 1));
}

bool IsUri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || !IsUriScheme(text.substr(0, colon))) return false;
  text.remove_prefix(colon + 1);
  if (const size_t hash = text.find('#'); hash != std::string_view::npos) {
    if (!AllOf(text.substr(hash + 1), ":@/?")) return false;
    text = text.substr(0, hash);
  }
  if (const size_t mark = text.find('?'); mark != std::string_view::npos) {
    if (!AllOf(text.substr(mark + 1), ":@/?")) return false;
    text = text.substr(0, mark);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    const size_t slash = text.find('/');
    return IsUriAuthority(text.substr(0, slash)) &&
           (slash == std::string_view::npos || IsPath(text.substr(slash)));
  }
  // path-absolute / path-rootless / path-empty; "//" at the start was an authority.
  return IsPath(text);
}

}  // namespace cce::chain
