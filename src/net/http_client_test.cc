#include "net/http_client.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include "net/test_support.h"

namespace cce::net {
namespace {

using namespace std::chrono_literals;

Router Hello() {
  Router router;
  router.Add("GET", "/", [](Request& r) { return Response::Text(r.client_key_id, "text/plain"); });
  return router;
}

struct Tls {
  crypto::P256PrivateKey server = Must(crypto::P256PrivateKey::Generate());
  crypto::P256PrivateKey client = Must(crypto::P256PrivateKey::Generate());
  crypto::P256PrivateKey other = Must(crypto::P256PrivateKey::Generate());

  std::unique_ptr<HttpServer> Start(bool mutual) const {
    ServerOptions options;
    options.tls_key = &server;
    if (mutual) options.allowed_clients = {Must(SpkiSha256(other)), Must(SpkiSha256(client))};
    return Serve(Hello(), options);
  }
  static std::unique_ptr<HttpClient> Connect(const HttpServer& to, std::vector<SpkiHash> pins,
                                             const crypto::P256PrivateKey* key = nullptr) {
    ClientOptions options;
    options.base_url = "https://127.0.0.1:" + std::to_string(to.port());
    options.pinned_spki_sha256 = std::move(pins);
    options.client_key = key;
    return Must(HttpClient::New(options));
  }
};

TEST(ClientTls, PinDecides) {
  const Tls keys;
  const auto server = keys.Start(false);
  const SpkiHash right = Must(SpkiSha256(keys.server)), wrong = Must(SpkiSha256(keys.other));
  const auto good = Tls::Connect(*server, {right});
  EXPECT_EQ(CodeOf(good->Get("/")), "ok");
  EXPECT_EQ(CodeOf(good->Get("/")), "ok");
  EXPECT_EQ(good->server_key(), right);
  EXPECT_EQ(CodeOf(Tls::Connect(*server, {wrong, right})->Get("/")), "ok");
  const auto bad = Tls::Connect(*server, {wrong});
  EXPECT_EQ(CodeOf(bad->Get("/")), "net.wrong_key");
  EXPECT_EQ(bad->server_key(), right);
  // Without a pin the chain decides, and a self-signed certificate has none.
  EXPECT_EQ(CodeOf(Tls::Connect(*server, {})->Get("/")), "net.tls");
}

TEST(ClientTls, FirstContactTellsTheKey) {
  const Tls keys;
  const auto server = keys.Start(false);
  ClientOptions options;
  options.base_url = "https://127.0.0.1:" + std::to_string(server->port());
  options.any_server_key = true;
  const auto client = Must(HttpClient::New(options));
  EXPECT_EQ(CodeOf(client->Get("/")), "ok");
  EXPECT_EQ(client->server_key(), Must(SpkiSha256(keys.server)));
  options.pinned_spki_sha256 = {Must(SpkiSha256(keys.other))};  // a pin decides all the same
  EXPECT_EQ(CodeOf(Must(HttpClient::New(options))->Get("/")), "net.wrong_key");
  options.base_url = "http://127.0.0.1:1";
  EXPECT_EQ(CodeOf(HttpClient::New(options)), "input.malformed");
}

TEST(ClientTls, MutualTlsLetsOnlyListedKeysIn) {
  const Tls keys;
  const auto server = keys.Start(true);
  const SpkiHash pin = Must(SpkiSha256(keys.server));
  const auto answer = Must(Tls::Connect(*server, {pin}, &keys.client)->Get("/"));
  EXPECT_EQ(AsText(answer.body), ToHex(Must(SpkiSha256(keys.client))));
  EXPECT_EQ(CodeOf(Tls::Connect(*server, {pin}, &keys.server)->Get("/")), "net.tls");
  EXPECT_EQ(CodeOf(Tls::Connect(*server, {pin})->Get("/")), "net.tls");
}

TEST(ClientTls, ServerWithoutTls) {
  const auto server = Serve(Hello());
  EXPECT_EQ(CodeOf(Tls::Connect(*server, {SpkiHash{}})->Get("/")), "net.tls");
}

TEST(Client, RefusesBadOptions) {
  const auto with = [](std::string url, bool pin) {
    ClientOptions options;
    options.base_url = std::move(url);
    if (pin) options.pinned_spki_sha256.push_back({});
    return CodeOf(HttpClient::New(options));
  };
  EXPECT_EQ(with("http://x", true), "input.malformed");
  EXPECT_EQ(with("ftp://x", false), "input.malformed");
  EXPECT_EQ(with("", false), "input.malformed");
  EXPECT_EQ(with("https://x", true), "ok");
}

TEST(Client, RefusesBadRequests) {
  const auto server = Serve(Hello());
  const auto client = Plain(*server);
  for (const char* path : {"", "x", "/a b", "/a\r\nX: y"}) {
    EXPECT_EQ(CodeOf(client->Get(path)), "input.malformed") << path;
  }
  ClientRequest request;
  request.path = "/";
  request.headers["X"] = "a\r\nY: b";
  EXPECT_EQ(CodeOf(client->Send(request)), "input.malformed");
}

TEST(Client, NobodyThere) {
  uint16_t port = 0;
  {
    const auto server = Serve({});
    port = server->port();
  }
  ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(CodeOf(Must(HttpClient::New(options))->Get("/")), "net.unreachable");
}

TEST(Client, TimesOut) {
  const CannedServer silent("", false);
  ClientOptions options;
  options.total_timeout = 100ms;
  EXPECT_EQ(CodeOf(silent.Client(options)->Get("/")), "net.timeout");
}

TEST(Client, BadAnswers) {
  EXPECT_EQ(CodeOf(CannedServer("").Client()->Get("/")), "net.closed");
  EXPECT_EQ(CodeOf(CannedServer("nonsense\r\n\r\n").Client()->Get("/")), "net.bad_answer");
  EXPECT_EQ(
      CodeOf(CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort").Client()->Get("/")),
      "net.closed");
  EXPECT_EQ(CodeOf(CannedServer("HTTP/1.1 200 OK\r\nX: " + std::string(80'000, 'a') + "\r\n\r\n")
                       .Client()
                       ->Get("/")),
            "net.bad_answer");
}

TEST(Client, CutHeadersAreNoAnswer) {
  for (const char* answer : {"HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n",
                             "HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP/1.1 204 No Content\r\nX: y"}) {
    EXPECT_EQ(CodeOf(CannedServer(answer).Client()->Get("/")), "net.closed") << answer;
  }
}

TEST(Client, LimitsBodies) {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'a');
  ClientRequest request;
  request.path = "/";
  request.max_response = 1000;
  EXPECT_EQ(CodeOf(CannedServer(answer).Client()->Send(request)), "ok");
  request.max_response = 999;
  EXPECT_EQ(CodeOf(CannedServer(answer).Client()->Send(request)), "input.too_large");
}

TEST(Client, DoesNotFollowRedirects) {
  const CannedServer server(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
  const auto client = server.Client();
  ClientRequest request;
  request.path = "/";
  EXPECT_EQ(Must(client->Send(request)).status, 302);
}

TEST(Client, CallbacksEndTheTransfer) {
  Router router = Hello();
  router.Add("PUT", "/", [](Request& r) {
    const auto body = r.body.ReadAll(1 << 20);
    return body ? Response{} : Response::Problem(body.error());
  });
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  ClientRequest upload;
  upload.method = "PUT";
  upload.path = "/";
  upload.body_source = [](std::span<uint8_t>) -> Result<size_t> {
    return Fail("io.failed", "no more");
  };
  EXPECT_EQ(CodeOf(client->Send(upload)), "io.failed");
  const CannedServer big("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  ClientRequest download;
  download.path = "/";
  download.sink = [](ByteView) -> Result<> { return Fail("io.disk_full", "full"); };
  EXPECT_EQ(CodeOf(big.Client()->Send(download)), "io.disk_full");
  const CannedServer silent("", false);
  ClientRequest cancelled;
  cancelled.path = "/";
  cancelled.progress = [](uint64_t, uint64_t) { return false; };
  EXPECT_EQ(CodeOf(silent.Client()->Send(cancelled)), "net.cancelled");
  EXPECT_EQ(CodeOf(client->Get("/")), "ok") << "the client goes on";
}

TEST(Client, SinkTakesOnlyGoodBodies) {
  const auto server = Serve(Hello());
  ClientRequest request;
  request.path = "/nowhere";
  request.sink = [](ByteView) -> Result<> {
    ADD_FAILURE() << "an error's body went to the sink";
    return {};
  };
  EXPECT_EQ(CodeOf(Plain(*server)->SendOk(request)), "http.not_found");
}

TEST(Client, MakesErrorsOfProblems) {
  Router router;
  router.Add("GET", "/", [](Request&) {
    return Response::Problem(MakeError("net.timeout", "late")
                                 .Expected("now")
                                 .Found("then")
                                 .Next("wait")
                                 .Detail("inner"));
  });
  const auto server = Serve(std::move(router));
  const auto result = Plain(*server)->Get("/");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "net.timeout");
  EXPECT_EQ(result.error().message, "late");
  EXPECT_EQ(result.error().expected, "now");
  EXPECT_EQ(result.error().found, "then");
  EXPECT_EQ(result.error().next, "wait");
  EXPECT_EQ(result.error().detail, "");
}

TEST(Client, HostileProblemsAreCleaned) {
  const auto answer = [](std::string type, std::string body) {
    ClientResponse response;
    response.status = 400;
    response.headers["content-type"] = std::move(type);
    response.body = ToBytes(body);
    return ExpectOk(response);
  };
  const std::string problem = "application/problem+json";
  EXPECT_EQ(CodeOf(answer("text/html", R"({"code":"a.b"})")), "net.http_status");
  EXPECT_EQ(CodeOf(answer(problem, R"({"code":"a.b"})")), "a.b");
  EXPECT_EQ(CodeOf(answer(problem, R"({"code":"A b"})")), "net.http_status");
  EXPECT_EQ(CodeOf(answer(problem, R"({"code":7})")), "net.http_status");
  EXPECT_EQ(CodeOf(answer(problem, "[")), "net.http_status");
  const auto cleaned = answer(problem, R"({"code":"a.b","detail":"x\u001b[31m\ny"})");
  EXPECT_EQ(cleaned.error().message, "x [31m y");
  const auto longer =
      answer(problem, R"({"code":"a.b","detail":")" + std::string(9000, 'x') + "\"}");
  EXPECT_EQ(longer.error().message.size(), 2048u);
}

TEST(Client, UnixSocket) {
  // A listener on a Unix socket that hands its one connection through to the server.
  const auto server = Serve(Hello());
  const std::string path = "/tmp/http_client_test." + std::to_string(::getpid());
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  std::thread answerer([&] {
    const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
    char buffer[4096];
    static_cast<void>(::read(peer.get(), buffer, sizeof buffer));
    static_cast<void>(WriteAll(peer.get(), AsBytes("HTTP/1.1 204 No Content\r\n\r\n")));
  });
  ClientOptions options;
  options.base_url = "http://cced";
  options.unix_socket_path = path;
  EXPECT_EQ(Must(Must(HttpClient::New(options))->Get("/")).status, 204);
  answerer.join();
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace cce::net
