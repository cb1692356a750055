#include "channel/mux.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cce::channel {
namespace {

constexpr size_t kReadSize = size_t{256} * 1024;
constexpr size_t kOutSize = size_t{128} * 1024;
constexpr uint32_t kFrameSize = 64 * 1024;
constexpr int32_t kConnectionWindow = 16 << 20;
constexpr size_t kMaxAuthority = 256;

nghttp2_nv Header(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

void SetNonBlocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

// So that a TCP program sees a broken connection as broken, not as its regular end.
void CloseHard(UniqueFd& fd) {
  if (!fd.valid()) return;
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  fd.Reset();
}

// A socket or a character device; never a SIGPIPE.
ssize_t WriteSome(int fd, const uint8_t* data, size_t size) {
  ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno == ENOTSOCK) n = ::write(fd, data, size);
  return n;
}

Unexpected ProtocolError() { return Fail("channel.protocol", "the peer breaks the protocol"); }

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

// nghttp2's callbacks: `user` is the Mux.
struct Mux::Callbacks {
  static int OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    auto& mux = *static_cast<Mux*>(user);
    if (mux.role_ != Role::kServer || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    // nghttp2 bounds the open ones; as many again may be closed while their last bytes wait here.
    if (mux.bridges_.size() >= 2 * mux.max_streams_) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    auto bridge = std::make_unique<Bridge>();
    bridge->stream = frame->hd.stream_id;
    mux.bridges_[bridge->stream] = std::move(bridge);
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    Bridge* bridge = static_cast<Mux*>(user)->Find(frame->hd.stream_id);
    if (bridge == nullptr) return 0;
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value),
                                std::min(value_size, kMaxAuthority));
    if (key == ":method") bridge->method = text;
    if (key == ":authority") bridge->authority = text;
    if (key == ":status") bridge->status = text;
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& mux = *static_cast<Mux*>(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      mux.peer_said_goodbye_ = frame->goaway.error_code == NGHTTP2_NO_ERROR;
    }
    Bridge* bridge = mux.Find(frame->hd.stream_id);
    if (bridge == nullptr) return 0;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) bridge->remote_ended = true;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) mux.OnRequest(*bridge);
    if (mux.role_ == Role::kClient && frame->headers.cat == NGHTTP2_HCAT_RESPONSE) {
      mux.OnAnswer(*bridge);
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* data,
                    size_t size, void* user) {
    auto& mux = *static_cast<Mux*>(user);
    nghttp2_session_consume_connection(session, size);
    Bridge* bridge = mux.Find(stream);
    if (bridge == nullptr || bridge->write_dead || bridge->refused || bridge->aborted) {
      nghttp2_session_consume_stream(session, stream, size);
      return 0;
    }
    bridge->bytes_from_peer += size;
    Bytes& inbox = bridge->inbox;
    if (bridge->inbox_at > 0) {
      inbox.erase(inbox.begin(), inbox.begin() + static_cast<ptrdiff_t>(bridge->inbox_at));
      bridge->inbox_at = 0;
    }
    if (inbox.capacity() < inbox.size() + size) inbox.reserve(kStreamWindow);
    Append(inbox, {data, size});
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, int32_t stream, uint32_t error_code, void* user) {
    Bridge* bridge = static_cast<Mux*>(user)->Find(stream);
    if (bridge == nullptr) return 0;
    bridge->stream_closed = true;
    bridge->remote_ended = true;
    if (error_code != NGHTTP2_NO_ERROR) bridge->aborted = true;
    return 0;
  }

  // A refusal is the whole answer: the stream need not stay half open.
  static int OnSent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Bridge* bridge = static_cast<Mux*>(user)->Find(frame->hd.stream_id);
    if (bridge != nullptr && bridge->refused && frame->hd.type == NGHTTP2_HEADERS &&
        static_cast<Mux*>(user)->role_ == Role::kServer &&
        !std::exchange(bridge->reset_sent, true)) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, bridge->stream, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static ssize_t FrameLength(nghttp2_session*, uint8_t, int32_t, int32_t session_window,
                             int32_t stream_window, uint32_t max_frame, void*) {
    return static_cast<ssize_t>(
        std::min({static_cast<uint32_t>(session_window), static_cast<uint32_t>(stream_window),
                  max_frame, kFrameSize}));
  }

  static ssize_t ReadData(nghttp2_session*, int32_t stream, uint8_t* out, size_t size,
                          uint32_t* flags, nghttp2_data_source*, void* user) {
    auto& mux = *static_cast<Mux*>(user);
    Bridge* bridge = mux.Find(stream);
    if (bridge == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return mux.ReadLocal(*bridge, out, size, flags);
  }
};

