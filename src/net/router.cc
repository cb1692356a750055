#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "net/http_server.h"
#include "net/uri.h"

namespace cce::net {
namespace {

std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> out;
  if (path.starts_with('/')) path.remove_prefix(1);
  size_t begin = 0;
  for (;;) {
    const size_t end = path.find('/', begin);
    out.emplace_back(path.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return out;
    begin = end + 1;
  }
}

bool IsParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}
bool IsRest(std::string_view segment) { return IsParameter(segment) && segment.ends_with("*}"); }

std::string ParameterName(std::string_view segment) {
  return std::string(segment.substr(1, segment.size() - (IsRest(segment) ? 3 : 2)));
}

// Fills `params` where `pattern` takes `path`. Parameters take no empty segment.
bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
             std::map<std::string, std::string>& params) {
  params.clear();
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (i >= path.size()) return false;
    if (IsRest(pattern[i])) {
      std::string rest = path[i];
      for (size_t k = i + 1; k < path.size(); ++k) rest += "/" + path[k];
      if (rest.empty()) return false;
      params[ParameterName(pattern[i])] = rest;
      return true;
    }
    if (IsParameter(pattern[i])) {
      if (path[i].empty()) return false;
      params[ParameterName(pattern[i])] = path[i];
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return pattern.size() == path.size();
}

// A smaller rank is tried first: literal, parameter, rest; from left to right.
std::string Rank(const std::vector<std::string>& segments) {
  std::string rank;
  for (const auto& s : segments) rank += IsRest(s) ? 'c' : IsParameter(s) ? 'b' : 'a';
  return rank;
}

[[noreturn]] void DieOfRoute(std::string_view pattern, const char* why) {
  std::fprintf(stderr, "route %.*s: %s\n", static_cast<int>(pattern.size()), pattern.data(), why);
  std::abort();
}

}  // namespace

void Router::Add(std::string_view method, std::string_view pattern, Handler handler,
                 uint64_t max_body) {
  Route route{std::string(method), SplitPath(pattern), std::move(handler), max_body};
  if (!pattern.starts_with('/') || method.empty()) DieOfRoute(pattern, "malformed");
  for (size_t i = 0; i < route.segments.size(); ++i) {
    if (IsRest(route.segments[i]) && i + 1 != route.segments.size()) {
      DieOfRoute(pattern, "{rest*} is not last");
    }
  }
  for (const Route& other : routes_) {
    if (other.method == route.method && other.segments == route.segments) {
      DieOfRoute(pattern, "declared twice");
    }
  }
  const auto before = [](const Route& a, const Route& b) {
    return Rank(a.segments) < Rank(b.segments);
  };
  routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), route, before), std::move(route));
}

Result<Router::Match> Router::Find(std::string_view method, std::string_view path) const {
  if (!path.starts_with('/')) return Fail("input.malformed", "a path begins with '/'");
  std::vector<std::string> segments = SplitPath(path);
  for (std::string& segment : segments) {
    ASSIGN_OR_RETURN(segment, PercentDecode(segment));
  }
  std::string methods;
  Match match;
  for (const Route& route : routes_) {
    if (!Matches(route.segments, segments, match.params)) continue;
    if (route.method == method || (method == "HEAD" && route.method == "GET")) {
      match.handler = &route.handler;
      match.max_body = route.max_body;
      return match;
    }
    methods += (methods.empty() ? "" : ", ") + route.method;
  }
  if (methods.empty()) return Fail("http.not_found", "there is nothing at this path");
  return Fail(MakeError("http.method_not_allowed", "this path does not take this method")
                  .Expected(methods)
                  .Found(std::string(method.substr(0, 32))));
}

Response Router::Dispatch(Request& request) const {
  auto match = Find(request.method, request.path);
  if (!match) return Response::Problem(match.error());
  request.params = std::move(match->params);
  return (*match->handler)(request);
}

}  // namespace cce::net
