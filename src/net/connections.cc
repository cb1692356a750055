#include "net/connections.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/read_size.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "net/channel.h"
#include "net/exchange.h"
#include "net/request_head.h"

namespace cce::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr size_t kReadSize = size_t{64} * 1024;
constexpr size_t kMaxBuffer = size_t{256} * 1024;
// An unread body up to this size is taken in to keep the connection; a larger one ends it.
constexpr uint64_t kDrainToKeep = uint64_t{64} * 1024;
constexpr uint64_t kDrainToClose = uint64_t{16} * 1024 * 1024;
constexpr auto kLinger = std::chrono::seconds(2);

using Parser = http::request_parser<http::buffer_body>;
using ResponseHead = http::response<http::buffer_body>;
using Serializer = http::response_serializer<http::buffer_body>;

Error ReadError(error_code ec) {
  if (ec == asio::error::timed_out) {
    return MakeError("net.timeout", "the client did not send its request in time");
  }
  if (ec.category() == make_error_code(http::error::bad_method).category() &&
      ec != http::error::partial_message && ec != http::error::end_of_stream) {
    return MakeError("input.malformed", "malformed HTTP: " + ec.message());
  }
  return MakeError("net.closed", "the client closed the connection");
}

RawHead ToRawHead(const http::request<http::buffer_body>& message) {
  RawHead raw;
  raw.method = std::string(message.method_string());
  raw.target = std::string(message.target());
  raw.version = message.version();
  for (const auto& field : message) {
    raw.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  return raw;
}

void PrepareHead(ResponseHead& head, const Response& response, unsigned version, bool keep_alive) {
  head.result(static_cast<unsigned>(response.status));
  head.version(version);
  for (const auto& [name, value] : response.headers) head.set(name, value);
  head.keep_alive(keep_alive);
}

// One connection. All of it runs on the socket's strand; a request's body is read by a coroutine of
// its own.
class Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Shared& shared)
      : channel_(std::make_shared<Channel>(std::move(socket), shared.tls.get())),
        shared_(shared),
        writer_event_(Executor()),
        reader_event_(Executor()) {}

  asio::any_io_executor Executor() { return channel_->Executor(); }

  asio::awaitable<void> Run() {
    error_code ec;
    const auto endpoint = channel_->socket.remote_endpoint(ec);
    if (!ec) channel_->socket.native_non_blocking(true, ec);
    if (ec) co_return;
    peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    channel_->socket.set_option(tcp::no_delay(true), ec);
    if (channel_->wire.is_tls() && !co_await Handshake()) co_return;
    while (!shared_.stopping && !broken_) {
      if (!co_await ServeOne()) break;
    }
    if (channel_->wire.is_tls() && !broken_) {
      channel_->writing.Set(kLinger);
      co_await channel_->Go(channel_->writing, [this] { return channel_->wire.Shutdown(); });
    }
    channel_->socket.shutdown(tcp::socket::shutdown_send, ec);
    channel_->Close();
  }

  // Closes where idle.
  void Retire() {
    asio::post(Executor(), [self = shared_from_this()] {
      if (self->idle_) self->channel_->Close();
    });
  }
  // Breaks off.
  void Abort() {
    asio::post(Executor(), [self = shared_from_this()] { self->Break(); });
  }

 private:
  void Break() {
    broken_ = true;
    if (exchange_) exchange_->Abandon(MakeError("net.closed", "the connection was broken off"));
    channel_->Close();
    Wake(writer_event_);
    Wake(reader_event_);
  }

  // Events: a coroutine looks at shared state, and if there is nothing to do it waits on a timer
  // that others cancel. All of it runs on the connection's strand, so no wake-up is lost between
  // look and wait.
  static void Wake(asio::steady_timer& event) { event.cancel(); }
  static asio::awaitable<void> Wait(asio::steady_timer& event,
                                    Clock::time_point until = Clock::time_point::max()) {
    event.expires_at(until);
    co_await event.async_wait(kToken);
  }

  // Some bytes more into the buffer.
  asio::awaitable<error_code> ReadSome(size_t size) {
    const auto space = buffer_.prepare(size);
    const std::span out(static_cast<uint8_t*>(space.data()), space.size());
    const Channel::Moved moved =
        co_await channel_->Go(channel_->reading, [this, out] { return channel_->wire.Read(out); });
    buffer_.commit(moved.size);
    co_return moved.ec;
  }

  // Parses the header, or as much of the body as its buffer takes.
  asio::awaitable<error_code> Parse(Parser& parser, bool header_only) {
    parser.eager(!header_only);
    while (!(header_only ? parser.is_header_done() : parser.is_done())) {
      error_code ec;
      if (buffer_.size() > 0) {
        buffer_.consume(parser.put(buffer_.data(), ec));
        if (!ec) continue;
        if (ec != http::error::need_more) co_return ec;
      }
      const size_t size = beast::read_size(buffer_, kReadSize);
      if (size == 0) co_return http::error::buffer_overflow;
      ec = co_await ReadSome(size);
      if (ec == asio::error::eof && parser.got_some()) {
        ec = {};
        parser.put_eof(ec);
        co_return ec;
      }
      if (ec) co_return ec;
    }
    co_return error_code{};
  }

  // Writes what the serializer has: to the end, or until it needs more of the body.
  asio::awaitable<bool> WriteOut(Serializer& serializer, bool header_only) {
    channel_->writing.Set(shared_.options.body_timeout);
    while (!(header_only ? serializer.is_header_done() : serializer.is_done())) {
      error_code ec;
      std::vector<iovec> pieces;
      size_t total = 0;
      serializer.next(ec, [&](error_code& none, const auto& buffers) {
        none = {};
        for (const asio::const_buffer b : beast::buffers_range_ref(buffers)) {
          pieces.push_back({const_cast<void*>(b.data()), b.size()});
          total += b.size();
        }
      });
      if (ec == http::error::need_buffer) co_return true;
      if (ec || !co_await channel_->WriteAll(std::move(pieces), total)) co_return false;
      serializer.consume(total);
    }
    co_return true;
  }

  asio::awaitable<bool> Handshake() {
    channel_->reading.Set(shared_.options.header_timeout);
    idle_ = true;
    const Channel::Moved moved =
        co_await channel_->Go(channel_->reading, [this] { return channel_->wire.Handshake(); });
    idle_ = false;
    if (moved.ec) {
      const std::string reason =
          channel_->wire.reason().empty() ? moved.ec.message() : channel_->wire.reason();
      Log(LogLevel::kInfo, "http.handshake_failed", {{"peer", peer_}, {"reason", reason}});
      co_return false;
    }
    if (const auto hash = channel_->wire.peer_key()) client_key_id_ = ToHex(*hash);
    co_return true;
  }

  // Reads one request's header; false where there is none.
  asio::awaitable<bool> ReadHeader(Parser& parser) {
    buffer_.reserve(std::min<size_t>(kReadSize, shared_.options.max_header_bytes));
    if (buffer_.size() == 0) {
      idle_ = true;
      channel_->reading.Set(shared_.options.idle_timeout);
      const error_code ec = co_await ReadSome(4096);
      idle_ = false;
      if (ec) {
        broken_ = true;
        co_return false;
      }
    }
    channel_->reading.Set(shared_.options.header_timeout);
    const error_code ec = co_await Parse(parser, true);
    if (!ec) co_return true;
    const Error error = ReadError(ec);
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
      co_await Refuse(MakeError("http.header_too_large", "the request's header is too large"));
    } else if (error.code == "input.malformed") {
      co_await Refuse(error);
    } else {
      broken_ = true;
    }
    co_return false;
  }

  // Answers where there is no request to go on with, then closes.
  asio::awaitable<void> Refuse(const Error& error) {
    Response response = Response::Problem(error);
    ResponseHead head;
    PrepareHead(head, response, 11, false);
    head.content_length(response.body.size());
    co_await WriteBody(head, response.body);
    error_code ec;
    channel_->socket.shutdown(tcp::socket::shutdown_send, ec);
    co_await DrainSocket();
    broken_ = true;
    channel_->Close();
  }

  // Takes in what the client still sends, so that a reset does not destroy our answer on its way.
  asio::awaitable<void> DrainSocket() {
    channel_->reading.Set(kLinger);
    Bytes space(16 * 1024);
    for (uint64_t taken = 0; taken < kDrainToClose;) {
      const Channel::Moved moved =
          co_await channel_->Go(channel_->reading, [&] { return channel_->wire.ReadRaw(space); });
      if (moved.ec) break;
      taken += moved.size;
    }
  }

  // The same where the reading half takes in the rest of a body.
  asio::awaitable<void> DrainBody() {
    discard_ = true;
    Wake(reader_event_);
    error_code ec;
    channel_->socket.shutdown(tcp::socket::shutdown_send, ec);
    const auto until = Clock::now() + kLinger;
    while (reader_running_ && !broken_ && Clock::now() < until) co_await Wait(writer_event_, until);
    broken_ = true;
    channel_->Close();
  }

  // Serves one request; false where the connection is to end.
  asio::awaitable<bool> ServeOne() {
    Parser parser;
    parser.header_limit(shared_.options.max_header_bytes);
    // Our own count below; boost::none would refuse every declared body in this Boost.
    parser.body_limit(std::numeric_limits<uint64_t>::max());
    if (!co_await ReadHeader(parser)) co_return false;
    auto head = ReadHead(ToRawHead(parser.get()));
    if (!head) {
      co_await Refuse(head.error());
      co_return false;
    }
    std::optional<uint64_t> declared;
    if (const auto length = parser.content_length()) declared = *length;
    expects_continue_ = head->expects_continue;
    version_ = parser.get().version();
    keep_alive_ = parser.keep_alive();
    is_head_ = head->method == "HEAD";

    StartExchange(parser, declared);
    StartHandler(std::move(*head), declared);
    const bool ok = co_await WriteAnswer(parser);
    exchange_->Abandon(MakeError("net.closed", "the connection was closed"));
    discard_ = true;
    Wake(reader_event_);
    while (reader_running_) {
      if (!ok) channel_->Close();
      co_await Wait(writer_event_);
    }
    exchange_.reset();
    co_return ok && !broken_;
  }

  void StartExchange(Parser& parser, std::optional<uint64_t> declared) {
    auto self = shared_from_this();
    discard_ = false;
    asked_for_body_ = false;
    body_limit_ = 0;
    body_taken_ = 0;
    exchange_ = std::make_shared<Exchange>(
        declared, !parser.is_done(),
        [self] { asio::post(self->Executor(), [self] { Wake(self->reader_event_); }); },
        [self] { asio::post(self->Executor(), [self] { Wake(self->writer_event_); }); });
    if (parser.is_done()) return;
    reader_running_ = true;
    asio::co_spawn(Executor(), ReadBody(self, parser), asio::detached);
  }

  void StartHandler(RequestHead head, std::optional<uint64_t> declared) {
    auto match = shared_.router.Find(head.method, head.raw_path);
    std::optional<Error> refusal;
    if (!match) {
      refusal = match.error();
    } else if (declared && *declared > match->max_body) {
      refusal = BodyTooLarge(match->max_body);
    } else {
      body_limit_ = match->max_body;
      auto job = [exchange = exchange_, head = std::move(head), match = std::move(*match),
                  peer = peer_, key = client_key_id_]() mutable {
        Request request{std::move(head.method),  std::move(head.path),
                        std::move(head.query),   std::move(match.params),
                        std::move(head.headers), std::move(peer),
                        std::move(key),          *exchange};
        RunHandler(*match.handler, request, *exchange);
      };
      if (shared_.pool->TryPost(std::move(job))) return;
      refusal = MakeError("http.busy", "all workers are busy");
    }
    Response response = Response::Problem(*refusal);
    if (refusal->code == "http.busy") response.headers["Retry-After"] = "1";
    if (refusal->code == "http.method_not_allowed") response.headers["Allow"] = refusal->expected;
    exchange_->Answer(std::move(response), is_head_);
  }

  // The reading half: fills chunks while the handler wants them, then takes in and drops the rest.
  // `self` keeps the connection.
  asio::awaitable<void> ReadBody(std::shared_ptr<Session> self, Parser& parser) {
    uint64_t dropped = 0;
    Chunk chunk;
    while (!broken_ && !parser.is_done()) {
      if (!discard_ && !exchange_->WantsBody()) {
        co_await Wait(reader_event_);
        continue;
      }
      if (!asked_for_body_ && !discard_ && !co_await AskForBody()) break;
      asked_for_body_ = true;
      if (chunk.buffer.empty()) chunk = exchange_->EmptyChunk();
      const error_code ec = co_await FillChunk(parser, chunk);
      body_taken_ += chunk.size;
      if (discard_) {
        dropped += chunk.size;
        if (ec || dropped > kDrainToClose) break;
        continue;
      }
      if (ec || body_taken_ > body_limit_) {
        exchange_->FailBody(ec ? ReadError(ec) : BodyTooLarge(body_limit_));
        if (ec) break;
        discard_ = true;
        continue;
      }
      if (chunk.size > 0) exchange_->PushBody(std::exchange(chunk, {}));
    }
    if (parser.is_done()) {
      exchange_->EndBody();
    } else {
      exchange_->FailBody(MakeError("net.closed", "the client closed the connection"));
    }
    reader_running_ = false;
    Wake(writer_event_);
  }

  // The handler waits in Read, so nothing else writes now.
  asio::awaitable<bool> AskForBody() {
    buffer_.reserve(kReadSize);
    if (!std::exchange(expects_continue_, false)) co_return true;
    std::string text = "HTTP/1.1 100 Continue\r\n\r\n";
    channel_->writing.Set(shared_.options.body_timeout);
    co_return co_await channel_->WriteAll({{text.data(), text.size()}}, text.size());
  }

  asio::awaitable<error_code> FillChunk(Parser& parser, Chunk& chunk) {
    auto& body = parser.get().body();
    body.data = chunk.buffer.data();
    body.size = chunk.buffer.size();
    body.more = true;
    channel_->reading.Set(shared_.options.body_timeout);
    error_code ec = co_await Parse(parser, false);
    if (ec == http::error::need_buffer) ec = {};
    chunk.size = chunk.buffer.size() - body.size;
    co_return ec;
  }

  // The writing half. False where the connection must end.
  asio::awaitable<bool> WriteAnswer(Parser& parser) {
    std::optional<Response> response;
    while (!broken_ && !(response = exchange_->TakeHead())) co_await Wait(writer_event_);
    if (broken_) co_return false;
    const bool unread = co_await SettleBody(parser);
    if (broken_) co_return false;
    ResponseHead head;
    const bool keep = keep_alive_ && !unread && !shared_.stopping;
    PrepareHead(head, *response, version_, keep);
    const bool bodyless = response->status == 204 || response->status == 304;
    bool ok = false;
    if (response->stream && !bodyless) {
      ok = co_await WriteStream(head, response->stream_size);
    } else {
      if (!bodyless) head.content_length(response->body.size());
      ok = co_await WriteBody(head, response->body);
    }
    if (ok && unread) co_await DrainBody();
    co_return ok&& keep;
  }

  // What to do about a body that the handler has not read to its end: true where it stays unread.
  asio::awaitable<bool> SettleBody(Parser& parser) {
    if (parser.is_done()) co_return false;
    const auto length = parser.content_length();
    const bool small = length && *length - body_taken_ <= kDrainToKeep && !expects_continue_;
    if (!small) co_return true;
    discard_ = true;
    Wake(reader_event_);
    while (reader_running_ && !broken_) co_await Wait(writer_event_);
    co_return !parser.is_done();
  }

  asio::awaitable<bool> WriteBody(ResponseHead& head, Bytes& body) {
    Serializer serializer(head);
    if (is_head_) {
      serializer.split(true);
      head.body().data = nullptr;
      head.body().more = false;
      co_return co_await WriteOut(serializer, true);
    }
    size_t at = 0;
    do {
      const size_t n = std::min(body.size() - at, Exchange::kChunkSize);
      const bool more = at + n < body.size();
      if (!co_await WritePiece(serializer, head, n == 0 ? nullptr : body.data() + at, n, more)) {
        co_return false;
      }
      at += n;
    } while (at < body.size());
    co_return true;
  }

  asio::awaitable<bool> WritePiece(Serializer& serializer, ResponseHead& head, uint8_t* data,
                                   size_t size, bool more) {
    head.body().data = data;
    head.body().size = size;
    head.body().more = more;
    return WriteOut(serializer, false);
  }

  asio::awaitable<bool> WriteStream(ResponseHead& head, std::optional<uint64_t> size) {
    if (size) {
      head.content_length(*size);
    } else if (version_ == 11) {
      head.chunked(true);
    } else {
      head.keep_alive(false);
      keep_alive_ = false;
    }
    if (is_head_) {
      Bytes none;
      co_return co_await WriteBody(head, none);
    }
    Serializer serializer(head);
    uint64_t written = 0;
    bool begun = false;
    for (;;) {
      Chunk chunk;
      const auto next = broken_ ? Exchange::Next::kBroken : exchange_->TakeChunk(chunk);
      if (next == Exchange::Next::kBroken) co_return false;
      if (next == Exchange::Next::kEnd) break;
      if (next == Exchange::Next::kNothing) {
        // The head goes out at once, also where the first bytes take their time.
        if (!std::exchange(begun, true)) {
          if (!co_await WritePiece(serializer, head, nullptr, 0, true)) co_return false;
        } else {
          co_await Wait(writer_event_);
        }
        continue;
      }
      begun = true;
      written += chunk.size;
      const bool more = !size || written < *size;
      if (!co_await WritePiece(serializer, head, chunk.buffer.data(), chunk.size, more)) {
        co_return false;
      }
      exchange_->ReturnChunk(std::move(chunk));
    }
    if (!serializer.is_done()) co_return co_await WritePiece(serializer, head, nullptr, 0, false);
    co_return true;
  }

  const std::shared_ptr<Channel> channel_;
  Shared& shared_;
  beast::flat_buffer buffer_{kMaxBuffer};
  asio::steady_timer writer_event_;
  asio::steady_timer reader_event_;
  std::string peer_;
  std::string client_key_id_;
  std::shared_ptr<Exchange> exchange_;
  uint64_t body_limit_ = 0;
  uint64_t body_taken_ = 0;
  unsigned version_ = 11;
  bool idle_ = false;
  bool broken_ = false;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool expects_continue_ = false;
  bool asked_for_body_ = false;
  bool discard_ = false;
  bool reader_running_ = false;
};

}  // namespace

struct Connections::Impl {
  explicit Impl(Shared& s) : shared(s) {}

  Shared& shared;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::any_io_executor accept_strand{asio::make_strand(io)};
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
    asio::co_spawn(session->Executor(), session->Run(), [this, session](std::exception_ptr failed) {
      if (failed) session->Abort();  // out of memory: the handler must not wait for ever
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
  if (!ec) acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
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
    impl->acceptor.close(ec);
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
