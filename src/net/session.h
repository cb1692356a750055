// Compiled only into connections.cc: one connection, from handshake to end.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/read_size.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

#include "base/log.h"
#include "net/channel.h"
#include "net/connections.h"
#include "net/exchange.h"
#include "net/request_head.h"
#include "net/response_writer.h"

namespace cce::net {

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
    if (!ec) ec = channel_->socket.native_non_blocking(true, ec);
    if (ec) co_return;
    peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    ec = channel_->socket.set_option(tcp::no_delay(true), ec);
    if (channel_->wire.is_tls() && !co_await Handshake()) co_return;
    while (!shared_.stopping && !broken_) {
      if (!co_await ServeOne()) break;
    }
    if (channel_->wire.is_tls() && !broken_) {
      channel_->writing.Set(kLinger);
      co_await channel_->Go(channel_->writing, [this] { return channel_->wire.Shutdown(); });
    }
    ec = channel_->socket.shutdown(tcp::socket::shutdown_send, ec);
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
  using Parser = http::request_parser<http::buffer_body>;

  static constexpr size_t kReadSize = size_t{64} * 1024;
  static constexpr size_t kMaxBuffer = size_t{256} * 1024;
  // An unread body up to this size is taken in to keep the connection; a larger one ends it.
  static constexpr uint64_t kDrainToKeep = uint64_t{64} * 1024;
  static constexpr uint64_t kDrainToClose = uint64_t{16} * 1024 * 1024;
  static constexpr auto kLinger = std::chrono::seconds(2);
  // While a client owes us at least kManyLeft of a body, these bytes are sure to come to the socket
  // (and not to lie in OpenSSL's buffer) until the chunk at hand is full.
  static constexpr size_t kWakeAt = size_t{128} * 1024;
  static constexpr uint64_t kManyLeft = 2 * Exchange::kChunkSize;
  static_assert(kManyLeft >= Exchange::kChunkSize + kTlsReadAhead + kWakeAt);

  static Error ReadError(error_code ec) {
    if (ec == asio::error::timed_out) {
      return MakeError("net.timeout", "the client did not send its request in time");
    }
    if (ec.category() == make_error_code(http::error::bad_method).category() &&
        ec != http::error::partial_message && ec != http::error::end_of_stream) {
      return MakeError("input.malformed", "malformed HTTP: " + ec.message());
    }
    return MakeError("net.closed", "the client closed the connection");
  }

