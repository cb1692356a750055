#include "net/http_client.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <cctype>
#include <cstring>
#include <mutex>
#include <tuple>

#include "crypto/p256.h"
#include "net/tls_context.h"

namespace cce::net {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{64} << 10;
constexpr size_t kMaxErrorBody = size_t{256} << 10;
constexpr uint64_t kExpectContinueFrom = uint64_t{1} << 20;
constexpr long kCurlBuffer = 256L * 1024;

struct CurlFree {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListFree>;

// What one Send passes to curl's callbacks.
struct Transfer {
  const ClientRequest* request = nullptr;
  CURL* curl = nullptr;
  ClientResponse response;
  size_t header_bytes = 0;
  bool header_ended = false;
  size_t body_at = 0;
  bool source_begun = false;
  std::optional<Error> error;  // a callback's: wins over curl's

  bool Succeeded() const {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
  }
};

size_t OnHeader(char* data, size_t size, size_t count, void* arg) {
  auto& transfer = *static_cast<Transfer*>(arg);
  const std::string_view line(data, size * count);
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.error = MakeError("net.bad_answer", "the answer's header is too large");
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // a new header begins: after a 100, or on a retry
    transfer.response.headers.clear();
    transfer.header_ended = false;
    return line.size();
  }
  if (line == "\r\n" || line == "\n") transfer.header_ended = true;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) {
    value.remove_prefix(1);
  }
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) {
    value.remove_suffix(1);
  }
  auto [at, fresh] = transfer.response.headers.emplace(std::move(name), std::string(value));
  if (!fresh) at->second += ", " + std::string(value);
  return line.size();
}

size_t OnBody(char* data, size_t size, size_t count, void* arg) {
  auto& transfer = *static_cast<Transfer*>(arg);
  const size_t n = size * count;
  const ByteView bytes = AsBytes(std::string_view(data, n));
  const bool good = transfer.Succeeded();
  if (good && transfer.request->sink) {
    if (auto taken = transfer.request->sink(bytes); !taken) {
      transfer.error = taken.error();
      return n + 1;  // anything but n stops the transfer
    }
    return n;
  }
  const size_t max = good ? transfer.request->max_response
                          : std::min(transfer.request->max_response, kMaxErrorBody);
  if (transfer.response.body.size() + n > max) {
    transfer.error = MakeError("input.too_large", "the answer's body is too large")
                         .Expected("at most " + std::to_string(max) + " bytes");
    return n + 1;
  }
  Append(transfer.response.body, bytes);
  return n;
}

size_t OnUpload(char* out, size_t size, size_t count, void* arg) {
  auto& transfer = *static_cast<Transfer*>(arg);
  const std::span<uint8_t> room(reinterpret_cast<uint8_t*>(out), size * count);
  if (transfer.request->body_source) {
    transfer.source_begun = true;
    auto n = transfer.request->body_source(room);
    if (n && *n <= room.size()) return *n;
    transfer.error = n ? MakeError("internal.bug", "a body source overran") : n.error();
    return CURL_READFUNC_ABORT;
  }
  const Bytes& body = transfer.request->body;
  const size_t n = std::min(room.size(), body.size() - transfer.body_at);
  std::memcpy(room.data(), body.data() + transfer.body_at, n);
  transfer.body_at += n;
  return n;
}

// curl rewinds when it sends a request once more on a new connection.
int OnSeek(void* arg, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(arg);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  if (transfer.request->body_source) {
    return offset == 0 && !transfer.source_begun ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
  }
  if (static_cast<uint64_t>(offset) > transfer.request->body.size()) return CURL_SEEKFUNC_FAIL;
  transfer.body_at = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int OnProgress(void* arg, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
  auto& transfer = *static_cast<Transfer*>(arg);
  if (!transfer.request->progress) return 0;
  if (transfer.request->progress(static_cast<uint64_t>(sent), static_cast<uint64_t>(received))) {
    return 0;
  }
  transfer.error = MakeError("net.cancelled", "the request was cancelled");
  return 1;
}

bool MentionsTls(std::string_view reason) {
  for (const std::string_view word : {"SSL", "TLS", "alert", "certificate"}) {
    if (reason.find(word) != std::string_view::npos) return true;
  }
  return false;
}

Error CurlError(CURLcode code, const std::string& url, const char* reason) {
  const std::string text = *reason != '\0' ? reason : curl_easy_strerror(code);
  const std::string message = url + ": " + text;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return MakeError("net.unreachable", message);
    case CURLE_OPERATION_TIMEDOUT:
      return MakeError("net.timeout", message);
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return MakeError("net.wrong_key", url + ": the server shows another key than the pinned one");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return MakeError("net.tls", message);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
      // With TLS 1.3 a refused client key is only seen when the first answer is read.
      return MakeError(MentionsTls(text) ? "net.tls" : "net.closed", message);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return MakeError("internal.unavailable", message);
    default:
      return MakeError("net.bad_answer", message);
  }
}

