// Compiled only into connections.cc: an answer on its way out through Beast's serializer.
#pragma once

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/serializer.hpp>

#include "net/channel.h"
#include "net/exchange.h"

namespace cce::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;

// Writes one answer. Both ways to do it return false where the connection broke.
class ResponseWriter {
 public:
  // `timeout` is for each piece. `to_head`: it answers HEAD, so no body follows.
  ResponseWriter(Channel& channel, Clock::duration timeout, unsigned version, bool to_head)
      : channel_(channel), timeout_(timeout), version_(version), to_head_(to_head) {}

  asio::awaitable<bool> Write(const Response& response, bool keep_alive) {
    Head head = MakeHead(response, keep_alive);
    if (!IsBodyless(response)) head.content_length(response.body.size());
    if (to_head_ || IsBodyless(response)) co_return co_await WriteHead(head);
    Serializer serializer(head);
    ByteView left = response.body;
    do {
      const ByteView piece = left.first(std::min(left.size(), Exchange::kChunkSize));
      left = left.subspan(piece.size());
      if (!co_await WritePiece(serializer, head, piece, !left.empty())) co_return false;
    } while (!left.empty());
    co_return true;
  }

  // The body is what the handler gives to `exchange`; `more` is woken when there is some. Only the
  // connection's end tells the body's where EndsByClosing, so `keep_alive` must be false then.
  asio::awaitable<bool> WriteStream(const Response& response, bool keep_alive, Exchange& exchange,
                                    Event& more) {
    const std::optional<uint64_t> size = response.stream_size;
    Head head = MakeHead(response, keep_alive);
    if (size) {
      head.content_length(*size);
    } else if (!EndsByClosing(response)) {
      head.chunked(true);
    }
    if (to_head_) co_return co_await WriteHead(head);
    Serializer serializer(head);
    uint64_t written = 0;
    bool begun = false;
    for (;;) {
      Chunk chunk;
      const auto taken = channel_.closed() ? Exchange::Taken::kBroken : exchange.TakeChunk(chunk);
      if (taken == Exchange::Taken::kBroken) co_return false;
      if (taken == Exchange::Taken::kEnd) break;
      if (taken == Exchange::Taken::kNothing) {
        // The head goes out at once, also where the first bytes take their time.
        if (!std::exchange(begun, true)) {
          if (!co_await WritePiece(serializer, head, {}, true)) co_return false;
        } else {
          co_await more.Wait();
        }
        continue;
      }
      begun = true;
      written += chunk.size;
      const ByteView piece = ByteView(chunk.buffer).first(chunk.size);
      if (!co_await WritePiece(serializer, head, piece, !size || written < *size)) co_return false;
      exchange.ReturnChunk(std::move(chunk));
    }
    if (!serializer.is_done()) co_return co_await WritePiece(serializer, head, {}, false);
    co_return true;
  }

  static bool IsBodyless(const Response& response) {
    return response.status == 204 || response.status == 304;
  }
  // HTTP/1.0 knows no chunks.
  bool EndsByClosing(const Response& response) const {
    return response.stream && !response.stream_size && version_ != 11;
  }

 private:
  using Head = http::response<http::buffer_body>;
  using Serializer = http::response_serializer<http::buffer_body>;

  Head MakeHead(const Response& response, bool keep_alive) const {
    Head head;
    head.result(static_cast<unsigned>(response.status));
    head.version(version_);
    for (const auto& [name, value] : response.headers) head.set(name, value);
    head.keep_alive(keep_alive);
    return head;
  }

  asio::awaitable<bool> WriteHead(Head& head) {
    Serializer serializer(head);
    serializer.split(true);
    head.body().data = nullptr;
    head.body().more = false;
    co_return co_await WriteOut(serializer, true);
  }

  asio::awaitable<bool> WritePiece(Serializer& serializer, Head& head, ByteView piece, bool more) {
    // The serializer only reads them.
    head.body().data = piece.empty() ? nullptr : const_cast<uint8_t*>(piece.data());
    head.body().size = piece.size();
    head.body().more = more;
    return WriteOut(serializer, false);
  }

  // Writes what the serializer has: to the end, or until it needs more of the body.
  asio::awaitable<bool> WriteOut(Serializer& serializer, bool header_only) {
    channel_.writing.Set(timeout_);
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
      if (ec || !co_await channel_.WriteAll(std::move(pieces), total)) co_return false;
      serializer.consume(total);
    }
    co_return true;
  }

  Channel& channel_;
  const Clock::duration timeout_;
  const unsigned version_;
  const bool to_head_;
};

}  // namespace cce::net
