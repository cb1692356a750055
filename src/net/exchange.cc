#include "net/exchange.h"

#include <cstring>

#include "base/log.h"

namespace cce::net {

Exchange::Exchange(std::optional<uint64_t> declared_size, bool has_body,
                   std::function<void()> wake_reader, std::function<void()> wake_writer)
    : declared_size_(declared_size),
      wake_reader_(std::move(wake_reader)),
      wake_writer_(std::move(wake_writer)),
      body_ended_(!has_body) {}

Result<ByteView> Exchange::Next(size_t max) {
  std::unique_lock lock(mutex_);
  bool has_room = !std::exchange(body_wanted_, true);
  if (!body_.empty() && body_at_ == body_.front().size) {
    empty_.push_back(std::move(body_.front()));
    body_.pop_front();
    body_at_ = 0;
    has_room = true;
  }
  if (has_room && !body_ended_) {
    lock.unlock();
    wake_reader_();
    lock.lock();
  }
  wake_handler_.wait(lock,
                     [this] { return gone_ || body_error_ || body_ended_ || !body_.empty(); });
  if (!body_.empty()) {
    const Chunk& first = body_.front();
    const ByteView next =
        ByteView(first.buffer).subspan(body_at_, std::min(max, first.size - body_at_));
    body_at_ += next.size();
    return next;
  }
  if (body_error_) return Fail(*body_error_);
  if (gone_) return Fail(*gone_);
  return ByteView();
}

bool Exchange::WantsBody() {
  const std::lock_guard lock(mutex_);
  return body_wanted_ && !gone_ && body_.size() < kMaxChunks;
}

Chunk Exchange::EmptyChunk() {
  const std::lock_guard lock(mutex_);
  Chunk chunk;
  if (!empty_.empty()) {
    chunk = std::move(empty_.back());
    empty_.pop_back();
  } else {
    const uint64_t declared = declared_size_.value_or(kChunkSize);
    chunk.buffer.resize(std::max<size_t>(1, std::min<uint64_t>(kChunkSize, declared)));
  }
  chunk.size = 0;
  return chunk;
}

void Exchange::PushBody(Chunk chunk) {
  const std::lock_guard lock(mutex_);
  body_.push_back(std::move(chunk));
  wake_handler_.notify_one();
}

void Exchange::EndBody() {
  const std::lock_guard lock(mutex_);
  body_ended_ = true;
  wake_handler_.notify_one();
}

void Exchange::FailBody(Error error) {
  const std::lock_guard lock(mutex_);
  if (!body_error_) body_error_ = std::move(error);  // the first is the cause
  wake_handler_.notify_one();
}

void Exchange::Answer(Response response, bool without_body) {
  const auto stream = std::move(response.stream);
  response.stream = nullptr;
  const bool runs = stream && !without_body;
  const auto stream_size = response.stream_size;
  {
    const std::lock_guard lock(mutex_);
    // Only whether there is a stream matters on the other side.
    if (stream) response.stream = [](const Sink&) -> Result<> { return {}; };
    head_ = std::move(response);
    out_ended_ = !runs;
  }
  wake_writer_();
  if (runs) RunStream(stream, stream_size);
}

void Exchange::RunStream(const std::function<Result<>(const Sink&)>& stream,
                         std::optional<uint64_t> stream_size) {
  uint64_t written = 0;
  bool overran = false;
  const auto sink = [&](ByteView bytes) -> Result<> {
    written += bytes.size();
    if (stream_size && written > *stream_size) {
      overran = true;
      return Fail("internal.bug", "a response's stream is longer than it said");
    }
    return Write(bytes);
  };
  Result<> result = stream(sink);
  if (result && (overran || (stream_size && written != *stream_size))) {
    result = Fail("internal.bug", "a response's stream is not as long as it said");
  }
  if (!result) {
    // That a client leaves is its own affair.
    const bool ours = result.error().code != "net.closed" && result.error().code != "net.timeout";
    LogError(ours ? LogLevel::kWarn : LogLevel::kDebug, "http.stream_broken", result.error());
  }
  {
    const std::lock_guard lock(mutex_);
    (result ? out_ended_ : out_broken_) = true;
  }
  wake_writer_();
}

Result<> Exchange::Write(ByteView bytes) {
  while (!bytes.empty()) {
    std::unique_lock lock(mutex_);
    const auto has_room = [this] {
      return out_.size() < kMaxChunks || out_.back().size < kChunkSize;
    };
    wake_handler_.wait(lock, [&] { return gone_ || has_room(); });
    if (gone_) return Fail(*gone_);
    if (out_.empty() || out_.back().size == kChunkSize) {
      Chunk chunk;
      if (!empty_.empty()) {
        chunk = std::move(empty_.back());
        empty_.pop_back();
      }
      chunk.size = 0;
      out_.push_back(std::move(chunk));
    }
    Chunk& last = out_.back();
    const size_t n = std::min(bytes.size(), kChunkSize - last.size);
    if (last.buffer.size() < last.size + n) last.buffer.resize(last.size + n);
    std::memcpy(last.buffer.data() + last.size, bytes.data(), n);
    last.size += n;
    bytes = bytes.subspan(n);
    lock.unlock();
    wake_writer_();
  }
  return {};
}

std::optional<Response> Exchange::TakeHead() {
  const std::lock_guard lock(mutex_);
  return std::exchange(head_, std::nullopt);
}

Exchange::Taken Exchange::TakeChunk(Chunk& chunk) {
  const std::lock_guard lock(mutex_);
  if (!out_.empty()) {
    chunk = std::move(out_.front());
    out_.pop_front();
    wake_handler_.notify_one();
    return Taken::kChunk;
  }
  if (out_broken_) return Taken::kBroken;
  return out_ended_ ? Taken::kEnd : Taken::kNothing;
}

void Exchange::ReturnChunk(Chunk chunk) {
  const std::lock_guard lock(mutex_);
  empty_.push_back(std::move(chunk));
}

void Exchange::Abandon(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!gone_) gone_ = error;
  wake_handler_.notify_one();
}

}  // namespace cce::net
