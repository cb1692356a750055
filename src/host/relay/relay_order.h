// What the launcher tells a relay: one JSON document on its standard input. The guest's stream is
// descriptor 3.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::relay {

struct RelayOrder {
  std::string machine;                         // for log lines
  std::map<std::string, std::string> targets;  // name -> "host:port" or "unix:/path"
  std::vector<std::string> allowed;            // the job's list
  uint32_t user_id = 65534;                    // becomes this user and group, where it is root
};

std::string EncodeRelayOrder(const RelayOrder& order);
Result<RelayOrder> DecodeRelayOrder(std::string_view text);

struct RelayTarget {
  std::string host;
  uint16_t port = 0;
  std::string unix_path;  // where set: this instead
};
// Errors: config.invalid.
Result<RelayTarget> ParseRelayTarget(std::string_view text);

}  // namespace cce::relay
