#include "net/http_server.h"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "net/exchange.h"
#include "net/tls_context.h"
#include "net/uri.h"
#include "net/worker_pool.h"

namespace cce::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// Beast reads at most this much at once; without the reservation it reads 512 bytes at a time.
constexpr size_t kReadSize = 64 * 1024;
constexpr size_t kMaxBuffer = 256 * 1024;
// An unread body up to this size is taken in to keep the connection; a larger one ends it.
constexpr uint64_t kDrainToKeep = 64 * 1024;
constexpr uint64_t kDrainToClose = 16 * 1024 * 1024;
constexpr auto kLinger = std::chrono::seconds(2);

Error ReadError(error_code ec) {
  if (ec == beast::error::timeout) {
    return MakeError("net.timeout", "the client did not send its request in time");
  }
  if (ec.category() == make_error_code(http::error::bad_method).category() &&
      ec != http::error::partial_message && ec != http::error::end_of_stream) {
    return MakeError("input.malformed", "malformed HTTP: " + ec.message());
  }
  return MakeError("net.closed", "the client closed the connection");
}

bool IsTokenOrValue(std::string_view text, bool token) {
  if (token && text.empty()) return false;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (b < 0x20 || b == 0x7f || (token && (b <= 0x20 || b >= 0x7f || c == ':'))) return false;
  }
  return true;
}

// A handler's mistake must not become a second header or response.
bool HasCleanHeaders(const Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (!IsTokenOrValue(name, true) || !IsTokenOrValue(value, false)) return false;
  }
  return response.status >= 200 && response.status <= 599;
}

struct Shared {
  ServerOptions options;
  Router router;
  std::atomic<bool> stopping{false};
  std::unique_ptr<WorkerPool> pool;
};

// What a server must be able to do with a connection of either kind.
class AnySession {
 public:
  virtual ~AnySession() = default;
  virtual void Retire() = 0;  // close where idle
  virtual void Abort() = 0;   // break off
};

