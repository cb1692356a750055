#include "net/http_server.h"

#include <gtest/gtest.h>

#include <latch>

#include "net/exchange.h"
#include "net/test_support.h"

namespace cce::net {
namespace {

constexpr uint64_t kBig = uint64_t{64} << 20;
constexpr size_t kMaxGrowth = size_t{24} << 20;

ClientRequest Ask(std::string method, std::string path) {
  ClientRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

uint8_t PatternAt(uint64_t i) { return static_cast<uint8_t>((i * 2654435761u) >> 13); }

void FillPattern(std::span<uint8_t> out, uint64_t at) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = PatternAt(at + i);
}

bool HasPattern(ByteView bytes, uint64_t at) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != PatternAt(at + i)) return false;
  }
  return true;
}

Response ShowRequest(Request& request) {
  json::object out;
  out["method"] = request.method;
  out["path"] = request.path;
  out["peer"] = request.peer;
  out["key"] = request.client_key_id;
  for (const auto& [name, value] : request.query) out["q." + name] = value;
  for (const auto& [name, value] : request.params) out["p." + name] = value;
  for (const auto& [name, value] : request.headers) out["h." + name] = value;
  return Response::Json(out);
}

// Reads the body and says how long it was and whether it was the pattern.
Response CountBody(Request& request) {
  const size_t before = ResidentBytes();
  Bytes buffer(64 * 1024);
  uint64_t total = 0;
  size_t most = 0;
  bool intact = true;
  for (;;) {
    const auto n = request.body.Read(buffer);
    if (!n) return Response::Problem(n.error());
    if (*n == 0) break;
    intact = intact && HasPattern(ByteView(buffer).first(*n), total);
    total += *n;
    most = std::max(most, ResidentBytes());
  }
  return Response::Json(
      json::object{{"total", total}, {"intact", intact}, {"flat", most < before + kMaxGrowth}});
}

Handler StreamPattern(uint64_t size, std::optional<uint64_t> declared) {
  return [=](Request&) {
    Response response;
    response.stream_size = declared;
    response.stream = [size](const Sink& sink) -> Result<> {
      Bytes piece(100'000);
      for (uint64_t at = 0; at < size;) {
        const size_t n = static_cast<size_t>(std::min<uint64_t>(piece.size(), size - at));
        FillPattern(std::span(piece).first(n), at);
        TRY(sink(ByteView(piece).first(n)));
        at += n;
      }
      return {};
    };
    return response;
  };
}

ClientRequest UploadPattern(uint64_t size, bool declared, std::string path = "/count") {
  ClientRequest request = Ask("PUT", std::move(path));
  request.body_source = [size, at = uint64_t{0}](std::span<uint8_t> out) mutable -> Result<size_t> {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(out.size(), size - at));
    FillPattern(out.first(n), at);
    at += n;
    return n;
  };
  if (declared) request.body_size = size;
  return request;
}

json::object JsonOf(const ClientResponse& response) { return Must(response.Json()).as_object(); }

TEST(HttpServer, HandsTheRequestOver) {
  Router router;
  router.Add("GET", "/v1/jobs/{id}", ShowRequest);
  const auto server = Serve(std::move(router));
  ClientRequest request = Ask("GET", "/v1/jobs/a%20b?x=1&y=%26");
  request.headers["X-Thing"] = "v";
  const auto client = Plain(*server);
  const auto shown = JsonOf(Must(client->SendOk(request)));
  EXPECT_EQ(shown.at("method"), "GET");
  EXPECT_EQ(shown.at("path"), "/v1/jobs/a b");
  EXPECT_EQ(shown.at("p.id"), "a b");
  EXPECT_EQ(shown.at("q.x"), "1");
  EXPECT_EQ(shown.at("q.y"), "&");
  EXPECT_EQ(shown.at("h.x-thing"), "v");
  EXPECT_EQ(shown.at("key"), "");
  // The connection is kept.
  EXPECT_EQ(JsonOf(Must(client->SendOk(request))).at("peer"), shown.at("peer"));
}

