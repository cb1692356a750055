// Private to src/net: the server's threads that wait on sockets, the listening socket, and the
// connections (Boost.Asio and Boost.Beast, which only connections.cc compiles).
#pragma once

#include <atomic>
#include <memory>

#include "net/http_server.h"
#include "net/tls_context.h"
#include "net/worker_pool.h"

namespace cce::net {

// What all connections of a server use; it outlives them.
struct Shared {
  ServerOptions options;
  Router router;
  SslCtx tls;  // null: plain HTTP
  std::atomic<bool> stopping{false};
  std::unique_ptr<WorkerPool> pool;
};

class Connections {
 public:
  explicit Connections(Shared& shared);
  ~Connections();  // after Stop, or before Run
  // Binds; the port. net.bind_failed.
  Result<uint16_t> Listen();
  // Begins to accept and to serve.
  void Run();
  // Accepts no more, lets running requests end within the grace, breaks off the others, and returns
  // when no connection is left. Once, with `stopping` set.
  void Drain();
  // Ends the threads.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::net
