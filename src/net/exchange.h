// Private to src/net: what passes between a handler (which blocks, on a worker's thread) and its
// connection (which never blocks, on the server's). Two bounded pipes, one for each body; no socket
// and no Boost in here.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "net/http_server.h"

namespace cce::net {

// Bytes in a buffer that is used again; `size` of them count.
struct Chunk {
  Bytes buffer;
  size_t size = 0;
};

class Exchange : public BodyReader {
 public:
  static constexpr size_t kChunkSize = size_t{256} * 1024;
  static constexpr size_t kMaxChunks = 3;  // in each direction

  // The wakers are called without locks, on the handler's thread: "look again".
  Exchange(std::optional<uint64_t> declared_size, bool has_body, std::function<void()> wake_reader,
           std::function<void()> wake_writer);

  // -- the handler's side
  Result<ByteView> Next(size_t max) override;
  std::optional<uint64_t> declared_size() const override { return declared_size_; }
  // Runs the handler's answer to its end: the head, then the stream where there is one.
  void Answer(Response response, bool without_body);

  // -- the connection's side
  bool WantsBody();
  Chunk EmptyChunk();
  void PushBody(Chunk chunk);
  void EndBody();
  void FailBody(Error error);

  // Once: the status, headers and (where `stream` is unset) body.
  std::optional<Response> TakeHead();
  enum class Taken { kNothing, kChunk, kEnd, kBroken };
  Taken TakeChunk(Chunk& chunk);
  void ReturnChunk(Chunk chunk);
  // The connection is gone: wakes the handler, whose calls fail from now on.
  void Abandon(const Error& error);

 private:
  Result<> Write(ByteView bytes);
  void RunStream(const std::function<Result<>(const Sink&)>& stream,
                 std::optional<uint64_t> stream_size);

  const std::optional<uint64_t> declared_size_;
  const std::function<void()> wake_reader_;
  const std::function<void()> wake_writer_;

  std::mutex mutex_;
  std::condition_variable wake_handler_;
  std::optional<Error> gone_;

  bool body_wanted_ = false;
  bool body_ended_;
  std::optional<Error> body_error_;
  std::deque<Chunk> body_;
  size_t body_at_ = 0;  // in the first chunk; at its end the handler may still look at it
  std::vector<Chunk> empty_;

  std::optional<Response> head_;
  std::deque<Chunk> out_;
  bool out_ended_ = false;
  bool out_broken_ = false;
};

}  // namespace cce::net