template <typename Stream>
class Session final : public AnySession, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(Stream stream, Shared& shared)
      : stream_(std::move(stream)),
        shared_(shared),
        writer_event_(stream_.get_executor()),
        reader_event_(stream_.get_executor()) {}

  asio::any_io_executor Executor() { return stream_.get_executor(); }

  asio::awaitable<void> Run() {
    error_code ec;
    const auto endpoint = Socket().remote_endpoint(ec);
    if (ec) co_return;
    peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    Socket().set_option(tcp::no_delay(true), ec);
    if (!co_await Handshake()) co_return;
    while (!shared_.stopping && !broken_) {
      if (!co_await ServeOne()) break;
    }
    co_await Goodbye();
  }

  void Retire() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->idle_) self->Lowest().close();
    });
  }
  void Abort() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->Break(); });
  }

 private:
  using Parser = http::request_parser<http::buffer_body>;

  auto& Lowest() { return beast::get_lowest_layer(stream_); }
  auto& Socket() { return Lowest().socket(); }

  void Break() {
    broken_ = true;
    if (exchange_) exchange_->Abandon(MakeError("net.closed", "the connection was broken off"));
    Lowest().close();
    Wake(writer_event_);
    Wake(reader_event_);
  }

  // Events: a coroutine looks at shared state, and if there is nothing to do it waits on a timer
  // that others cancel. All of it runs on the connection's strand, so no wake-up is lost between
  // look and wait.
  static void Wake(asio::steady_timer& event) { event.cancel(); }
  static asio::awaitable<void> Wait(asio::steady_timer& event) {
    event.expires_at(asio::steady_timer::time_point::max());
    co_await event.async_wait(kToken);
  }

  asio::awaitable<bool> Handshake() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      Lowest().expires_after(shared_.options.header_timeout);
      idle_ = true;
      const auto [ec] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kToken);
      idle_ = false;
      if (ec) {
        Log(LogLevel::kInfo, "http.handshake_failed", {{"peer", peer_}, {"reason", ec.message()}});
        co_return false;
      }
      if (const auto hash = PeerSpki(stream_.native_handle())) client_key_id_ = ToHex(*hash);
    }
    co_return true;
  }

  asio::awaitable<void> Goodbye() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      if (!broken_ && Socket().is_open()) {
        Lowest().expires_after(kLinger);
        co_await stream_.async_shutdown(kToken);
      }
    }
    error_code ec;
    Socket().shutdown(tcp::socket::shutdown_send, ec);
    Lowest().close();
  }

  // Reads one request's header; false where there is none.
  asio::awaitable<bool> ReadHeader(Parser& parser) {
    buffer_.reserve(std::min<size_t>(kReadSize, shared_.options.max_header_bytes));
    if (buffer_.size() == 0) {
      idle_ = true;
      Lowest().expires_after(shared_.options.idle_timeout);
      const auto [ec, n] = co_await stream_.async_read_some(buffer_.prepare(4096), kToken);
      idle_ = false;
      if (ec) {
        broken_ = true;
        co_return false;
      }
      buffer_.commit(n);
    }
    Lowest().expires_after(shared_.options.header_timeout);
    const auto [ec, n] = co_await http::async_read_header(stream_, buffer_, parser, kToken);
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
    http::response<http::buffer_body> head;
    PrepareHead(head, response, 11, false);
    head.content_length(response.body.size());
    co_await WriteBody(head, response.body);
    co_await Linger(nullptr);
  }

  // Closes our direction and takes in what the client still sends, so that a reset does not destroy
  // our answer on its way.
  asio::awaitable<void> Linger(Parser* parser) {
    error_code ec;
    Socket().shutdown(tcp::socket::shutdown_send, ec);
    if (parser != nullptr) {
      const auto deadline = std::chrono::steady_clock::now() + kLinger;
      while (reader_running_ && !broken_ && std::chrono::steady_clock::now() < deadline) {
        writer_event_.expires_at(deadline);
        co_await writer_event_.async_wait(kToken);
      }
    } else {
      Lowest().expires_after(kLinger);
      uint64_t taken = 0;
      while (taken < kDrainToClose) {
        buffer_.clear();
        const auto [read_ec, n] =
            co_await Lowest().async_read_some(buffer_.prepare(16 * 1024), kToken);
        if (read_ec) break;
        taken += n;
      }
    }
    broken_ = true;
    Lowest().close();
  }

  // The request as the handler sees it, less its body. Errors are the client's mistakes.
  struct Head {
    std::string method, path, raw_path;
    std::map<std::string, std::string> query, headers;
  };
  static Result<Head> ReadHead(const http::request<http::buffer_body>& message) {
    Head head;
    head.method = std::string(message.method_string());
    const std::string_view target(message.target().data(), message.target().size());
    if (!target.starts_with('/') || target.find('#') != std::string_view::npos) {
      return Fail("input.malformed", "the request's target is not a path");
    }
    const size_t question = target.find('?');
    head.raw_path = std::string(target.substr(0, question));
    ASSIGN_OR_RETURN(head.path, PercentDecode(head.raw_path));
    if (question != std::string_view::npos) {
      ASSIGN_OR_RETURN(head.query, ParseQuery(target.substr(question + 1)));
    }
    for (const auto& field : message) {
      std::string name(field.name_string());
      for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      }
      const std::string value(field.value());
      auto [at, fresh] = head.headers.emplace(std::move(name), value);
      if (!fresh) at->second += ", " + value;
    }
    TRY(CheckFraming(message));
    return head;
  }
  static Result<> CheckFraming(const http::request<http::buffer_body>& message) {
    const auto bad = [](const char* what) { return Fail("input.malformed", what); };
    if (message.version() != 10 && message.version() != 11) return bad("not HTTP/1.1");
    const size_t hosts = message.count(http::field::host);
    if (hosts > 1 || (hosts == 0 && message.version() == 11)) return bad("not exactly one Host");
    const size_t lengths = message.count(http::field::content_length);
    const size_t codings = message.count(http::field::transfer_encoding);
    if (lengths + codings > 1) return bad("more than one length of the body");
    if (codings == 1 && (message.version() != 11 ||
                         !beast::iequals(message[http::field::transfer_encoding], "chunked"))) {
      return bad("a transfer coding that is not taken");
    }
    if (lengths == 1) {
      const auto value = message[http::field::content_length];
      for (const char c : value) {
        if (c < '0' || c > '9') return bad("Content-Length is not a number");
      }
    }
    return {};
  }

  // Serves one request; false where the connection is to end.
  asio::awaitable<bool> ServeOne() {
    Parser parser;
    parser.header_limit(shared_.options.max_header_bytes);
    // Our own count below; boost::none would refuse every declared body in this Boost.
    parser.body_limit(std::numeric_limits<uint64_t>::max());
    if (!co_await ReadHeader(parser)) co_return false;
    const auto& message = parser.get();
    auto head = ReadHead(message);
    if (!head) {
      co_await Refuse(head.error());
      co_return false;
    }
    std::optional<uint64_t> declared;
    if (const auto length = parser.content_length()) declared = *length;
    expects_continue_ = beast::iequals(message[http::field::expect], "100-continue");
    version_ = message.version();
    keep_alive_ = parser.keep_alive();
    is_head_ = head->method == "HEAD";

    StartExchange(parser, declared);
    StartHandler(std::move(*head), declared);
    const bool ok = co_await WriteAnswer(parser);
    exchange_->Abandon(MakeError("net.closed", "the connection was closed"));
    discard_ = true;
    Wake(reader_event_);
    while (reader_running_) {
      if (!ok) Lowest().close();
      co_await Wait(writer_event_);
    }
    exchange_.reset();
    co_return ok && !broken_;
  }

  void StartExchange(Parser& parser, std::optional<uint64_t> declared) {
    auto self = this->shared_from_this();
    const auto executor = stream_.get_executor();
    discard_ = false;
    asked_for_body_ = false;
    body_limit_ = 0;
    body_taken_ = 0;
    exchange_ = std::make_shared<Exchange>(
        declared, !parser.is_done(),
        [self, executor] { asio::post(executor, [self] { Wake(self->reader_event_); }); },
        [self, executor] { asio::post(executor, [self] { Wake(self->writer_event_); }); });
    if (parser.is_done()) return;
    reader_running_ = true;
    asio::co_spawn(executor, [self, &parser] { return self->ReadBody(parser); }, asio::detached);
  }

  void StartHandler(Head head, std::optional<uint64_t> declared) {
    auto match = shared_.router.Find(head.method, head.raw_path);
    std::optional<Error> refusal;
    if (!match) {
      refusal = match.error();
    } else if (declared && *declared > match->max_body) {
      refusal = TooLarge(match->max_body);
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

  static Error TooLarge(uint64_t max) {
    return MakeError("input.too_large", "the request's body is too large")
        .Expected("at most " + std::to_string(max) + " bytes");
  }

  static void RunHandler(const Handler& handler, Request& request, Exchange& exchange) {
    const bool is_head = request.method == "HEAD";
    std::string what;
    try {
      Response response = handler(request);
      if (HasCleanHeaders(response)) {
        exchange.Answer(std::move(response), is_head);
        return;
      }
      what = "a response with a malformed status or header";
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) {
      what = "an unknown exception";
    }
    Log(LogLevel::kError, "http.handler_failed", {{"path", request.path}, {"reason", what}});
    exchange.Answer(Response::Problem(MakeError("internal.bug", "the request's handler failed")),
                    is_head);
  }

  // The reading half: fills chunks while the handler wants them, then takes in and drops the rest.
  asio::awaitable<void> ReadBody(Parser& parser) {
    auto self = this->shared_from_this();
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
        exchange_->FailBody(ec ? ReadError(ec) : TooLarge(body_limit_));
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
    if (!expects_continue_) co_return true;
    expects_continue_ = false;
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    Lowest().expires_after(shared_.options.body_timeout);
    const auto [ec, n] = co_await asio::async_write(stream_, asio::buffer(kContinue), kToken);
    co_return !ec;
  }

  asio::awaitable<error_code> FillChunk(Parser& parser, Chunk& chunk) {
    auto& body = parser.get().body();
    body.data = chunk.buffer.data();
    body.size = chunk.buffer.size();
    body.more = true;
    Lowest().expires_after(shared_.options.body_timeout);
    auto [ec, n] = co_await http::async_read(stream_, buffer_, parser, kToken);
    if (ec == http::error::need_buffer) ec = {};
    chunk.size = chunk.buffer.size() - body.size;
    co_return ec;
  }

  void PrepareHead(http::response<http::buffer_body>& head, const Response& response,
                   unsigned version, bool keep_alive) {
    head.result(static_cast<unsigned>(response.status));
    head.version(version);
    for (const auto& [name, value] : response.headers) head.set(name, value);
    head.keep_alive(keep_alive);
  }

  // The writing half. False where the connection must end.
  asio::awaitable<bool> WriteAnswer(Parser& parser) {
    std::optional<Response> response;
    while (!broken_ && !(response = exchange_->TakeHead())) co_await Wait(writer_event_);
    if (broken_) co_return false;
    const bool unread = co_await SettleBody(parser);
    if (broken_) co_return false;
    http::response<http::buffer_body> head;
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
    if (ok && unread) {
      discard_ = true;
      Wake(reader_event_);
      co_await Linger(&parser);
    }
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

  asio::awaitable<bool> WriteBody(http::response<http::buffer_body>& head, Bytes& body) {
    http::response_serializer<http::buffer_body> serializer(head);
    if (is_head_) {
      serializer.split(true);
      head.body().data = nullptr;
      head.body().more = false;
      Lowest().expires_after(shared_.options.body_timeout);
      const auto [ec, n] = co_await http::async_write_header(stream_, serializer, kToken);
      co_return !ec;
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

  asio::awaitable<bool> WritePiece(http::response_serializer<http::buffer_body>& serializer,
                                   http::response<http::buffer_body>& head, uint8_t* data,
                                   size_t size, bool more) {
    head.body().data = data;
    head.body().size = size;
    head.body().more = more;
    Lowest().expires_after(shared_.options.body_timeout);
    const auto [ec, n] = co_await http::async_write(stream_, serializer, kToken);
    co_return !ec || ec == http::error::need_buffer;
  }

  asio::awaitable<bool> WriteStream(http::response<http::buffer_body>& head,
                                    std::optional<uint64_t> size) {
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
    http::response_serializer<http::buffer_body> serializer(head);
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

  Stream stream_;
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

struct HttpServer::Impl {
  Shared shared;
  std::optional<asio::ssl::context> tls;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::strand<asio::io_context::executor_type> accept_strand{asio::make_strand(io)};
  tcp::acceptor acceptor{accept_strand};
  uint16_t port = 0;
  std::vector<std::thread> threads;

  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::shared_ptr<AnySession>> sessions;
  std::once_flag stopped;

  Result<> Open() {
    error_code ec;
    const auto address = asio::ip::make_address(shared.options.address, ec);
    const tcp::endpoint endpoint(address, shared.options.port);
    if (!ec) acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (!ec) port = acceptor.local_endpoint(ec).port();
    if (ec) {
      return Fail("net.bind_failed", "cannot listen on " + shared.options.address + ":" +
                                         std::to_string(shared.options.port) + ": " + ec.message());
    }
    return {};
  }

  Result<> OpenTls() {
    if (shared.options.tls_key == nullptr) {
      if (!shared.options.allowed_clients.empty()) {
        return Fail("net.tls", "client keys are asked for without TLS");
      }
      return {};
    }
    ASSIGN_OR_RETURN(const auto identity,
                     TlsIdentity::Make(*shared.options.tls_key, shared.options.tls_subject));
    ASSIGN_OR_RETURN(SslCtx ctx, MakeServerContext(identity, shared.options.allowed_clients));
    tls.emplace(ctx.release());
    return {};
  }

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
      beast::tcp_stream stream(std::move(socket));
      if (tls) {
        Launch(std::make_shared<Session<TlsStream>>(TlsStream(std::move(stream), *tls), shared));
      } else {
        Launch(std::make_shared<Session<beast::tcp_stream>>(std::move(stream), shared));
      }
    }
  }

  template <typename S>
  void Launch(std::shared_ptr<S> session) {
    {
      const std::lock_guard lock(mutex);
      if (sessions.size() >= shared.options.max_connections) return;  // closes it
      sessions.insert(session);
    }
    auto run = [session] { return session->Run(); };
    asio::co_spawn(session->Executor(), std::move(run), [this, session](std::exception_ptr failed) {
      if (failed) session->Abort();  // out of memory: the handler must not wait for ever
      const std::lock_guard lock(mutex);
      sessions.erase(session);
      changed.notify_all();
    });
  }

  void ForEachSession(void (AnySession::*what)()) {
    const std::lock_guard lock(mutex);
    for (const auto& session : sessions) ((*session).*what)();
  }

  void Stop() {
    shared.stopping = true;
    asio::post(accept_strand, [this] {
      error_code ec;
      acceptor.close(ec);
    });
    ForEachSession(&AnySession::Retire);
    const auto none = [this] { return sessions.empty(); };
    {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, shared.options.stop_grace, none);
    }
    while (true) {
      ForEachSession(&AnySession::Abort);
      std::unique_lock lock(mutex);
      if (changed.wait_for(lock, std::chrono::milliseconds(50), none)) break;
    }
    shared.pool->Stop();
    work.reset();
    io.stop();
    for (std::thread& thread : threads) thread.join();
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
  TRY(impl->Open());
  impl->shared.pool = std::make_unique<WorkerPool>(options.worker_threads, options.queue_limit);
  Impl& server = *impl;
  asio::co_spawn(server.accept_strand, [&server] { return server.Accept(); }, asio::detached);
  for (size_t i = 0; i < options.io_threads; ++i) {
    server.threads.emplace_back([&server] { server.io.run(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace cce::net
