// Private to src/net: a request's header as the handler sees it, and running the handler.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/http_server.h"

namespace cce::net {

class Exchange;

// As the parser gives it.
struct RawHead {
  std::string method;
  std::string target;
  unsigned version = 11;
  std::vector<std::pair<std::string, std::string>> fields;  // in their order
};

struct RequestHead {
  std::string method, path, raw_path;
  std::map<std::string, std::string> query, headers;
  bool expects_continue = false;
};

// input.malformed: the client's mistakes, among them what two parsers might read in two ways.
Result<RequestHead> ReadHead(RawHead raw);

// input.too_large.
Error BodyTooLarge(uint64_t max);

// Runs the handler to its answer's end; what it throws, and a malformed header of its response, is
// internal.bug.
void RunHandler(const Handler& handler, Request& request, Exchange& exchange);

}  // namespace cce::net
