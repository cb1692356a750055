// The relay's end of the channel: answers the guest's CONNECT to a name with a connection to that
// name's target. Everything the guest sends is hostile: names off the list get 403 and a log line,
// and memory is bounded by 256 KiB a stream in each direction.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace cce::channel {

struct TunnelTarget {
  std::string host;  // name or address; resolved once, when the server is made
  uint16_t port = 0;
  std::string unix_path;  // where set: this instead
};

struct TunnelEvent {
  enum class Kind { kOpened, kRefused, kUnreachable, kClosed };
  Kind kind = Kind::kOpened;
  std::string name;         // as asked for; control characters replaced, at most 64 bytes
  std::string reason;       // of kRefused and kUnreachable
  uint64_t from_guest = 0;  // bytes, of kClosed
  uint64_t to_guest = 0;
};

struct TunnelServerOptions {
  std::map<std::string, TunnelTarget> targets;
  std::set<std::string> allowed;  // the job's list; a name must be here and in `targets`
  size_t max_streams = 64;
  std::chrono::milliseconds connect_timeout{10'000};
  std::function<void(const TunnelEvent&)> log;  // from the thread of Run; must not block
};

class TunnelServer {
 public:
  TunnelServer(UniqueFd stream, TunnelServerOptions options);
  ~TunnelServer();

  // Serves on this thread until the stream ends (success) or breaks the protocol
  // (channel.protocol), or Stop.
  Result<> Run();
  void Stop();  // from any thread
  // Takes `name` off the list and closes its streams (prefetch mode, once all is fetched). From any
  // thread.
  void Forbid(std::string_view name);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::channel
