#include <algorithm>
#include <cctype>
#include <limits>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/uri.h"

namespace cce::net {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return Fail("input.malformed", "a percent escape is malformed");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return Fail("input.malformed", "a NUL in the request's target");
    out += c;
  }
  return out;
}

Result<std::map<std::string, std::string>> ParseQuery(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    ASSIGN_OR_RETURN(std::string name, PercentDecode(pair.substr(0, equals), true));
    const std::string_view raw =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    ASSIGN_OR_RETURN(std::string value, PercentDecode(raw, true));
    if (!out.emplace(std::move(name), std::move(value)).second) {
      return Fail("input.malformed", "a query parameter occurs twice");
    }
  }
  return out;
}

std::string EncodeSegment(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80 && (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~')) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

Result<size_t> BodyReader::Read(std::span<uint8_t> out) {
  ASSIGN_OR_RETURN(const ByteView bytes, Next(out.size()));
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return bytes.size();
}

Result<Bytes> BodyReader::ReadAll(size_t max) {
  Bytes out;
  const auto too_large = [max] {
    return Fail(MakeError("input.too_large", "the request's body is too large")
                    .Expected("at most " + std::to_string(max) + " bytes"));
  };
  if (const auto size = declared_size()) {
    if (*size > max) return too_large();
    out.reserve(static_cast<size_t>(*size));
  }
  for (;;) {
    ASSIGN_OR_RETURN(const ByteView bytes, Next(std::numeric_limits<size_t>::max()));
    if (bytes.empty()) return out;
    if (bytes.size() > max - out.size()) return too_large();
    Append(out, bytes);
  }
}

Result<ByteView> MemoryBody::Next(size_t max) {
  const ByteView next = ByteView(bytes_).subspan(at_, std::min(max, bytes_.size() - at_));
  at_ += next.size();
  return next;
}

Response Response::Json(const json::value& value, int status) {
  return Text(ToJson(value), "application/json", status);
}

Response Response::Text(std::string_view text, std::string_view content_type, int status) {
  Response out;
  out.status = status;
  out.headers["Content-Type"] = std::string(content_type);
  out.body = ToBytes(text);
  return out;
}

Response Response::Problem(const Error& error) {
  const ErrorInfo* info = FindErrorInfo(error.code);
  const int status = info == nullptr ? 500 : info->http_status;
  const std::string_view title = info == nullptr ? "An error." : info->meaning;
  const std::string_view next =
      !error.next.empty() ? error.next : (info == nullptr ? "" : info->next);
  json::object problem;
  problem["type"] = "urn:cce4long:error:" + error.code;
  problem["title"] = json::string(title);
  problem["status"] = status;
  problem["code"] = error.code;
  problem["detail"] = error.message;
  if (!error.expected.empty()) problem["expected"] = error.expected;
  if (!error.found.empty()) problem["found"] = error.found;
  if (!next.empty()) problem["next"] = json::string(next);
  Response out = Json(problem, status);
  out.headers["Content-Type"] = "application/problem+json";
  return out;
}

}  // namespace cce::net
