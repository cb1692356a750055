// The JuiceFS client in the CVM: a process with its own user, mount, pid, ipc and uts namespace,
// without any capability, in a root that holds the client and libraries and nothing else. It cannot
// mount: the agent has done that and hands over the descriptor, in the way in which fusermount
// would.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::tee_agent {

// What the jail is told, on descriptor 3; the FUSE descriptor is 4.
struct JailOrder {
  std::string program;     // the client
  std::string mountpoint;  // absolute; mounted already
  std::string bucket;      // URL
  uint32_t user = 0;       // user and group id
  std::string access_key;
  SecretBytes secret_key;
  json::object metadata;  // for `juicefs load`
};
constexpr int kJailOrderFd = 3;
constexpr int kJailFuseFd = 4;
constexpr std::string_view kJailArgument = "store-jail";

std::string EncodeJailOrder(const JailOrder& order);

// The program with kJailArgument: serves the mount until it ends. Single-threaded.
int RunStoreJail();
// The program under the name "fusermount3", which the client calls for the descriptor.
bool IsFusermount(std::string_view program);
int RunFusermount(int argc, char** argv);

}  // namespace cce::tee_agent
