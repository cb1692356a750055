#include "net/http_server.h"

#include <mutex>

#include "net/connections.h"

namespace cce::net {

struct HttpServer::Impl {
  Shared shared;
  uint16_t port = 0;
  std::once_flag stopped;
  Connections connections{shared};  // last: it uses the others to its end

  Result<> OpenTls() {
    if (shared.options.tls_key == nullptr) {
      if (!shared.options.allowed_clients.empty()) {
        return Fail("net.tls", "client keys are asked for without TLS");
      }
      return {};
    }
    ASSIGN_OR_RETURN(const auto identity,
                     TlsIdentity::Make(*shared.options.tls_key, shared.options.tls_subject));
    ASSIGN_OR_RETURN(shared.tls, MakeServerContext(identity, shared.options.allowed_clients));
    return {};
  }

  void Stop() {
    shared.stopping = true;
    connections.Drain();
    shared.pool->Stop();
    connections.Stop();
  }
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(); }
uint16_t HttpServer::port() const { return impl_->port; }

void HttpServer::Stop() {
  std::call_once(impl_->stopped, [this] { impl_->Stop(); });
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const ServerOptions& options, Router router) {
  auto impl = std::make_unique<Impl>();
  impl->shared.options = options;
  impl->shared.router = std::move(router);
  TRY(impl->OpenTls());
  ASSIGN_OR_RETURN(impl->port, impl->connections.Listen());
  impl->shared.pool = std::make_unique<WorkerPool>(options.worker_threads, options.queue_limit);
  impl->connections.Run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace cce::net