Mux::Mux(UniqueFd stream, Role role, size_t max_streams)
    : max_streams_(max_streams),
      role_(role),
      fd_(std::move(stream)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Mux::~Mux() { nghttp2_session_del(session_); }

Result<> Mux::StartSession() {
  if (!fd_.valid() || !wake_.valid()) return FailErrno("opening a channel", errno);
  SetNonBlocking(fd_.get());
  in_.resize(kReadSize);
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) {
    nghttp2_session_callbacks_del(callbacks);
    return Fail("internal.unavailable", "out of memory");
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::OnSent);
  nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, Callbacks::FrameLength);
  nghttp2_option_set_no_auto_window_update(option, 1);
  const int made = role_ == Role::kClient
                       ? nghttp2_session_client_new2(&session_, callbacks, this, option)
                       : nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  if (made != 0) return Fail("internal.unavailable", "nghttp2 does not start");
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameSize},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 4096},
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       role_ == Role::kServer ? static_cast<uint32_t>(max_streams_) : 0},
  };
  // ENABLE_PUSH is the client's to send.
  const bool ok =
      role_ == Role::kClient
          ? nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 5) == 0
          : [&] {
              nghttp2_settings_entry own[4] = {settings[0], settings[1], settings[3], settings[4]};
              return nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, own, 4) == 0;
            }();
  if (!ok || nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                                   kConnectionWindow) != 0) {
    return Fail("internal.unavailable", "nghttp2 refuses its settings");
  }
  return {};
}

Bridge* Mux::Find(int32_t stream) {
  const auto at = bridges_.find(stream);
  return at == bridges_.end() ? nullptr : at->second.get();
}

Bridge* Mux::OpenStream(std::string_view name, UniqueFd fd) {
  const nghttp2_nv headers[] = {Header(":method", "CONNECT"), Header(":authority", name)};
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::ReadData;
  const int32_t id = nghttp2_submit_request(session_, nullptr, headers, 2, &provider, nullptr);
  if (id < 0) return nullptr;
  auto bridge = std::make_unique<Bridge>();
  bridge->stream = id;
  bridge->name = name;
  bridge->fd = std::move(fd);
  SetNonBlocking(bridge->fd.get());
  return (bridges_[id] = std::move(bridge)).get();
}

void Mux::Accept(Bridge& bridge) {
  const nghttp2_nv headers[] = {Header(":status", "200")};
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::ReadData;
  bridge.connecting = false;
  bridge.open = true;
  if (nghttp2_submit_response(session_, bridge.stream, headers, 1, &provider) != 0) {
    Abort(bridge, NGHTTP2_INTERNAL_ERROR);
  }
}

void Mux::Refuse(Bridge& bridge, std::string_view status) {
  const nghttp2_nv headers[] = {Header(":status", status)};
  bridge.connecting = false;
  bridge.refused = true;
  bridge.fd.Reset();
  DropInbox(bridge);
  if (nghttp2_submit_response(session_, bridge.stream, headers, 1, nullptr) != 0) {
    Abort(bridge, NGHTTP2_INTERNAL_ERROR);
  }
}

void Mux::BeginFlow(Bridge& bridge) {
  bridge.open = true;
  nghttp2_session_resume_data(session_, bridge.stream);
}

void Mux::Abort(Bridge& bridge, uint32_t error_code) {
  bridge.aborted = true;
  DropInbox(bridge);
  CloseHard(bridge.fd);
  if (bridge.stream_closed || std::exchange(bridge.reset_sent, true)) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, bridge.stream, error_code);
}

