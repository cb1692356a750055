// What a client may send that is not honest HTTP, over bare sockets.
#include <gtest/gtest.h>

#include "net/http_server.h"
#include "net/test_support.h"

namespace cce::net {
namespace {

using namespace std::chrono_literals;

Router Echo(std::promise<std::string>* outcome = nullptr) {
  Router router;
  const Handler echo = [outcome](Request& request) {
    const auto body = request.body.ReadAll(1000);
    if (outcome != nullptr) outcome->set_value(CodeOf(body));
    if (!body) return Response::Problem(body.error());
    return Response::Text("<" + std::string(AsText(*body)) + ">", "text/plain");
  };
  router.Add("GET", "/", echo);
  router.Add("POST", "/", echo);
  return router;
}

std::string StatusOf(const std::string& answer) {
  if (answer.find("<timeout>") != std::string::npos) return "timeout";
  return answer.starts_with("HTTP/1.1 ") ? answer.substr(9, 3) : "closed:" + answer;
}

struct BadRequest {
  const char* name;
  std::string text;
  const char* status;
};

class Hostile : public testing::TestWithParam<BadRequest> {};

TEST_P(Hostile, IsRefusedAndClosed) {
  const auto server = Serve(Echo());
  // What a smuggled second request would be answered with.
  const std::string answer = RawSocket(server->port()).Ask(GetParam().text);
  EXPECT_EQ(StatusOf(answer), GetParam().status) << answer;
  EXPECT_EQ(answer.find("HTTP/1.1 ", 1), std::string::npos) << "answered twice: " << answer;
  EXPECT_TRUE(Plain(*server)->Get("/")) << "the server goes on";
}

const std::string kSmuggled = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Requests, Hostile,
    testing::Values(
        BadRequest{"garbage", "\x01\x02\x03\r\n\r\n", "400"},
        BadRequest{"no_version", "GET /\r\n\r\n", "400"},
        BadRequest{"version_2", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "400"},
        BadRequest{"no_host", "GET / HTTP/1.1\r\n\r\n", "400"},
        BadRequest{"two_hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
        BadRequest{"absolute", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        BadRequest{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        BadRequest{"connect", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        BadRequest{"nul_in_path", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        BadRequest{"space_before_colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
        BadRequest{"length_and_chunked",
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n0\r\n\r\n" +
                       kSmuggled,
                   "400"},
        BadRequest{"chunked_and_length",
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
                   "5\r\n\r\n0\r\n\r\n" +
                       kSmuggled,
                   "400"},
        BadRequest{"two_lengths",
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: "
                   "6\r\n\r\nabcde" +
                       kSmuggled,
                   "400"},
        BadRequest{"same_length_twice",
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: "
                   "5\r\n\r\nabcde",
                   "400"},
        BadRequest{"length_list", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nabcde",
                   "400"},
        BadRequest{"length_sign", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
                   "400"},
        BadRequest{"length_overflow",
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                   "400"},
        BadRequest{"other_coding",
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n" + kSmuggled,
                   "400"},
        BadRequest{"coding_list",
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, "
                   "chunked\r\n\r\n0\r\n\r\n" +
                       kSmuggled,
                   "400"},
        BadRequest{"coding_with_tab",
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b"
                   "chunked\r\n\r\n0\r\n\r\n" +
                       kSmuggled,
                   "400"},
        BadRequest{
            "chunked_in_1_0",
            "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + kSmuggled,
            "400"},
        BadRequest{
            "bad_chunk",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + kSmuggled,
            "400"},
        BadRequest{"chunk_overflow",
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                   "chunked\r\n\r\nfffffffffffffffff\r\n" +
                       kSmuggled,
                   "400"},
        BadRequest{"long_header",
                   "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n",
                   "431"},
        BadRequest{"endless_header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(500'000, 'a'),
                   "431"},
        BadRequest{"long_target", "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n", "431"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(HostileServer, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = Serve(Echo());
  const std::string answer = RawSocket(server->port())
                                 .Ask(
                                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
                                     "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                     "chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
                                     "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const size_t one = answer.find("<one>"), two = answer.find("<two>"), three = answer.find("<>");
  EXPECT_NE(three, std::string::npos) << answer;
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
}

TEST(HostileServer, Continue100ComesWhenTheBodyIsWanted) {
  const auto server = Serve(Echo());
  RawSocket raw(server->port());
  raw.Send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
      "Connection: close\r\n\r\n");
  ASSERT_TRUE(raw.ReadUntil("100 Continue\r\n\r\n"));
  EXPECT_NE(raw.Ask("abc").find("<abc>"), std::string::npos);
  // And a refusal comes without it.
  RawSocket other(server->port());
  const std::string answer = other.Ask(
      "POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(StatusOf(answer), "404");
}

TEST(HostileServer, Http10) {
  const auto server = Serve(Echo());
  const std::string answer = RawSocket(server->port()).Ask("GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find(" 200 "), std::string::npos) << answer;
}

TEST(HostileServer, Http10SeesAStreamsEndByTheConnections) {
  Router router;
  router.Add("GET", "/", [](Request&) {
    Response response;
    response.stream = [](const Sink& sink) { return sink(AsBytes("<body>")); };
    return response;
  });
  const auto server = Serve(std::move(router));
  const std::string answer =
      RawSocket(server->port()).Ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\n<body>")) << answer;
}

TEST(HostileServer, ARefusalAfterHeadHasItsBody) {
  const auto server = Serve(Echo());
  const std::string answer =
      RawSocket(server->port())
          .Ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost : x\r\n\r\n");
  EXPECT_NE(answer.find("input.malformed"), std::string::npos) << answer;
}

TEST(HostileServer, SlowHeaderIsCut) {
  ServerOptions options;
  options.header_timeout = 100ms;
  const auto server = Serve(Echo(), options);
  RawSocket raw(server->port());
  raw.Send("GET / HTTP/1.1\r\n");
  // A byte now and then does not buy time.
  const auto begin = std::chrono::steady_clock::now();
  while (!raw.Readable(20) && std::chrono::steady_clock::now() - begin < 4s) raw.Send("X");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST(HostileServer, SlowBodyIsCut) {
  for (const char* length : {"900", "2000000"}) {
    std::promise<std::string> outcome;
    Router router;
    router.Add(
        "POST", "/",
        [&](Request& request) {
          outcome.set_value(CodeOf(request.body.ReadAll(2'000'000)));
          return Response{};
        },
        2'000'000);
    ServerOptions options;
    options.body_timeout = 100ms;
    const auto server = Serve(std::move(router), options);
    RawSocket raw(server->port());
    raw.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::string(length) + "\r\n\r\n");
    const auto begin = std::chrono::steady_clock::now();
    while (!raw.Readable(20) && std::chrono::steady_clock::now() - begin < 4s) raw.Send("X");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
    EXPECT_EQ(outcome.get_future().get(), "net.timeout");
  }
}

TEST(HostileServer, SlowReaderOfAnAnswerIsCut) {
  std::promise<std::string> outcome;
  Router router;
  router.Add("GET", "/", [&](Request&) {
    Response response;
    response.stream = [&](const Sink& sink) -> Result<> {
      const Bytes piece(1'000'000);
      Result<> result;
      while ((result = sink(piece))) {
      }
      outcome.set_value(CodeOf(result));
      return result;
    };
    return response;
  });
  ServerOptions options;
  options.body_timeout = 100ms;
  const auto server = Serve(std::move(router), options);
  RawSocket raw(server->port());
  raw.Send(kSmuggled);
  EXPECT_EQ(outcome.get_future().get(), "net.closed");
}

TEST(HostileServer, IdleConnectionsAreCut) {
  ServerOptions options;
  options.idle_timeout = 100ms;
  const auto server = Serve(Echo(), options);
  EXPECT_EQ(RawSocket(server->port()).ReadToEnd(), "");
}

TEST(HostileServer, ConnectionsAreBounded) {
  ServerOptions options;
  options.max_connections = 2;
  const auto server = Serve(Echo(), options);
  RawSocket first(server->port()), second(server->port());
  for (RawSocket* raw : {&first, &second}) {
    raw->Send(kSmuggled);
    EXPECT_TRUE(raw->ReadUntil("<>"));
  }
  EXPECT_EQ(RawSocket(server->port()).ReadToEnd(), "");
}

}  // namespace
}  // namespace cce::net