bool IsHeaderText(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

std::string PinList(const std::vector<SpkiHash>& pins) {
  std::string out;
  for (const SpkiHash& pin : pins) {
    out += (out.empty() ? "sha256//" : ";sha256//") + ToBase64(pin);
  }
  return out;
}

// One printable line of at most `max` bytes: a server's text is as hostile as any.
std::string CleanText(const json::object& problem, std::string_view key, size_t max) {
  const json::value* value = problem.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  const auto& text = value->get_string();
  std::string out(text.data(), std::min(text.size(), max));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

bool IsErrorCode(std::string_view code) {
  if (code.empty() || code.size() > 64 || code.find('.') == std::string_view::npos) return false;
  for (const char c : code) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_') return false;
  }
  return true;
}

}  // namespace

struct HttpClient::Impl {
  ClientOptions options;
  std::unique_ptr<CURL, CurlFree> curl;
  std::optional<TlsIdentity> identity;
  std::optional<SpkiHash> server_key;
  bool https = false;
  char reason[CURL_ERROR_SIZE] = "";  // curl keeps the address

  static CURLcode OnSslContext(CURL*, void* ssl_ctx, void* arg) {
    auto& self = *static_cast<Impl*>(arg);
    auto* ctx = static_cast<SSL_CTX*>(ssl_ctx);
    SSL_CTX_set_cert_verify_callback(ctx, OnVerify, arg);
    if (self.identity && !self.identity->InstallIn(ctx)) return CURLE_SSL_CERTPROBLEM;
    return CURLE_OK;
  }

  // Notes the key; the decision stays with curl's pin or with OpenSSL's chain.
  static int OnVerify(X509_STORE_CTX* store, void* arg) {
    auto& self = *static_cast<Impl*>(arg);
    self.server_key = SpkiOf(X509_STORE_CTX_get0_cert(store));
    if (!self.options.pinned_spki_sha256.empty() || self.options.any_server_key) return 1;
    return X509_verify_cert(store);
  }

  // Options that hold for every request.
  bool Configure();
  bool SetSigning(const ClientOptions::S3Signing& signing);
  // Options of one request. False where curl refuses (out of memory).
  bool Prepare(Transfer& transfer, const std::string& url, List& headers);
  bool PrepareBody(Transfer& transfer);
  Result<List> MakeHeaders(const ClientRequest& request);

  template <typename T>
  bool Set(CURLoption option, T value) {
    return curl_easy_setopt(curl.get(), option, value) == CURLE_OK;
  }
};

bool HttpClient::Impl::Configure() {
  bool ok = Set(CURLOPT_NOSIGNAL, 1L) && Set(CURLOPT_PROXY, "") &&
            Set(CURLOPT_FOLLOWLOCATION, 0L) && Set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
            Set(CURLOPT_PROTOCOLS_STR, https ? "https" : "http") &&
            Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count())) &&
            Set(CURLOPT_TIMEOUT_MS, static_cast<long>(options.total_timeout.count())) &&
            Set(CURLOPT_LOW_SPEED_LIMIT, 1L) &&
            Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.low_speed_time.count())) &&
            Set(CURLOPT_BUFFERSIZE, kCurlBuffer) && Set(CURLOPT_UPLOAD_BUFFERSIZE, kCurlBuffer) &&
            Set(CURLOPT_TCP_NODELAY, 1L) && Set(CURLOPT_PATH_AS_IS, 1L) &&
            Set(CURLOPT_HTTP09_ALLOWED, 0L);
  if (!options.unix_socket_path.empty()) {
    ok = ok && Set(CURLOPT_UNIX_SOCKET_PATH, options.unix_socket_path.c_str());
  }
  if (options.s3_signing) ok = ok && SetSigning(*options.s3_signing);
  if (!https) return ok;
  ok = ok && Set(CURLOPT_SSL_SESSIONID_CACHE, 0L) &&
       Set(CURLOPT_SSL_CTX_FUNCTION, &Impl::OnSslContext) && Set(CURLOPT_SSL_CTX_DATA, this);
  if (options.pinned_spki_sha256.empty() && !options.any_server_key) {
    ok = ok && Set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    if (!options.ca_file.empty()) ok = ok && Set(CURLOPT_CAINFO, options.ca_file.c_str());
    return ok;
  }
  if (!options.pinned_spki_sha256.empty()) {
    ok = ok && Set(CURLOPT_PINNEDPUBLICKEY, PinList(options.pinned_spki_sha256).c_str());
  }
  return ok && Set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3) &&
         Set(CURLOPT_SSL_VERIFYPEER, 0L) && Set(CURLOPT_SSL_VERIFYHOST, 0L);
}

