#include "gate/decode.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/file.h"
#include "base/subprocess.h"
#include "gate/decoder/request.h"

namespace cce::gate {
namespace {

using SteadyClock = std::chrono::steady_clock;

Unexpected Failed(std::string what) { return Fail("gate.decoder_failed", std::move(what)); }

struct Spawned {
  Subprocess child;
  UniqueFd in;   // we write
  UniqueFd out;  // we read
};

// Its input is a socket, so that the decoder's death is an error here and never a SIGPIPE.
Result<Spawned> Spawn(const std::string& path) {
  int in[2], out[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0) {
    return FailErrno("socketpair for the decoder", errno);
  }
  UniqueFd in_ours(in[0]), in_theirs(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) return FailErrno("pipe for the decoder", errno);
  UniqueFd out_ours(out[0]), out_theirs(out[1]);

  ASSIGN_OR_RETURN(Subprocess child,
                   Subprocess::Start({path}, {.fds = {in_theirs.get(), out_theirs.get(), -1}}));
  return Spawned{std::move(child), std::move(in_ours), std::move(out_ours)};
}

// Sends request and tar, takes the stream; both at once, since the decoder may answer before it has
// read all.
Result<Bytes> Converse(Spawned& child, ByteView request, ByteView tar, size_t max_stream,
                       SteadyClock::time_point deadline) {
  Bytes stream;
  Bytes buffer(size_t{256} << 10);
  size_t sent = 0;
  const size_t total = request.size() + tar.size();
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) return Failed("the decoder took longer than allowed");
    pollfd fds[2] = {{child.out.get(), POLLIN, 0}, {child.in.get(), POLLOUT, 0}};
    const int ready = poll(fds, child.in.valid() ? 2 : 1, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return FailErrno("poll of the decoder", errno);
    if (ready <= 0) continue;
    if (child.in.valid() && fds[1].revents != 0) {
      const ByteView rest =
          sent < request.size() ? request.subspan(sent) : tar.subspan(sent - request.size());
      const ssize_t n = send(child.in.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) sent += static_cast<size_t>(n);
      const bool gone = n < 0 && errno != EAGAIN && errno != EINTR;
      if (sent == total || gone) child.in.Reset();
    }
    if (fds[0].revents != 0) {
      const ssize_t n = read(child.out.get(), buffer.data(), buffer.size());
      if (n == 0) break;
      if (n < 0 && errno != EINTR) return FailErrno("read from the decoder", errno);
      if (n > 0) {
        if (stream.size() + static_cast<size_t>(n) > max_stream) {
          return Failed("the decoder wrote more than allowed");
        }
        stream.insert(stream.end(), buffer.begin(), buffer.begin() + n);
      }
    }
  }
  return stream;
}

// The decoder's whole answer, and only if it ended well.
Result<Bytes> Ask(const std::string& path, DecodeMode mode, const DecodeLimits& limits,
                  ByteView tar, size_t max_stream) {
  const auto deadline = SteadyClock::now() + std::chrono::milliseconds(limits.deadline_ms);
  const Bytes request =
      EncodeDecodeRequest({mode, limits.max_depth, limits.max_ratio, limits.max_total,
                           limits.max_views, limits.max_memory, limits.max_cpu_seconds});
  auto spawned = Spawn(path);
  if (!spawned) return Failed(spawned.error().message);
  auto stream = Converse(*spawned, request, tar, max_stream, deadline);
  if (!stream) return Failed(stream.error().message);
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
  const auto ended = spawned->child.Wait(std::max(left, std::chrono::milliseconds(0)));
  if (!ended) return Failed("the decoder does not end");
  const int status = *ended;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Failed(WIFSIGNALED(status)
                      ? "the decoder was ended by signal " + std::to_string(WTERMSIG(status))
                      : "the decoder ended with status " + std::to_string(WEXITSTATUS(status)));
  }
  return stream;
}

}  // namespace

Result<std::vector<View>> DecodeOutput(const std::string& decoder_path, ByteView tar,
                                       const DecodeLimits& limits) {
  // Names and framing come on top of the views' bytes.
  const size_t max_stream = limits.max_total + uint64_t{limits.max_views} * 1024 + (1u << 20);
  ASSIGN_OR_RETURN(const Bytes stream,
                   Ask(decoder_path, DecodeMode::kViews, limits, tar, max_stream));
  return ParseViewStream(stream, {.max_total = limits.max_total, .max_views = limits.max_views});
}

Result<std::vector<OutputFile>> ListOutput(const std::string& decoder_path, ByteView tar,
                                           const DecodeLimits& limits) {
  const size_t max_stream = uint64_t{limits.max_views} * kMaxListRecord + 64;
  ASSIGN_OR_RETURN(const Bytes stream,
                   Ask(decoder_path, DecodeMode::kList, limits, tar, max_stream));
  return ParseListStream(stream, limits.max_views);
}

}  // namespace cce::gate
