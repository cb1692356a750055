#include "base/json.h"

#include <gtest/gtest.h>

namespace cce {
namespace {

TEST(ParseJson, RefusesDuplicatesTrailersDepthAndSize) {
  EXPECT_TRUE(ParseJson(R"({"a":1,"b":{"a":2}} )"));
  EXPECT_EQ(ParseJson(R"({"a":1,"a":2})").error().code, "input.malformed");
  EXPECT_FALSE(ParseJson(R"({"a":{"b":1,"b":2}})"));
  EXPECT_FALSE(ParseJson(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(ParseJson("{} {}"));
  EXPECT_FALSE(ParseJson("{\"a\":\"\xff\"}"));
  EXPECT_FALSE(ParseJson(""));
  EXPECT_FALSE(ParseJson(std::string(100, '[') + std::string(100, ']')));
  EXPECT_EQ(ParseJson(std::string(100, ' '), {.max_bytes = 10}).error().code, "input.too_large");
}

TEST(ParseJson, KeepsLongStringsWhole) {
  const std::string text =
      "{\"" + std::string(5000, 'k') + "\":\"" + std::string(100000, 'v') + "\"}";
  EXPECT_EQ(ToJson(*ParseJson(text)), text);
}

TEST(Fields, ReadsAndRefusesWhatNobodyAskedFor) {
  const Document document = *ParseToml("port = 8443\n[store]\npaht = \"x\"\n", "cced.toml");
  Fields f(document);
  EXPECT_EQ(f.Uint("port", {.min = 1, .max = 65535}), 8443);
  Fields store = f.Object("store");
  store.String("path", {.fallback = ""});
  const Result<> done = f.Finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "config.invalid");
  EXPECT_EQ(done.error().message,
            "cced.toml:3: store.paht: unknown key; the nearest known one is 'path'");
}

TEST(Fields, ReportsTheFirstFailure) {
  const Document document = *ParseJsonDocument(R"({"a":70000,"b":"zz"})", "request");
  Fields f(document);
  f.Uint("a", {.max = 65535});
  f.Hex("b", 1);
  const Result<> done = f.Finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "request: a: a number is out of range");
  EXPECT_EQ(done.error().expected, "0 to 65535");
}

TEST(Fields, MissingAndWrongTypes) {
  const Document document = *ParseJsonDocument(R"({"s":1,"l":["a",2],"neg":-1})", "request");
  {
    Fields f(document);
    f.String("absent", {});
    EXPECT_EQ(f.Finish().error().code, "input.missing_member");
  }
  {
    Fields f(document);
    f.String("s", {});
    EXPECT_EQ(f.Finish().error().code, "input.malformed");
  }
  {
    Fields f(document);
    f.Strings("l", {});
    EXPECT_FALSE(f.Finish());
  }
  {
    Fields f(document);
    f.Uint("neg", {});
    EXPECT_FALSE(f.Finish());
  }
}

TEST(ParseToml, NamesTheLine) {
  const Result<Document> document = ParseToml("a = 1\nb = = 2\n", "x.toml");
  ASSERT_FALSE(document);
  EXPECT_TRUE(document.error().message.starts_with("x.toml:2:")) << document.error().message;
  EXPECT_FALSE(ParseToml("a = 2026-01-01\n", "x.toml"));
}

}  // namespace
}  // namespace cce
