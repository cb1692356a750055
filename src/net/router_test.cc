#include <gtest/gtest.h>

#include "net/http_server.h"
#include "net/test_support.h"
#include "net/uri.h"

namespace cce::net {
namespace {

Handler Named(const char* name) {
  return [name](Request&) { return Response::Text(name, "text/plain"); };
}

std::string Route(const Router& router, std::string method, std::string path) {
  MemoryBody body({});
  Request request{std::move(method), std::move(path), {}, {}, {}, "", "", body};
  const Response response = router.Dispatch(request);
  std::string out(AsText(response.body));
  for (const auto& [name, value] : request.params) out += " " + name + "=" + value;
  return response.status == 200 ? out : std::to_string(response.status);
}

Router Sample() {
  Router router;
  router.Add("GET", "/v1/jobs/{id}", Named("job"));
  router.Add("GET", "/v1/jobs/latest", Named("latest"));
  router.Add("POST", "/v1/jobs", Named("submit"));
  router.Add("GET", "/v1/jobs", Named("list"));
  router.Add("GET", "/log/{rest*}", Named("tile"));
  router.Add("GET", "/log/checkpoint", Named("checkpoint"));
  router.Add("GET", "/", Named("root"));
  return router;
}

TEST(Router, Matches) {
  const Router router = Sample();
  EXPECT_EQ(Route(router, "GET", "/"), "root");
  EXPECT_EQ(Route(router, "GET", "/v1/jobs"), "list");
  EXPECT_EQ(Route(router, "POST", "/v1/jobs"), "submit");
  EXPECT_EQ(Route(router, "GET", "/v1/jobs/7"), "job id=7");
  EXPECT_EQ(Route(router, "GET", "/v1/jobs/latest"), "latest");
  EXPECT_EQ(Route(router, "HEAD", "/v1/jobs/7"), "job id=7");
  EXPECT_EQ(Route(router, "GET", "/log/checkpoint"), "checkpoint");
  EXPECT_EQ(Route(router, "GET", "/log/tile/0/x001/067"), "tile rest=tile/0/x001/067");
  EXPECT_EQ(Route(router, "GET", "/v1/jobs/a%20b%2Fc"), "job id=a b/c");
}

TEST(Router, Refuses) {
  const Router router = Sample();
  for (const char* path : {"/v1", "/v1/jobs/", "/v1/jobs/7/x", "//", "/log/", "/V1/jobs"}) {
    EXPECT_EQ(Route(router, "GET", path), "404") << path;
  }
  EXPECT_EQ(Route(router, "GET", "v1/jobs"), "400");
  EXPECT_EQ(Route(router, "GET", "/v1/jobs/%00"), "400");
  EXPECT_EQ(Route(router, "GET", "/v1/jobs/%4"), "400");
  const auto found = router.Find("DELETE", "/v1/jobs");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, "http.method_not_allowed");
  EXPECT_EQ(found.error().expected, "POST, GET");
}

TEST(RouterDeathTest, BadPatternsEndTheProgram) {
  Router router = Sample();
  EXPECT_DEATH(router.Add("GET", "/v1/jobs", Named("again")), "declared twice");
  EXPECT_DEATH(router.Add("GET", "x", Named("x")), "malformed");
  EXPECT_DEATH(router.Add("GET", "/{a*}/b", Named("x")), "not last");
}

TEST(Uri, DecodesAndRefuses) {
  EXPECT_EQ(Must(PercentDecode("a%2fb+c")), "a/b+c");
  EXPECT_EQ(Must(PercentDecode("a%2Fb+c", true)), "a/b c");
  for (const char* bad : {"%", "%1", "%gg", "%00"}) EXPECT_FALSE(PercentDecode(bad)) << bad;
  const auto query = Must(ParseQuery("a=1&b=x%26y&&c"));
  EXPECT_EQ(query, (std::map<std::string, std::string>{{"a", "1"}, {"b", "x&y"}, {"c", ""}}));
  EXPECT_EQ(CodeOf(ParseQuery("a=1&a=2")), "input.malformed");
  EXPECT_EQ(EncodeSegment("a b/ü~"), "a%20b%2F%C3%BC~");
}

TEST(Response, ProblemHasNoDetail) {
  const Response response =
      Response::Problem(MakeError("http.busy", "busy").Expected("e").Found("f").Detail("secret"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.at("Content-Type"), "application/problem+json");
  const auto value = Must(ParseJson(AsText(response.body)));
  const json::object& problem = value.as_object();
  EXPECT_EQ(problem.at("code"), "http.busy");
  EXPECT_EQ(problem.at("type"), "urn:cce4long:error:http.busy");
  EXPECT_EQ(problem.at("status"), 503);
  EXPECT_EQ(problem.at("detail"), "busy");
  EXPECT_EQ(problem.at("expected"), "e");
  EXPECT_EQ(problem.at("found"), "f");
  EXPECT_TRUE(problem.contains("title"));
  EXPECT_TRUE(problem.contains("next"));
  EXPECT_EQ(AsText(response.body).find("secret"), std::string_view::npos);
  EXPECT_EQ(Response::Problem(MakeError("no.such", "")).status, 500);
}

TEST(BodyReader, ReadAllIsBounded) {
  EXPECT_EQ(Must(MemoryBody(Bytes(100)).ReadAll(100)).size(), 100u);
  EXPECT_EQ(CodeOf(MemoryBody(Bytes(101)).ReadAll(100)), "input.too_large");
  EXPECT_EQ(Must(MemoryBody({}).ReadAll(0)).size(), 0u);
}

}  // namespace
}  // namespace cce::net
