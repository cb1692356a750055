// Private to src/channel: one HTTP/2 session (nghttp2) over a byte stream, each of its CONNECT
// streams bridged to a local socket, and the poll() loop that moves all of it. Client and server
// differ only in the hooks.
//
// Bounds. Towards the local socket: a stream's bytes wait in its inbox, never more than its
// flow-control window, which is given back as the socket takes them; the connection's window is
// given back at once, so that one slow reader does not stop the others. Towards the peer: a socket
// is read only when nghttp2 asks for a frame's payload, that is when both windows are open and the
// bytes before are on their way.
#pragma once

#include <nghttp2/nghttp2.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"

namespace cce::channel {

constexpr size_t kStreamWindow = size_t{256} * 1024;
using TimePoint = std::chrono::steady_clock::time_point;

struct Bridge {
  int32_t stream = 0;
  std::string method, authority, status;  // as received
  std::string name;         // what it leads to; of the client's side, or once accepted
  UniqueFd fd;              // local, non-blocking; invalid: none (yet)
  bool connecting = false;  // a non-blocking connect is under way
  bool open = false;        // 200 was sent or received: bytes flow
  bool refused = false;
  bool from_listener = false;
  bool wants_input = false;   // nghttp2 asked, the socket had nothing
  bool local_ended = false;   // the socket's end was read
  bool remote_ended = false;  // the peer's END_STREAM, or its clean reset
  bool write_dead = false;    // the socket takes no more
  bool write_shut = false;
  bool reset_sent = false;
  bool stream_closed = false;  // nghttp2 knows it no more
  bool aborted = false;
  Bytes inbox;
  size_t inbox_at = 0;
  uint64_t bytes_from_peer = 0, bytes_to_peer = 0;
};

class Mux {
 public:
  virtual ~Mux();

 protected:
  enum class Role { kClient, kServer };
  Mux(UniqueFd stream, Role role, size_t max_streams);

  // Until the stream ends or Stop (success), or the peer breaks the protocol (channel.protocol).
  Result<> Loop();
  void Stop();
  // Runs `command` on the loop's thread; with false where the loop has ended (then on this one or
  // that).
  void Post(std::function<void(bool alive)> command);

  // -- hooks, on the loop's thread
  virtual void OnRequest(Bridge&) {}
  virtual void OnAnswer(Bridge&) {}
  virtual void OnConnectable(Bridge&) {}  // a connecting socket has an outcome
  virtual void OnClosed(const Bridge&) {}
  virtual void AddListeners(std::vector<pollfd>&) {}
  virtual void OnListener(int /*fd*/) {}
  virtual TimePoint OnTick(TimePoint /*now*/) { return TimePoint::max(); }  // the next deadline

  // -- for the hooks
  Bridge* Find(int32_t stream);
  Bridge* OpenStream(std::string_view name, UniqueFd fd);  // client; null where refused by nghttp2
  void Accept(Bridge& bridge);                             // server: 200
  void Refuse(Bridge& bridge, std::string_view status);    // server
  void BeginFlow(Bridge& bridge);                          // client: 200 has come
  void Abort(Bridge& bridge, uint32_t error_code);
  size_t bridge_count() const { return bridges_.size(); }
  template <typename F>
  void ForEach(F&& f) {
    for (auto& [id, bridge] : bridges_) f(*bridge);
  }
  const size_t max_streams_;

 private:
  struct Callbacks;
  Result<> StartSession();
  Result<> Push();
  Result<> Poll();
  Result<> ReadStream();
  bool PumpOut(bool& moved);
  void RunCommands(bool alive);
  void AddBridges();
  void OnBridgeEvent(Bridge& bridge, short events);
  void FlushLocal(Bridge& bridge);
  void Settle();
  void DropInbox(Bridge& bridge);
  ssize_t ReadLocal(Bridge& bridge, uint8_t* out, size_t size, uint32_t* flags);

  const Role role_;
  UniqueFd fd_;
  UniqueFd wake_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, std::unique_ptr<Bridge>> bridges_;
  std::vector<pollfd> polls_;
  std::vector<int32_t> owners_;  // of polls_[2...]
  Bytes in_;
  Bytes out_;
  size_t out_at_ = 0;
  bool out_blocked_ = false;
  bool input_ended_ = false;
  bool peer_said_goodbye_ = false;
  std::atomic<bool> stop_{false};

  std::mutex mutex_;
  bool ended_ = false;
  std::vector<std::function<void(bool)>> commands_;
};

}  // namespace cce::channel