void Mux::DropInbox(Bridge& bridge) {
  const size_t rest = bridge.inbox.size() - bridge.inbox_at;
  if (rest > 0 && !bridge.stream_closed) {
    nghttp2_session_consume_stream(session_, bridge.stream, rest);
  }
  bridge.inbox = {};
  bridge.inbox_at = 0;
}

ssize_t Mux::ReadLocal(Bridge& bridge, uint8_t* out, size_t size, uint32_t* flags) {
  bridge.wants_input = false;
  if (bridge.aborted) return NGHTTP2_ERR_DEFERRED;  // its reset is on the way
  if (!bridge.open) return NGHTTP2_ERR_DEFERRED;
  const ssize_t n = ::read(bridge.fd.get(), out, size);
  if (n > 0) {
    bridge.bytes_to_peer += static_cast<uint64_t>(n);
    return n;
  }
  if (n == 0) {
    bridge.local_ended = true;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return 0;
  }
  if (WouldBlock()) {
    bridge.wants_input = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // nghttp2 resets the stream
}

void Mux::FlushLocal(Bridge& bridge) {
  if (!bridge.open || !bridge.fd.valid() || bridge.write_dead) return;
  while (bridge.inbox_at < bridge.inbox.size()) {
    const ssize_t n = WriteSome(bridge.fd.get(), bridge.inbox.data() + bridge.inbox_at,
                                bridge.inbox.size() - bridge.inbox_at);
    if (n < 0 && WouldBlock()) return;
    if (n < 0) {
      // The socket reads no more, but what it has written is still to be fetched.
      bridge.write_dead = true;
      DropInbox(bridge);
      return;
    }
    bridge.inbox_at += static_cast<size_t>(n);
    if (!bridge.stream_closed) {
      nghttp2_session_consume_stream(session_, bridge.stream, static_cast<size_t>(n));
    }
  }
  bridge.inbox.clear();
  bridge.inbox_at = 0;
  if (bridge.remote_ended && !std::exchange(bridge.write_shut, true)) {
    ::shutdown(bridge.fd.get(), SHUT_WR);
  }
}

// After each round: pushes on what arrived, and lets go what is done.
void Mux::Settle() {
  for (auto at = bridges_.begin(); at != bridges_.end();) {
    Bridge& bridge = *at->second;
    if (bridge.aborted) {
      DropInbox(bridge);
      CloseHard(bridge.fd);
    }
    FlushLocal(bridge);
    if (bridge.write_dead && bridge.local_ended && !bridge.stream_closed &&
        !std::exchange(bridge.reset_sent, true)) {
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, bridge.stream, NGHTTP2_NO_ERROR);
    }
    const bool done = bridge.inbox.empty() || bridge.write_dead || !bridge.fd.valid();
    if (bridge.stream_closed && done) {
      OnClosed(bridge);
      at = bridges_.erase(at);
    } else {
      ++at;
    }
  }
}

Result<> Mux::ReadStream() {
  const ssize_t n = ::read(fd_.get(), in_.data(), in_.size());
  if (n < 0 && WouldBlock()) return {};
  if (n <= 0) {
    input_ended_ = true;
    return {};
  }
  if (nghttp2_session_mem_recv(session_, in_.data(), static_cast<size_t>(n)) >= 0) return {};
  bool moved = false;
  static_cast<void>(PumpOut(moved));  // the GOAWAY, as far as it goes
  return ProtocolError();
}

bool Mux::PumpOut(bool& moved) {
  moved = false;
  for (;;) {
    while (out_.size() < kOutSize) {
      const uint8_t* data = nullptr;
      const ssize_t n = nghttp2_session_mem_send(session_, &data);
      if (n < 0) return false;
      if (n == 0) break;
      moved = true;
      Append(out_, {data, static_cast<size_t>(n)});
    }
    if (out_.empty()) {
      out_blocked_ = false;
      return true;
    }
    while (out_at_ < out_.size()) {
      const ssize_t n = WriteSome(fd_.get(), out_.data() + out_at_, out_.size() - out_at_);
      if (n < 0 && WouldBlock()) {
        out_blocked_ = true;
        return true;
      }
      if (n < 0) {
        input_ended_ = true;  // the peer is gone
        return true;
      }
      out_at_ += static_cast<size_t>(n);
    }
    out_.clear();
    out_at_ = 0;
  }
}