  static RawHead ToRawHead(const http::request<http::buffer_body>& message) {
    RawHead raw;
    raw.method = std::string(message.method_string());
    raw.target = std::string(message.target());
    raw.version = message.version();
    for (const auto& field : message) {
      raw.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    return raw;
  }

  void Break() {
    broken_ = true;
    if (exchange_) exchange_->Abandon(MakeError("net.closed", "the connection was broken off"));
    channel_->Close();
    writer_event_.Wake();
    reader_event_.Wake();
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

  // Parses the header, or as much of a chunked body as its buffer takes.
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
    const Response response = Response::Problem(error);
    co_await ResponseWriter(*channel_, shared_.options.body_timeout, 11, false)
        .Write(response, false);
    error_code ec;
    ec = channel_->socket.shutdown(tcp::socket::shutdown_send, ec);
    co_await DrainSocket();
    broken_ = true;
    channel_->Close();
  }

  // Takes in what the client still sends, so that a reset does not destroy our answer on its way.
  asio::awaitable<void> DrainSocket() {
    channel_->reading.Set(kLinger);
    Bytes space(size_t{16} * 1024);
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
    reader_event_.Wake();
    error_code ec;
    ec = channel_->socket.shutdown(tcp::socket::shutdown_send, ec);
    const auto until = Clock::now() + kLinger;
    while (reader_running_ && !broken_ && Clock::now() < until) co_await writer_event_.Wait(until);
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
    declared_.reset();
    if (const auto length = parser.content_length()) declared_ = *length;
    expects_continue_ = head->expects_continue;
    version_ = parser.get().version();
    keep_alive_ = parser.keep_alive();
    is_head_ = head->method == "HEAD";

    StartExchange(parser);
    StartHandler(std::move(*head));
    const bool ok = co_await WriteAnswer(parser);
    exchange_->Abandon(MakeError("net.closed", "the connection was closed"));
    discard_ = true;
    reader_event_.Wake();
    while (reader_running_) {
      if (!ok) channel_->Close();
      co_await writer_event_.Wait();
    }
    exchange_.reset();
    co_return ok && !broken_;
  }

  void StartExchange(Parser& parser) {
    auto self = shared_from_this();
    discard_ = false;
    asked_for_body_ = false;
    body_limit_ = 0;
    body_taken_ = 0;
    exchange_ = std::make_shared<Exchange>(
        declared_, !BodyIsDone(parser),
        [self] { asio::post(self->Executor(), [self] { self->reader_event_.Wake(); }); },
        [self] { asio::post(self->Executor(), [self] { self->writer_event_.Wake(); }); });
    if (BodyIsDone(parser)) return;
    reader_running_ = true;
    asio::co_spawn(Executor(), ReadBody(self, parser), asio::detached);
  }

  void StartHandler(RequestHead head) {
    auto match = shared_.router.Find(head.method, head.raw_path);
    std::optional<Error> refusal;
    if (!match) {
      refusal = match.error();
    } else if (declared_ && *declared_ > match->max_body) {
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
    while (!broken_ && !BodyIsDone(parser)) {
      if (!discard_ && !exchange_->WantsBody()) {
        co_await reader_event_.Wait();
        continue;
      }
      if (!asked_for_body_ && !discard_ && !co_await AskForBody()) break;
      asked_for_body_ = true;
      if (chunk.buffer.empty()) chunk = exchange_->EmptyChunk();
      channel_->reading.Set(shared_.options.body_timeout);
      const error_code ec = co_await (declared_ ? FillFromWire(chunk) : FillParsed(parser, chunk));
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
    channel_->WakeAt(1);
    if (BodyIsDone(parser)) {
      exchange_->EndBody();
    } else {
      exchange_->FailBody(MakeError("net.closed", "the client closed the connection"));
    }
    reader_running_ = false;
    writer_event_.Wake();
  }

  // The handler waits in Read, so nothing else writes now.
  asio::awaitable<bool> AskForBody() {
    if (!std::exchange(expects_continue_, false)) co_return true;
    std::string text = "HTTP/1.1 100 Continue\r\n\r\n";
    channel_->writing.Set(shared_.options.body_timeout);
    co_return co_await channel_->WriteAll({{text.data(), text.size()}}, text.size());
  }

  // Bytes of a declared length go past the parser, so that nothing copies them on their way, and
  // none past the body's end is taken.
  asio::awaitable<error_code> FillFromWire(Chunk& chunk) {
    const uint64_t left = *declared_ - body_taken_;
    const auto out = std::span(chunk.buffer)
                         .first(static_cast<size_t>(std::min<uint64_t>(chunk.buffer.size(), left)));
    // What came with the header.
    chunk.size = asio::buffer_copy(asio::buffer(out.data(), out.size()), buffer_.data());
    buffer_.consume(chunk.size);
    channel_->WakeAt(left >= kManyLeft ? kWakeAt : 1);
    while (chunk.size < out.size()) {
      const Channel::Moved moved = co_await channel_->Go(
          channel_->reading, [&] { return channel_->wire.Read(out.subspan(chunk.size)); });
      if (moved.ec) co_return moved.ec;
      chunk.size += moved.size;
    }
    co_return error_code{};
  }

  asio::awaitable<error_code> FillParsed(Parser& parser, Chunk& chunk) {
    buffer_.reserve(kReadSize);
    auto& body = parser.get().body();
    body.data = chunk.buffer.data();
    body.size = chunk.buffer.size();
    body.more = true;
    error_code ec = co_await Parse(parser, false);
    if (ec == http::error::need_buffer) ec = {};
    chunk.size = chunk.buffer.size() - body.size;
    co_return ec;
  }

  // The writing half. False where the connection must end.
  asio::awaitable<bool> WriteAnswer(Parser& parser) {
    std::optional<Response> response;
    while (!broken_ && !(response = exchange_->TakeHead())) co_await writer_event_.Wait();
    if (broken_) co_return false;
    const bool unread = co_await SettleBody(parser);
    if (broken_) co_return false;
    ResponseWriter writer(*channel_, shared_.options.body_timeout, version_, is_head_);
    const bool keep =
        keep_alive_ && !unread && !shared_.stopping && !writer.EndsByClosing(*response);
    const bool streams = response->stream && !ResponseWriter::IsBodyless(*response);
    const bool ok =
        co_await (streams ? writer.WriteStream(*response, keep, *exchange_, writer_event_)
                          : writer.Write(*response, keep));
    if (ok && unread) co_await DrainBody();
    co_return ok&& keep;
  }

  // What to do about a body that the handler has not read to its end: true where it stays unread.
  asio::awaitable<bool> SettleBody(Parser& parser) {
    if (BodyIsDone(parser)) co_return false;
    const bool small = declared_ && *declared_ - body_taken_ <= kDrainToKeep && !expects_continue_;
    if (!small) co_return true;
    discard_ = true;
    reader_event_.Wake();
    while (reader_running_ && !broken_) co_await writer_event_.Wait();
    co_return !BodyIsDone(parser);
  }

  bool BodyIsDone(const Parser& parser) const {
    return declared_ ? body_taken_ == *declared_ : parser.is_done();
  }

  const std::shared_ptr<Channel> channel_;
  Shared& shared_;
  beast::flat_buffer buffer_{kMaxBuffer};
  Event writer_event_;
  Event reader_event_;
  std::string peer_;
  std::string client_key_id_;
  std::shared_ptr<Exchange> exchange_;
  std::optional<uint64_t> declared_;  // the body's length
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

}  // namespace cce::net
