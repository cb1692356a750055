#include "net/request_head.h"

#include <algorithm>
#include <string_view>

#include "base/log.h"
#include "net/exchange.h"
#include "net/uri.h"

namespace cce::net {
namespace {

std::string ToLower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

// `raw.fields` with names in lower case.
Result<> CheckFraming(const RawHead& raw) {
  const auto bad = [](const char* what) { return Fail("input.malformed", what); };
  const auto count = [&raw](std::string_view name) {
    return std::ranges::count(raw.fields, name, [](const auto& f) { return f.first; });
  };
  if (raw.version != 10 && raw.version != 11) return bad("not HTTP/1.1");
  const auto hosts = count("host");
  if (hosts > 1 || (hosts == 0 && raw.version == 11)) return bad("not exactly one Host");
  if (count("content-length") + count("transfer-encoding") > 1) {
    return bad("more than one length of the body");
  }
  for (const auto& [name, value] : raw.fields) {
    if (name == "transfer-encoding" && (raw.version != 11 || ToLower(value) != "chunked")) {
      return bad("a transfer coding that is not taken");
    }
    if (name == "content-length" &&
        !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
      return bad("Content-Length is not a number");
    }
  }
  return {};
}

bool IsTokenOrValue(std::string_view text, bool token) {
  if (token && text.empty()) return false;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (b < 0x20 || b == 0x7f || (token && (b <= 0x20 || b >= 0x7f || c == ':'))) return false;
  }
  return true;
}

// A handler's mistake must not become a second header or response.
bool HasCleanHeaders(const Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (!IsTokenOrValue(name, true) || !IsTokenOrValue(value, false)) return false;
  }
  return response.status >= 200 && response.status <= 599;
}

}  // namespace

Result<RequestHead> ReadHead(RawHead raw) {
  RequestHead head;
  head.method = std::move(raw.method);
  const std::string_view target = raw.target;
  if (!target.starts_with('/') || target.find('#') != std::string_view::npos) {
    return Fail("input.malformed", "the request's target is not a path");
  }
  const size_t question = target.find('?');
  head.raw_path = std::string(target.substr(0, question));
  ASSIGN_OR_RETURN(head.path, PercentDecode(head.raw_path));
  if (question != std::string_view::npos) {
    ASSIGN_OR_RETURN(head.query, ParseQuery(target.substr(question + 1)));
  }
  for (auto& [name, value] : raw.fields) name = ToLower(std::move(name));
  TRY(CheckFraming(raw));
  for (auto& [name, value] : raw.fields) {
    if (name == "expect" && !head.headers.contains(name)) {
      head.expects_continue = ToLower(value) == "100-continue";
    }
    auto [at, fresh] = head.headers.emplace(std::move(name), value);
    if (!fresh) at->second += ", " + value;
  }
  return head;
}

Error BodyTooLarge(uint64_t max) {
  return MakeError("input.too_large", "the request's body is too large")
      .Expected("at most " + std::to_string(max) + " bytes");
}

void RunHandler(const Handler& handler, Request& request, Exchange& exchange) {
  const bool is_head = request.method == "HEAD";
  std::string what;
  try {
    Response response = handler(request);
    if (HasCleanHeaders(response)) {
      exchange.Answer(std::move(response), is_head);
      return;
    }
    what = "a response with a malformed status or header";
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what = "an unknown exception";
  }
  Log(LogLevel::kError, "http.handler_failed", {{"path", request.path}, {"reason", what}});
  exchange.Answer(Response::Problem(MakeError("internal.bug", "the request's handler failed")),
                  is_head);
}

}  // namespace cce::net
