// The HTTP client (libcurl behind it): blocking, one request at a time, connections kept between
// requests. No redirects, no proxies, no cookies, no signals, HTTP/1.1.
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
#include "base/secret.h"
#include "net/tls.h"

namespace cce::net {

struct ClientOptions {
  std::string
      base_url;  // "https://host:port", no path and no trailing slash, or with a path prefix
  // Where set, the server must own one of these keys (TLS 1.3; chain and name do not count); the
  // URL must be https. Where empty, an https server's chain and name are verified against `ca_file`
  // or the system's roots.
  std::vector<SpkiHash> pinned_spki_sha256;
  std::string ca_file;
  // For a first contact that proves itself otherwise (attestation): TLS 1.3 with whatever key the
  // server has. Nothing of an answer may be believed before server_key() is found in what was
  // verified.
  bool any_server_key = false;
  std::string unix_socket_path;  // connect here, whatever the URL's host says
  // Mutual TLS: the key is kept referenced.
  const crypto::P256PrivateKey* client_key = nullptr;
  // Requests are signed with AWS Signature Version 4 for the service "s3". Each request must name
  // its body's SHA-256 (hex) in the header "x-amz-content-sha256", and a query without a value ends
  // in
  // "=". The secret key is kept referenced.
  struct S3Signing {
    std::string region;
    std::string access_key;
    const SecretBytes* secret_key = nullptr;
  };
  std::optional<S3Signing> s3_signing;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds total_timeout{0};  // of one request; 0: none
  std::chrono::seconds low_speed_time{
      60};  // net.timeout where less than 1 byte/s flows so long; 0: never
};

struct ClientRequest {
  std::string method = "GET";
  std::string path;  // appended to base_url; begins with '/'; percent-encoded (see EncodeSegment)
  std::map<std::string, std::string> headers;
  Bytes body;
  // In place of `body`: fills the span and returns the count, 0 at the end. Without `body_size`:
  // chunked.
  std::function<Result<size_t>(std::span<uint8_t>)> body_source;
  std::optional<uint64_t> body_size;
  // Takes the body of a 2xx answer as it arrives; other answers' bodies stay in memory all the
  // same.
  std::function<Result<>(ByteView)> sink;
  size_t max_response = size_t{16} << 20;  // of a body held in memory: input.too_large
  // Called a few times a second with bytes so far; false cancels (net.cancelled).
  std::function<bool(uint64_t sent, uint64_t received)> progress;
};

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  Bytes body;

  Result<json::value> Json() const;
};

class HttpClient {
 public:
  // Errors: input.malformed (a pin without https, a bad URL).
  static Result<std::unique_ptr<HttpClient>> New(const ClientOptions& options);
  ~HttpClient();

  // Any status is a success here. Errors: net.unreachable, net.timeout, net.tls, net.wrong_key (the
  // pin), net.closed, net.bad_answer, net.cancelled, input.too_large, and what body_source or sink
  // returned. A request on a kept connection that the server had closed is sent once more by itself
  // where nothing of an answer had arrived. Not thread-safe.
  Result<ClientResponse> Send(const ClientRequest& request);

  // Send, then ExpectOk.
  Result<ClientResponse> SendOk(const ClientRequest& request);
  Result<ClientResponse> Get(std::string path);
  Result<ClientResponse> PostJson(std::string path, const json::value& body);

  // The SPKI hash the server showed on the last TLS connection; empty for plain HTTP.
  std::optional<SpkiHash> server_key() const;

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Lets 2xx through; makes an Error of everything else: of problem+json with its code, message,
// expected, found and next (texts cleaned of control characters, lengths bounded), else
// net.http_status.
Result<ClientResponse> ExpectOk(Result<ClientResponse> response);

// Percent-encodes everything but RFC 3986's unreserved characters.
std::string EncodeSegment(std::string_view text);

}  // namespace cce::net