TEST(HttpServer, AnswersProblems) {
  Router router;
  router.Add("GET", "/here", ShowRequest);
  router.Add("GET", "/throws", [](Request&) -> Response { throw std::runtime_error("oops"); });
  router.Add("GET", "/inject", [](Request&) {
    Response response;
    response.headers["X"] = "a\r\nY: b";
    return response;
  });
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  EXPECT_EQ(CodeOf(client->Get("/nowhere")), "http.not_found");
  const auto wrong = Must(client->Send(Ask("DELETE", "/here")));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.at("allow"), "GET");
  EXPECT_EQ(CodeOf(ExpectOk(wrong)), "http.method_not_allowed");
  EXPECT_EQ(CodeOf(client->Get("/throws")), "internal.bug");
  EXPECT_EQ(CodeOf(client->Get("/inject")), "internal.bug");
  EXPECT_EQ(CodeOf(client->Get("/here?a=1&a=2")), "input.malformed");
}

TEST(HttpServer, HeadHasNoBody) {
  Router router;
  router.Add("GET", "/text", [](Request&) { return Response::Text("hello", "text/plain"); });
  router.Add("GET", "/stream", StreamPattern(1000, 1000));
  router.Add("DELETE", "/text", [](Request&) { return Response{.status = 204}; });
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  for (const auto& [path, length] : {std::pair{"/text", "5"}, {"/stream", "1000"}}) {
    const auto response = Must(client->SendOk(Ask("HEAD", path)));
    EXPECT_EQ(response.headers.at("content-length"), length);
    EXPECT_TRUE(response.body.empty());
  }
  EXPECT_EQ(Must(client->SendOk(Ask("DELETE", "/text"))).status, 204);
  EXPECT_EQ(AsText(Must(client->Get("/text")).body), "hello");
}

TEST(HttpServer, StreamsUpInFlatMemory) {
  Router router;
  router.Add("PUT", "/count", CountBody, kBig);
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  for (const bool declared : {true, false}) {
    const auto out = JsonOf(Must(client->SendOk(UploadPattern(kBig, declared))));
    EXPECT_EQ(out.at("total").to_number<uint64_t>(), kBig);
    EXPECT_EQ(out.at("intact"), true);
    if (!kSanitized) {
      EXPECT_EQ(out.at("flat"), true);
    }
  }
}

std::string Pattern(size_t size) {
  Bytes bytes(size);
  FillPattern(bytes, 0);
  return std::string(AsText(bytes));
}

std::string PutHead(uint64_t size) {
  return "PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}

// Around what a chunk holds, and where the server stops to wait for many bytes at once.
constexpr size_t kSizes[] = {0,
                             1,
                             Exchange::kChunkSize - 1,
                             Exchange::kChunkSize,
                             Exchange::kChunkSize + 1,
                             2 * Exchange::kChunkSize - 1,
                             2 * Exchange::kChunkSize,
                             2 * Exchange::kChunkSize + 1,
                             5 * Exchange::kChunkSize + 7};

TEST(HttpServer, DeclaredBodiesEndWhereTheySay) {
  Router router;
  router.Add("PUT", "/count", CountBody, kBig);
  router.Add("GET", "/after", [](Request&) { return Response::Text("<after>", "text/plain"); });
  const auto server = Serve(std::move(router));
  for (const size_t size : kSizes) {
    const std::string answer =
        RawSocket(server->port())
            .Ask(PutHead(size) + Pattern(size) +
                 "GET /after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("\"total\":" + std::to_string(size) + ",\"intact\":true"),
              std::string::npos)
        << answer;
    EXPECT_NE(answer.find("<after>"), std::string::npos) << answer;
  }
}

TEST(HttpServer, DeclaredBodiesOverTls) {
  const auto key = Must(crypto::P256PrivateKey::Generate());
  Router router;
  router.Add("PUT", "/count", CountBody, kBig);
  ServerOptions options;
  options.tls_key = &key;
  const auto server = Serve(std::move(router), options);
  ClientOptions client_options;
  client_options.base_url = "https://127.0.0.1:" + std::to_string(server->port());
  client_options.any_server_key = true;
  const auto client = Must(HttpClient::New(client_options));
  for (const size_t size : kSizes) {
    const auto out = JsonOf(Must(client->SendOk(UploadPattern(size, true))));
    EXPECT_EQ(out.at("total").to_number<uint64_t>(), size);
    EXPECT_EQ(out.at("intact"), true);
  }
}