bool HttpClient::Impl::SetSigning(const ClientOptions::S3Signing& signing) {
  std::string secret(AsText(signing.secret_key->Expose()));
  const bool ok = Set(CURLOPT_AWS_SIGV4, ("aws:amz:" + signing.region + ":s3").c_str()) &&
                  Set(CURLOPT_USERNAME, signing.access_key.c_str()) &&
                  Set(CURLOPT_PASSWORD, secret.c_str());
  Wipe(secret);
  return ok;
}

Result<List> HttpClient::Impl::MakeHeaders(const ClientRequest& request) {
  List list;
  // curl would add a type of its own to bodies, and ask for a compression that nobody offers.
  std::vector<std::string> lines;
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || !IsHeaderText(name) || !IsHeaderText(value)) {
      return Fail("input.malformed", "a request header holds control characters");
    }
    typed = typed || strcasecmp(name.c_str(), "content-type") == 0;
    lines.push_back(name);
    lines.back().append(value.empty() ? ";" : ": ").append(value);
  }
  if (!typed) lines.emplace_back("Content-Type:");
  // Waiting for "100 Continue" costs a round trip: only before a body that would hurt to send in
  // vain.
  const uint64_t size =
      request.body_source ? request.body_size.value_or(UINT64_MAX) : request.body.size();
  if (size < kExpectContinueFrom) lines.emplace_back("Expect:");
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return Fail("internal.unavailable", "out of memory");
    std::ignore = list.release();  // it is `longer`, or a part of it
    list.reset(longer);
  }
  return list;
}

