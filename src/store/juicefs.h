// How the JuiceFS client is called, on cced's side and in the CVM: what every call has in common.
// Nothing is reported to the vendor, no debug port is open, nothing is acknowledged before it is
// uploaded, and no secret stands in an argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace cce::store {

// JuiceFS keeps what it has read for each open file, some 8 MiB, and what it reads ahead, in one
// buffer; once that is full, every read of every file sleeps for a while. So this many objects may
// be open where they are read at random, and fewer where each is read once, front to back.
inline constexpr uint32_t kJuicefsBufferMib = 300;
inline constexpr size_t kJuicefsMostOpen = 32;
inline constexpr size_t kJuicefsMostOpenInOrder = 4;

struct JuicefsMount {
  std::string program;
  std::string metadata;    // URL of the metadata engine
  std::string mountpoint;  // absolute
  std::string bucket;      // in place of the volume's own; empty: that
  // With rights to read alone, of a volume that nobody writes to: what is known stays true.
  bool read_only = false;
};
std::vector<std::string> JuicefsMountCommand(const JuicefsMount& mount);

// The client takes its secrets from its environment alone; an empty one is left out.
struct JuicefsKeys {
  std::string access_key;
  const SecretBytes* secret_key = nullptr;
  const SecretBytes* metadata_password = nullptr;
};
// `folder`: its home and temporary folder. With `alone` it has no watchdog of its own, which would
// hold the mount's descriptor and hand it to whoever asks on a socket: whoever starts it watches
// it.
std::vector<std::string> JuicefsEnvironment(const JuicefsKeys& keys, const std::string& folder,
                                            bool alone);

// store.refused or store.unreachable where the log says so, else `code`. The last line that the
// client ended with becomes the detail.
Error JuicefsError(std::string_view code, std::string message, std::string_view log);

}  // namespace cce::store