TEST(HttpServer, TheLastByteOfALongBodyMayComeAlone) {
  constexpr size_t kSize = 3 * Exchange::kChunkSize + 1000;
  std::promise<void> nearly;
  Router router;
  router.Add(
      "PUT", "/count",
      [&](Request& request) {
        for (size_t taken = 0; taken < 3 * Exchange::kChunkSize;) {
          taken += Must(request.body.Next(kSize)).size();
        }
        nearly.set_value();
        return Response::Text(std::to_string(Must(request.body.ReadAll(kSize)).size()),
                              "text/plain");
      },
      kBig);
  const auto server = Serve(std::move(router));
  RawSocket raw(server->port());
  raw.Send(PutHead(kSize) + std::string(kSize - 1, 'x'));
  nearly.get_future().wait();
  raw.Send("x");
  EXPECT_TRUE(raw.ReadUntil("\r\n\r\n1000"));
}

TEST(HttpServer, StreamsDownInFlatMemory) {
  Router router;
  router.Add("GET", "/sized", StreamPattern(kBig, kBig));
  router.Add("GET", "/chunked", StreamPattern(kBig, std::nullopt));
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  for (const char* path : {"/sized", "/chunked"}) {
    const size_t before = ResidentBytes();
    uint64_t total = 0;
    size_t most = 0;
    bool intact = true;
    ClientRequest request = Ask("GET", path);
    request.sink = [&](ByteView bytes) -> Result<> {
      intact = intact && HasPattern(bytes, total);
      total += bytes.size();
      most = std::max(most, ResidentBytes());
      return {};
    };
    EXPECT_EQ(CodeOf(client->SendOk(request)), "ok");
    EXPECT_EQ(total, kBig);
    EXPECT_TRUE(intact);
    EXPECT_TRUE(kSanitized || most < before + kMaxGrowth);
  }
}

TEST(HttpServer, LargeBodyInMemory) {
  Router router;
  router.Add("GET", "/", [](Request&) {
    Response response;
    response.body.resize(5'000'000);
    FillPattern(response.body, 0);
    return response;
  });
  const auto server = Serve(std::move(router));
  const auto response = Must(Plain(*server)->Get("/"));
  EXPECT_EQ(response.body.size(), 5'000'000u);
  EXPECT_TRUE(HasPattern(response.body, 0));
}

TEST(HttpServer, RefusesLongBodies) {
  Router router;
  router.Add("PUT", "/count", CountBody, 1'000'000);
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  EXPECT_EQ(CodeOf(client->SendOk(UploadPattern(1'000'000, true))), "ok");
  EXPECT_EQ(CodeOf(client->SendOk(UploadPattern(1'000'000, false))), "ok");
  EXPECT_EQ(CodeOf(client->SendOk(UploadPattern(1'000'001, true))), "input.too_large");
  EXPECT_EQ(CodeOf(client->SendOk(UploadPattern(1'000'001, false))), "input.too_large");
  EXPECT_EQ(CodeOf(client->SendOk(UploadPattern(3'000'000, false))), "input.too_large");
}

TEST(HttpServer, UnreadBodies) {
  Router router;
  router.Add("PUT", "/ignore", ShowRequest, kBig);
  const auto server = Serve(std::move(router));
  const auto client = Plain(*server);
  ClientRequest small = Ask("PUT", "/ignore");
  small.body = Bytes(30'000);
  const auto first = JsonOf(Must(client->SendOk(small)));
  const auto second = JsonOf(Must(client->SendOk(small)));
  EXPECT_EQ(first.at("peer"), second.at("peer"));
  // A long one ends the connection, but the answer still arrives.
  RawSocket raw(server->port());
  raw.Send("PUT /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  raw.Send(std::string(200'000, 'x'));
  ::shutdown(raw.fd(), SHUT_WR);
  const std::string answer = raw.ReadToEnd();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST(HttpServer, BrokenStreamsAreSeen) {
  Router router;
  router.Add("GET", "/short", StreamPattern(1000, 2000));
  router.Add("GET", "/long", StreamPattern(3000, 2000));
  router.Add("GET", "/fails", [](Request&) {
    Response response;
    response.stream = [](const Sink& sink) -> Result<> {
      TRY(sink(AsBytes("some")));
      return Fail("io.failed", "the disk is gone");
    };
    return response;
  });
  const auto server = Serve(std::move(router));
  for (const char* path : {"/short", "/long", "/fails"}) {
    EXPECT_EQ(CodeOf(Plain(*server)->Get(path)), "net.closed") << path;
  }
}

TEST(HttpServer, FullQueueIsBusy) {
  std::latch running(2);
  std::promise<void> release;
  const auto released = release.get_future().share();
  Router router;
  router.Add("GET", "/wait", [&](Request&) {
    running.count_down();
    released.wait();
    return Response{};
  });
  ServerOptions options;
  options.worker_threads = 2;
  options.queue_limit = 0;
  const auto server = Serve(std::move(router), options);
  std::vector<std::future<Result<ClientResponse>>> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] { return Plain(*server)->Get("/wait"); }));
  }
  running.wait();
  const auto refused = Must(Plain(*server)->Send(Ask("GET", "/wait")));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(CodeOf(ExpectOk(refused)), "http.busy");
  release.set_value();
  for (auto& one : waiting) EXPECT_EQ(CodeOf(one.get()), "ok");
}