void Mux::AddBridges() {
  for (const auto& [id, bridge] : bridges_) {
    short events = 0;
    if (bridge->connecting) events = POLLOUT;
    if (bridge->open && bridge->wants_input && !bridge->stream_closed) events |= POLLIN;
    if (bridge->open && !bridge->inbox.empty() && !bridge->write_dead) events |= POLLOUT;
    // Without an interest a hung-up socket would wake us for ever.
    if (!bridge->fd.valid() || events == 0) continue;
    polls_.push_back({bridge->fd.get(), events, 0});
    owners_.push_back(id);
  }
}

void Mux::OnBridgeEvent(Bridge& bridge, short events) {
  if (bridge.connecting) {
    OnConnectable(bridge);
    return;
  }
  if (bridge.wants_input && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    bridge.wants_input = false;
    nghttp2_session_resume_data(session_, bridge.stream);
  }
}

void Mux::RunCommands(bool alive) {
  std::vector<std::function<void(bool)>> commands;
  {
    const std::lock_guard lock(mutex_);
    if (!alive) ended_ = true;
    commands.swap(commands_);
  }
  for (const auto& command : commands) command(alive);
}

void Mux::Post(std::function<void(bool)> command) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      commands_.push_back(std::move(command));
      const uint64_t one = 1;
      static_cast<void>(!::write(wake_.get(), &one, sizeof one));
      return;
    }
  }
  command(false);
}

void Mux::Stop() {
  stop_ = true;
  const uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

// Sends what there is to send. Sending may close streams, and settling those may have more to send.
Result<> Mux::Push() {
  bool moved = true;
  while (moved) {
    Settle();
    moved = false;
    if (!out_blocked_ && !PumpOut(moved)) return ProtocolError();
  }
  return {};
}

// Waits for something to happen, and takes in what came.
Result<> Mux::Poll() {
  const auto now = std::chrono::steady_clock::now();
  const TimePoint deadline = OnTick(now);
  int wait = -1;
  if (deadline != TimePoint::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
    wait = static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
  }
  polls_.clear();
  owners_.clear();
  polls_.push_back({wake_.get(), POLLIN, 0});
  polls_.push_back({fd_.get(), static_cast<short>(POLLIN | (out_blocked_ ? POLLOUT : 0)), 0});
  AddBridges();
  const size_t listeners_at = polls_.size();
  AddListeners(polls_);
  if (::poll(polls_.data(), polls_.size(), wait) < 0) {
    return errno == EINTR ? Result<>() : Result<>(FailErrno("poll", errno));
  }
  if (polls_[0].revents != 0) {
    uint64_t count = 0;
    static_cast<void>(!::read(wake_.get(), &count, sizeof count));
  }
  if ((polls_[1].revents & POLLOUT) != 0) out_blocked_ = false;
  if ((polls_[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) TRY(ReadStream());
  for (size_t i = 0; i < owners_.size(); ++i) {
    if (polls_[i + 2].revents == 0) continue;
    if (Bridge* bridge = Find(owners_[i])) OnBridgeEvent(*bridge, polls_[i + 2].revents);
  }
  for (size_t i = listeners_at; i < polls_.size(); ++i) {
    if (polls_[i].revents != 0) OnListener(polls_[i].fd);
  }
  return {};
}

Result<> Mux::Loop() {
  Result<> result = StartSession();
  while (result && !stop_) {
    RunCommands(true);
    result = Push();
    if (!result || input_ended_) break;
    if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0 &&
        out_.empty()) {
      if (!peer_said_goodbye_) result = ProtocolError();
      break;
    }
    result = Poll();
  }
  for (auto& [id, bridge] : bridges_) {
    CloseHard(bridge->fd);
    OnClosed(*bridge);
  }
  bridges_.clear();
  fd_.Reset();
  RunCommands(false);
  return result;
}

}  // namespace cce::channel
