// The HTTP/1.1 server (Boost.Beast behind it). A handler is a plain blocking function that runs on
// a bounded pool of threads; the server's own threads do all waiting on sockets, and bodies pass
// between the two through a bounded pipe, so that memory is flat whatever a body's size.
//
// TLS is 1.3 only, without tickets, resumption or early data. Requests that two parsers might read
// in two ways (both Content-Length and Transfer-Encoding, repeated Host, obsolete folding) are
// refused.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "net/tls.h"

namespace cce::net {

using Sink = std::function<Result<>(ByteView)>;

// A request's body, as it arrives. For use by the handler's thread only.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next bytes where they lie, without a copy: 1 to `max` (not 0) of them, for which it blocks;
  // none at the end. Valid until the next call of any method that reads. Errors: net.closed (the
  // client went away), net.timeout (too slow), input.too_large (over the route's limit),
  // input.malformed (bad chunked coding).
  virtual Result<ByteView> Next(size_t max) = 0;
  // The same, copied to `out` (not empty): how many bytes; 0 is the end.
  Result<size_t> Read(std::span<uint8_t> out);
  // From Content-Length; empty where the body is chunked.
  virtual std::optional<uint64_t> declared_size() const = 0;
  // The whole body; input.too_large past `max` bytes.
  Result<Bytes> ReadAll(size_t max);
};

// A body in memory: for tests of handlers.
class MemoryBody : public BodyReader {
 public:
  explicit MemoryBody(Bytes bytes) : bytes_(std::move(bytes)) {}
  Result<ByteView> Next(size_t max) override;
  std::optional<uint64_t> declared_size() const override { return bytes_.size(); }

 private:
  Bytes bytes_;
  size_t at_ = 0;
};

struct Request {
  std::string method;                          // "GET"; HEAD reaches the route of GET
  std::string path;                            // percent-decoded, begins with '/'
  std::map<std::string, std::string> query;    // decoded; a repeated name was refused
  std::map<std::string, std::string> params;   // from the route's pattern, decoded
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string peer;                            // "address:port"
  std::string client_key_id;  // hex SHA-256 of the client's SPKI under mutual TLS, else empty
  BodyReader& body;
};

struct Response {
  int status = 200;
  std::map<std::string, std::string> headers;
  Bytes body;
  // Where set, makes the body in place of `body`: called once on the handler's thread after the
  // handler has returned (it may still read the request's body). Sink blocks while the client is
  // slow and fails (net.closed, net.timeout) when it is gone. An error, or fewer bytes than
  // `stream_size`, breaks the connection off, so that the client sees a failed and not a short
  // answer.
  std::function<Result<>(const Sink&)> stream;
  std::optional<uint64_t> stream_size;  // empty: chunked

  static Response Json(const json::value& value, int status = 200);
  static Response Text(std::string_view text, std::string_view content_type, int status = 200);
  // RFC 9457 application/problem+json: type, title, status, code, detail (the error's message),
  // expected, found, next. The status is the error table's. Error::detail is never sent.
  static Response Problem(const Error& error);
};

using Handler = std::function<Response(Request&)>;

// Which handler takes which request. Patterns are segments: "/v1/jobs/{id}"; a last segment
// "{rest*}" takes one or more segments. Literal segments win over parameters. Not changed once the
// server runs.
class Router {
 public:
  static constexpr uint64_t kDefaultMaxBody = uint64_t{1} << 20;

  // `max_body`: a request with a longer body is refused with input.too_large. A pattern that is
  // malformed or there already is the program's mistake and ends it.
  void Add(std::string_view method, std::string_view pattern, Handler handler,
           uint64_t max_body = kDefaultMaxBody);

  struct Match {
    const Handler* handler = nullptr;
    uint64_t max_body = 0;
    std::map<std::string, std::string> params;
  };
  // `path` still percent-encoded. Errors: http.not_found, http.method_not_allowed (`found` names
  // the methods that exist), input.malformed.
  Result<Match> Find(std::string_view method, std::string_view path) const;

  // As the server does it for `request` (method, path, body given); for tests of handlers.
  Response Dispatch(Request& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
    uint64_t max_body;
  };
  std::vector<Route> routes_;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one, see HttpServer::port
  // TLS with a self-signed certificate over this key (it is kept referenced; clients pin its SPKI).
  // Null: plain HTTP.
  const crypto::P256PrivateKey* tls_key = nullptr;
  std::string tls_subject = "cce4long";
  // Mutual TLS: only clients that own one of these keys get past the handshake. Empty: no client
  // keys.
  std::vector<SpkiHash> allowed_clients;

  size_t io_threads = 1;
  size_t worker_threads = 16;
  size_t queue_limit = 64;  // requests that wait for a worker; beyond it http.busy (503)
  size_t max_connections = 512;
  uint32_t max_header_bytes = 16 * 1024;
  std::chrono::milliseconds idle_timeout{60'000};  // between two requests
  std::chrono::milliseconds header_timeout{
      10'000};  // first byte to the header's end; TLS handshake
  // For each 256 KiB of body in either direction: sets a least rate.
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds stop_grace{5'000};  // for running requests when stopping
};

class HttpServer {
 public:
  // Binds and begins to serve. Errors: net.bind_failed, net.tls.
  static Result<std::unique_ptr<HttpServer>> Start(const ServerOptions& options, Router router);
  ~HttpServer();  // stops

  uint16_t port() const;
  // Accepts no more, closes idle connections, lets running requests end within the grace, then
  // breaks their connections, and waits for their handlers. Idempotent; thread-safe; not from a
  // handler.
  void Stop();

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::net