TEST(HttpServer, ClientThatLeavesFailsTheHandler) {
  std::promise<std::string> read, written;
  Router router;
  router.Add(
      "PUT", "/read",
      [&](Request& request) {
        read.set_value(CodeOf(request.body.ReadAll(kBig)));
        return Response{};
      },
      kBig);
  router.Add("GET", "/write", [&](Request&) {
    Response response;
    response.stream = [&](const Sink& sink) -> Result<> {
      const Bytes piece(100'000);
      Result<> result;
      while ((result = sink(piece))) {
      }
      written.set_value(CodeOf(result));
      return result;
    };
    return response;
  });
  const auto server = Serve(std::move(router));
  {
    // Though the server had no need to wake for so few bytes of so many.
    RawSocket raw(server->port());
    raw.Send("PUT /read HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
    raw.Send(std::string(300'000, 'x'));
  }
  EXPECT_EQ(read.get_future().get(), "net.closed");
  read = {};
  {
    RawSocket raw(server->port());
    raw.Send("PUT /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  }
  {
    RawSocket raw(server->port());
    raw.Send("GET /write HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(raw.ReadUntil("\r\n\r\n"));
  }
  EXPECT_EQ(read.get_future().get(), "net.closed");
  EXPECT_EQ(written.get_future().get(), "net.closed");
}

TEST(HttpServer, StopLetsRunningRequestsEnd) {
  std::promise<void> begun, release;
  Router router;
  router.Add("GET", "/wait", [&](Request&) {
    begun.set_value();
    release.get_future().wait();
    return Response::Text("done", "text/plain");
  });
  const auto server = Serve(std::move(router));
  RawSocket idle(server->port());
  auto answer = std::async(std::launch::async, [&] { return Plain(*server)->Get("/wait"); });
  begun.get_future().wait();
  auto stop = std::async(std::launch::async, [&] { server->Stop(); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  release.set_value();
  EXPECT_EQ(AsText(Must(answer.get()).body), "done");
  stop.get();
  EXPECT_FALSE(RawSocket(server->port()).connected());
}

TEST(HttpServer, StopBreaksOffWhatDoesNotEnd) {
  std::promise<void> begun;
  Router router;
  router.Add("PUT", "/read", [&](Request& request) {
    begun.set_value();
    return Response::Problem(request.body.ReadAll(1000).error());
  });
  ServerOptions options;
  options.stop_grace = std::chrono::milliseconds(20);
  const auto server = Serve(std::move(router), options);
  RawSocket raw(server->port());
  raw.Send("PUT /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  begun.get_future().wait();
  server->Stop();
  EXPECT_EQ(raw.ReadToEnd(), "");
  server->Stop();
}

TEST(HttpServer, PortInUse) {
  const auto server = Serve({});
  ServerOptions options;
  options.port = server->port();
  EXPECT_EQ(CodeOf(HttpServer::Start(options, {})), "net.bind_failed");
  options.address = "nonsense";
  EXPECT_EQ(CodeOf(HttpServer::Start(options, {})), "net.bind_failed");
}

}  // namespace
}  // namespace cce::net