bool HttpClient::Impl::PrepareBody(Transfer& transfer) {
  const ClientRequest& request = *transfer.request;
  const bool has_body = request.body_source || !request.body.empty();
  if (request.method == "HEAD") return Set(CURLOPT_NOBODY, 1L);
  if (!has_body) {
    // A POST without a body says so; a GET or DELETE has none at all.
    if (request.method == "POST" || request.method == "PUT") {
      return Set(CURLOPT_POST, 1L) && Set(CURLOPT_POSTFIELDSIZE, 0L) &&
             Set(CURLOPT_POSTFIELDS, "") && Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    return Set(CURLOPT_HTTPGET, 1L) && Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_off_t size = -1;
  if (!request.body_source) {
    size = static_cast<curl_off_t>(request.body.size());
  } else if (request.body_size) {
    size = static_cast<curl_off_t>(*request.body_size);
  }
  return Set(CURLOPT_UPLOAD, 1L) && Set(CURLOPT_CUSTOMREQUEST, request.method.c_str()) &&
         Set(CURLOPT_INFILESIZE_LARGE, size) && Set(CURLOPT_READFUNCTION, &OnUpload) &&
         Set(CURLOPT_READDATA, &transfer) && Set(CURLOPT_SEEKFUNCTION, &OnSeek) &&
         Set(CURLOPT_SEEKDATA, &transfer);
}

bool HttpClient::Impl::Prepare(Transfer& transfer, const std::string& url, List& headers) {
  curl_easy_reset(curl.get());  // keeps the connections
  return Configure() && Set(CURLOPT_URL, url.c_str()) && Set(CURLOPT_HTTPHEADER, headers.get()) &&
         Set(CURLOPT_HEADERFUNCTION, &OnHeader) && Set(CURLOPT_HEADERDATA, &transfer) &&
         Set(CURLOPT_WRITEFUNCTION, &OnBody) && Set(CURLOPT_WRITEDATA, &transfer) &&
         Set(CURLOPT_NOPROGRESS, 0L) && Set(CURLOPT_XFERINFOFUNCTION, &OnProgress) &&
         Set(CURLOPT_XFERINFODATA, &transfer) && PrepareBody(transfer);
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::New(const ClientOptions& options) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->https = options.base_url.starts_with("https://");
  if (!impl->https && !options.base_url.starts_with("http://")) {
    return Fail(MakeError("input.malformed", "a server's URL is not http or https")
                    .Found(options.base_url.substr(0, 128)));
  }
  const bool needs_tls = !options.pinned_spki_sha256.empty() || options.any_server_key ||
                         options.client_key != nullptr;
  if (!impl->https && needs_tls) {
    return Fail("input.malformed", "a pin or client key with a URL that is not https");
  }
  while (impl->options.base_url.ends_with('/')) impl->options.base_url.pop_back();
  if (options.client_key != nullptr) {
    ASSIGN_OR_RETURN(impl->identity, TlsIdentity::Make(*options.client_key, "cce4long client"));
  }
  const std::string_view backend = curl_version_info(CURLVERSION_NOW)->ssl_version;
  if (impl->https && !backend.starts_with("OpenSSL")) {
    return Fail("net.tls", "libcurl is built with " + std::string(backend) + ", not with OpenSSL");
  }
  impl->curl.reset(curl_easy_init());
  if (!impl->curl) return Fail("internal.unavailable", "libcurl does not start");
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

Result<ClientResponse> HttpClient::Send(const ClientRequest& request) {
  if (!request.path.starts_with('/') || !IsHeaderText(request.path) ||
      request.path.find(' ') != std::string::npos) {
    return Fail("input.malformed", "a request's path is not one");
  }
  const std::string url = impl_->options.base_url + request.path;
  ASSIGN_OR_RETURN(List headers, impl_->MakeHeaders(request));
  Transfer transfer;
  transfer.request = &request;
  transfer.curl = impl_->curl.get();
  impl_->reason[0] = '\0';
  if (!impl_->Prepare(transfer, url, headers) ||
      !impl_->Set(CURLOPT_ERRORBUFFER, &impl_->reason[0])) {
    return Fail("internal.bug", "libcurl refuses an option");
  }
  const CURLcode code = curl_easy_perform(impl_->curl.get());
  if (transfer.error) return Fail(std::move(*transfer.error));
  if (code != CURLE_OK) return Fail(CurlError(code, url, impl_->reason));
  // curl takes a header that the connection's end has cut off for a whole one.
  if (!transfer.header_ended) return Fail("net.closed", url + ": the answer's header is cut off");
  long status = 0;
  curl_easy_getinfo(impl_->curl.get(), CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

Result<ClientResponse> HttpClient::SendOk(const ClientRequest& request) {
  return ExpectOk(Send(request));
}

Result<ClientResponse> HttpClient::Get(std::string path) {
  ClientRequest request;
  request.path = std::move(path);
  return SendOk(request);
}

Result<ClientResponse> HttpClient::PostJson(std::string path, const json::value& body) {
  ClientRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.headers["Content-Type"] = "application/json";
  request.body = ToBytes(ToJson(body));
  return SendOk(request);
}

std::optional<SpkiHash> HttpClient::server_key() const { return impl_->server_key; }

Result<json::value> ClientResponse::Json() const {
  auto value = ParseJson(AsText(body), {.max_bytes = body.size() + 1, .max_depth = 32});
  if (!value) {
    return Fail(MakeError("net.bad_answer", "the answer is not JSON: " + value.error().message));
  }
  return value;
}

Result<ClientResponse> ExpectOk(Result<ClientResponse> response) {
  if (!response || (response->status >= 200 && response->status < 300)) return response;
  const auto type = response->headers.find("content-type");
  if (type != response->headers.end() && type->second.starts_with("application/problem+json")) {
    const auto parsed = ParseJson(AsText(response->body));
    if (parsed && parsed->is_object()) {
      const json::object& problem = parsed->get_object();
      Error error;
      error.code = CleanText(problem, "code", 64);
      error.message = CleanText(problem, "detail", 2048);
      error.expected = CleanText(problem, "expected", 1024);
      error.found = CleanText(problem, "found", 1024);
      error.next = CleanText(problem, "next", 1024);
      if (IsErrorCode(error.code)) return Fail(std::move(error));
    }
  }
  return Fail(MakeError("net.http_status", "the server answered with an error")
                  .Expected("status 2xx")
                  .Found("status " + std::to_string(response->status)));
}

}  // namespace cce::net
