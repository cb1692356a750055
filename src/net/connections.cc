#include "net/connections.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include "net/session.h"

namespace cce::net {

struct Connections::Impl {
  explicit Impl(Shared& s) : shared(s) {}

  Shared& shared;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::strand<asio::io_context::executor_type> accept_strand{io.get_executor()};
  tcp::acceptor acceptor{accept_strand};
  std::vector<std::thread> threads;

  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::shared_ptr<Session>> sessions;

  asio::awaitable<void> Accept() {
    while (!shared.stopping) {
      auto [ec, socket] =
          co_await acceptor.async_accept(asio::any_io_executor(asio::make_strand(io)), kToken);
      if (shared.stopping) break;
      if (ec) {
        // Out of descriptors and the like: not a reason to spin.
        asio::steady_timer pause(accept_strand, std::chrono::milliseconds(50));
        co_await pause.async_wait(kToken);
        continue;
      }
      Launch(std::make_shared<Session>(std::move(socket), shared));
    }
  }

  void Launch(const std::shared_ptr<Session>& session) {
    {
      const std::lock_guard lock(mutex);
      if (sessions.size() >= shared.options.max_connections) return;  // closes it
      sessions.insert(session);
    }
    asio::co_spawn(session->Executor(), session->Run(),
                   [this, session](const std::exception_ptr& failed) {
                     // Out of memory: the handler must not wait for ever.
                     if (failed) session->Abort();
                     const std::lock_guard lock(mutex);
                     sessions.erase(session);
                     changed.notify_all();
                   });
  }

  void ForEachSession(void (Session::*what)()) {
    const std::lock_guard lock(mutex);
    for (const auto& session : sessions) ((*session).*what)();
  }

  // The socket's own writes under TLS raise SIGPIPE where the client is gone; the error is enough.
  void Serve() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    io.run();
  }
};

Connections::Connections(Shared& shared) : impl_(std::make_unique<Impl>(shared)) {}
Connections::~Connections() = default;

Result<uint16_t> Connections::Listen() {
  const ServerOptions& options = impl_->shared.options;
  tcp::acceptor& acceptor = impl_->acceptor;
  error_code ec;
  uint16_t port = 0;
  const tcp::endpoint endpoint(asio::ip::make_address(options.address, ec), options.port);
  if (!ec) std::ignore = acceptor.open(endpoint.protocol(), ec);
  if (!ec) std::ignore = acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) std::ignore = acceptor.bind(endpoint, ec);
  if (!ec) std::ignore = acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (!ec) port = acceptor.local_endpoint(ec).port();
  if (ec) {
    return Fail("net.bind_failed", "cannot listen on " + options.address + ":" +
                                       std::to_string(options.port) + ": " + ec.message());
  }
  return port;
}

void Connections::Run() {
  asio::co_spawn(impl_->accept_strand, impl_->Accept(), asio::detached);
  for (size_t i = 0; i < impl_->shared.options.io_threads; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->Serve(); });
  }
}

void Connections::Drain() {
  asio::post(impl_->accept_strand, [impl = impl_.get()] {
    error_code ec;
    std::ignore = impl->acceptor.close(ec);
  });
  impl_->ForEachSession(&Session::Retire);
  const auto none = [this] { return impl_->sessions.empty(); };
  {
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait_for(lock, impl_->shared.options.stop_grace, none);
  }
  while (true) {
    impl_->ForEachSession(&Session::Abort);
    std::unique_lock lock(impl_->mutex);
    if (impl_->changed.wait_for(lock, std::chrono::milliseconds(50), none)) break;
  }
}

void Connections::Stop() {
  impl_->work.reset();
  impl_->io.stop();
  for (std::thread& thread : impl_->threads) thread.join();
}

}  // namespace cce::net
