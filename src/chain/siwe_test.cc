#include "chain/siwe.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "chain/test_support.h"
#include "chain/uri.h"

namespace cce::chain {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;
const auto kForever = std::numeric_limits<int64_t>::max();

SiweMessage Example() {
  return {.scheme = "https",
          .domain = "cced.example:8443",
          .address = TestAddress(0),
          .statement = "Run job 7 on 2 datasets.",
          .uri = "https://cced.example:8443",
          .chain_id = 31337,
          .nonce = "abcDEF123456",
          .issued_at = FormatTime(kNow - 10),
          .expiration_time = FormatTime(kNow + 300),
          .not_before = FormatTime(kNow - 10),
          .request_id = "job-7",
          .resources = std::vector<std::string>{"urn:cce4long:v1:identity:" + ToHex(Bytes(32, 1)),
                                                "urn:cce4long:v1:job:" + ToHex(Bytes(32, 2))}};
}

SiweExpectations ExampleExpected() {
  return {.domain = "cced.example:8443",
          .uri = "https://cced.example:8443",
          .chain_id = 31337,
          .nonce = "abcDEF123456",
          .now = kNow,
          .resources = Example().resources,
          .max_lifetime = 600};
}

Bytes Signed(const std::string& text, int key = 0) {
  return ToBytes(ByteView(*crypto::EthSignDigest(TestKey(key), PersonalDigest(text))));
}

std::string Verify(const SiweMessage& message, const SiweExpectations& expected) {
  const std::string text = RenderSiwe(message).value();
  return CodeOf(VerifySiwe(text, Signed(text), expected, nullptr));
}

TEST(Siwe, RendersAndReadsBack) {
  const std::string text = RenderSiwe(Example()).value();
  EXPECT_EQ(text,
            "https://cced.example:8443 wants you to sign in with your Ethereum account:\n"
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n\nRun job 7 on 2 datasets.\n\n"
            "URI: https://cced.example:8443\nVersion: 1\nChain ID: 31337\nNonce: abcDEF123456\n"
            "Issued At: 2027-01-15T07:59:50Z\nExpiration Time: 2027-01-15T08:05:00Z\n"
            "Not Before: 2027-01-15T07:59:50Z\nRequest ID: job-7\nResources:\n"
            "- urn:cce4long:v1:identity:" +
                ToHex(Bytes(32, 1)) +
                "\n"
                "- urn:cce4long:v1:job:" +
                ToHex(Bytes(32, 2)));
  EXPECT_EQ(ParseSiwe(text).value(), Example());
}

TEST(Siwe, RendersOnlyWhatReadsBack) {
  const auto code = [](auto change) {
    SiweMessage message = Example();
    change(message);
    return CodeOf(RenderSiwe(message));
  };
  EXPECT_EQ(code([](SiweMessage&) {}), "ok");
  EXPECT_EQ(code([](SiweMessage& m) { m.resources.reset(); }), "ok");
  EXPECT_EQ(code([](SiweMessage& m) { m.resources->clear(); }), "ok");
  EXPECT_EQ(code([](SiweMessage& m) { m.statement = "a\nb"; }), "signin.malformed");
  EXPECT_EQ(code([](SiweMessage& m) { m.statement = ""; }), "signin.malformed");
  EXPECT_EQ(code([](SiweMessage& m) { m.statement = "50 %"; }), "signin.malformed");
  EXPECT_EQ(code([](SiweMessage& m) { m.request_id = "x\nResources:\n- a:b"; }),
            "signin.malformed");
  EXPECT_EQ(code([](SiweMessage& m) { m.nonce = "short"; }), "signin.malformed");
  EXPECT_EQ(code([](SiweMessage& m) { m.domain = ""; }), "signin.malformed");
  EXPECT_EQ(code([](SiweMessage& m) { m.uri = "a:" + std::string(kMaxSiweSize, 'a'); }),
            "signin.malformed");
}

TEST(Siwe, ReadsNothingLooser) {
  const std::string good = RenderSiwe(Example()).value();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return CodeOf(ParseSiwe(text));
  };
  EXPECT_EQ(CodeOf(ParseSiwe(good + "\n")), "signin.malformed");
  EXPECT_EQ(CodeOf(ParseSiwe("")), "signin.malformed");
  EXPECT_EQ(with("Version: 1\n", "Version: 1\r\n"), "signin.malformed");
  EXPECT_EQ(with("Chain ID: 31337", "Chain ID: 031337"), "signin.malformed");
  EXPECT_EQ(with("Chain ID: 31337", "Chain ID: 18446744073709551616"), "signin.malformed");
  EXPECT_EQ(with("Chain ID: 31337", "Chain ID: "), "signin.malformed");
  EXPECT_EQ(with("Nonce: abc", "Nonce: a-c"), "signin.malformed");
  EXPECT_EQ(with("Nonce: ", "nonce: "), "signin.malformed");
  EXPECT_EQ(with("URI: https", "URI:  https"), "signin.malformed");
  EXPECT_EQ(with("\n\nURI", "\nURI"), "signin.malformed");
  EXPECT_EQ(with("- urn:", "-urn:"), "signin.malformed");
  EXPECT_EQ(with("2027-01-15T08", "2027-02-30T08"), "signin.malformed");
}

TEST(Siwe, VerifiesEachExpectation) {
  const SiweExpectations good = ExampleExpected();
  EXPECT_EQ(Verify(Example(), good), "ok");
  const auto code = [&](auto change) {
    SiweExpectations expected = good;
    change(expected);
    return Verify(Example(), expected);
  };
  EXPECT_EQ(code([](auto& e) { e.domain = "cced.example"; }), "signin.domain");
  EXPECT_EQ(code([](auto& e) { e.uri = "https://cced.example:8443/"; }), "signin.uri");
  EXPECT_EQ(code([](auto& e) { e.uri = "http://cced.example:8443"; }), "signin.domain");
  EXPECT_EQ(code([](auto& e) { e.chain_id = 1; }), "signin.chain_id");
  EXPECT_EQ(code([](auto& e) { e.nonce = "abcDEF123457"; }), "signin.nonce");
  EXPECT_EQ(code([](auto& e) { e.now = kNow + 300; }), "signin.expired");
  EXPECT_EQ(code([](auto& e) { e.now = kNow - 11; }), "signin.not_yet_valid");
  EXPECT_EQ(code([](auto& e) { e.max_lifetime = 309; }), "signin.expired");
  EXPECT_EQ(code([](auto& e) { e.resources->pop_back(); }), "signin.resources");
  EXPECT_EQ(code([](auto& e) { std::swap((*e.resources)[0], (*e.resources)[1]); }),
            "signin.resources");
  EXPECT_EQ(code([](auto& e) { e.resources.reset(); }), "ok");
}

TEST(Siwe, VerifiesTimesOfTheMessage) {
  SiweMessage message = Example();
  message.not_before.reset();
  message.issued_at = FormatTime(kNow + 301);
  EXPECT_EQ(Verify(message, ExampleExpected()), "signin.not_yet_valid");
  message.issued_at = FormatTime(kNow);
  message.expiration_time.reset();
  EXPECT_EQ(Verify(message, ExampleExpected()), "signin.expired");
  message.resources.reset();
  EXPECT_EQ(Verify(message, {.domain = message.domain,
                             .uri = message.uri,
                             .chain_id = message.chain_id,
                             .nonce = message.nonce,
                             .now = kNow}),
            "ok");
}

TEST(Siwe, VerifiesTheSignature) {
  const std::string text = RenderSiwe(Example()).value();
  const SiweExpectations expected = ExampleExpected();
  EXPECT_EQ(CodeOf(VerifySiwe(text, Signed(text, 1), expected, nullptr)), "signin.signature");
  EXPECT_EQ(CodeOf(VerifySiwe(text, {}, expected, nullptr)), "signin.signature");
  EXPECT_EQ(CodeOf(VerifySiwe(text, Bytes(66, 1), expected, nullptr)), "signin.signature");
  for (size_t i = 0; i < 65; ++i) {
    Bytes changed = Signed(text);
    changed[i] ^= 1;
    EXPECT_EQ(CodeOf(VerifySiwe(text, changed, expected, nullptr)), "signin.signature") << i;
  }
}

class FakeWallets : public ContractWallets {
 public:
  explicit FakeWallets(Result<bool> answer) : answer_(std::move(answer)) {}
  Result<bool> Accepts(const EthAddress&, const Hash32&, ByteView) const override {
    ++asked;
    return answer_;
  }
  mutable int asked = 0;

 private:
  Result<bool> answer_;
};

TEST(Siwe, AsksContractWalletsOnlyWhereTheKeyDidNotSign) {
  const std::string text = RenderSiwe(Example()).value();
  const FakeWallets yes(true);
  EXPECT_EQ(CodeOf(VerifySiwe(text, Signed(text), ExampleExpected(), &yes)), "ok");
  EXPECT_EQ(yes.asked, 0);
  EXPECT_EQ(CodeOf(VerifySiwe(text, Bytes(130, 1), ExampleExpected(), &yes)), "ok");
  const FakeWallets no(false);
  EXPECT_EQ(CodeOf(VerifySiwe(text, Bytes(130, 1), ExampleExpected(), &no)), "signin.signature");
  EXPECT_EQ(no.asked, 1);
  const FakeWallets away(Fail("chain.unreachable", "away"));
  EXPECT_EQ(CodeOf(VerifySiwe(text, Bytes(130, 1), ExampleExpected(), &away)), "chain.unreachable");
  const Bytes huge(kMaxSignatureSize + 1, 1);
  EXPECT_EQ(CodeOf(VerifySiwe(text, huge, ExampleExpected(), &yes)), "signin.signature");
}

TEST(Uri, FollowsTheRfc) {
  for (const char* good :
       {"https://a", "urn:x:y", "a:", "a:/", "http://[::1]:80/a?b#c", "http://u:p@h:1/%20",
        "http://[1:2:3:4:5:6:1.2.3.4]", "http://[1::8]", "http://[v1.a:b]", "mailto:a@b",
        "a+b-c.1:x", "http://[::]", "http://[1:2:3:4:5:6:7::]", "file:///x"}) {
    EXPECT_TRUE(IsUri(good)) << good;
  }
  for (const char* bad : {"",
                          ":",
                          "a",
                          "1a:b",
                          "a b:c",
                          "a: ",
                          "http://[::1",
                          "http://[:::1]",
                          "http://[1::2::3]",
                          "http://h:8a",
                          "a:%2",
                          "a:%zz",
                          "a:#b#c",
                          "http://a@b@c",
                          "http://[1:2:3:4:5:6:7:8:9]",
                          "http://[1.2.3.4::1]",
                          "http://[12345::]",
                          "a:\"",
                          "a:<b>",
                          "a:{}",
                          "a:\\",
                          "a:\x7f",
                          "a:\xc3\xa9",
                          "http://[1:2:3:4:5:6:7]",
                          "http://[::256.1.1.1]",
                          "http://[v1.]",
                          "a_b:c",
                          "http://a[b]"}) {
    EXPECT_FALSE(IsUri(bad)) << bad;
  }
  EXPECT_FALSE(IsUri(std::string_view("a:\0b", 4)));
}

// -- the vectors of spruceid/siwe, where they are

std::optional<std::filesystem::path> Vectors() {
  const char* set = std::getenv("CCE_VECTORS");
  const std::filesystem::path folder =
      set != nullptr ? std::filesystem::path(set)
                     : std::filesystem::path(CCE_SOURCE_DIR) / ".." / "shared" / "vectors";
  if (std::filesystem::exists(folder / "siwe")) return folder / "siwe";
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string_view(ci) == "true") {
    ADD_FAILURE() << "the sign-in vectors are missing: set CCE_VECTORS (looked in " << folder
                  << ")";
  } else {
    std::printf("SiweVectors: no vectors at %s, this test was left out (set CCE_VECTORS)\n",
                folder.c_str());
  }
  return std::nullopt;
}

json::object LoadVectors(const std::filesystem::path& file) {
  return ParseJson(ReadTextFile(file, 1 << 20).value()).value().as_object();
}

std::optional<std::string> Text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return std::string(value->as_string());
}

SiweMessage FromFields(const json::object& fields) {
  SiweMessage out{.scheme = Text(fields, "scheme"),
                  .domain = Text(fields, "domain").value(),
                  .address = ParseChecksumAddress(Text(fields, "address").value()).value(),
                  .statement = Text(fields, "statement"),
                  .uri = Text(fields, "uri").value(),
                  .chain_id = fields.at("chainId").to_number<uint64_t>(),
                  .nonce = Text(fields, "nonce").value(),
                  .issued_at = Text(fields, "issuedAt").value(),
                  .expiration_time = Text(fields, "expirationTime"),
                  .not_before = Text(fields, "notBefore"),
                  .request_id = Text(fields, "requestId")};
  if (const json::value* resources = fields.if_contains("resources")) {
    out.resources.emplace();
    for (const auto& item : resources->as_array()) out.resources->emplace_back(item.as_string());
  }
  return out;
}

TEST(SiweVectors, ParsingPositive) {
  const auto folder = Vectors();
  if (!folder) return;
  const json::object cases = LoadVectors(*folder / "parsing_positive.json");
  EXPECT_EQ(cases.size(), 19U);
  for (const auto& [name, value] : cases) {
    const std::string text(value.at("message").as_string());
    const auto message = ParseSiwe(text);
    ASSERT_TRUE(message) << name << ": " << message.error().message;
    EXPECT_EQ(*message, FromFields(value.at("fields").as_object())) << name;
    EXPECT_EQ(RenderSiwe(*message).value(), text) << name;
  }
}

TEST(SiweVectors, ParsingNegative) {
  const auto folder = Vectors();
  if (!folder) return;
  const json::object cases = LoadVectors(*folder / "parsing_negative.json");
  EXPECT_EQ(cases.size(), 29U);
  for (const auto& [name, value] : cases) {
    EXPECT_EQ(CodeOf(ParseSiwe(std::string(value.as_string()))), "signin.malformed") << name;
  }
}

// How a vector of verification ends: its signature read as hex (one has a digit too many), its text
// rendered from its fields, then verified as the file asks for.
std::string VerifyVector(const json::object& fields) {
  const auto text = RenderSiwe(FromFields(fields));
  if (!text) return text.error().code;
  const auto time = Text(fields, "time");
  const SiweExpectations expected{
      .domain = Text(fields, "domainBinding").value_or(Text(fields, "domain").value()),
      .uri = Text(fields, "uri").value(),
      .chain_id = fields.at("chainId").to_number<uint64_t>(),
      .nonce = Text(fields, "matchNonce").value_or(Text(fields, "nonce").value()),
      .now = time ? ParseTime(*time).value() : kNow,
      .max_ahead = kForever};
  const auto signature = FromHex(Text(fields, "signature").value(), true);
  if (!signature) return signature.error().code;
  return CodeOf(VerifySiwe(*text, *signature, expected, nullptr));
}

TEST(SiweVectors, VerificationPositive) {
  const auto folder = Vectors();
  if (!folder) return;
  const json::object cases = LoadVectors(*folder / "verification_positive.json");
  EXPECT_EQ(cases.size(), 4U);
  for (const auto& [name, value] : cases) EXPECT_EQ(VerifyVector(value.as_object()), "ok") << name;
}

TEST(SiweVectors, VerificationNegative) {
  const auto folder = Vectors();
  if (!folder) return;
  const json::object cases = LoadVectors(*folder / "verification_negative.json");
  EXPECT_EQ(cases.size(), 10U);
  const std::map<std::string, std::string> codes = {
      {"expired message", "signin.expired"},      {"domain binding", "signin.domain"},
      {"custom time", "signin.expired"},          {"custom nonce", "signin.nonce"},
      {"malformed signature", "input.malformed"}, {"wrong signature", "signin.signature"},
      {"not yet valid", "signin.not_yet_valid"},  {"invalid issuedAt", "signin.malformed"},
      {"invalid notBefore", "signin.malformed"},  {"invalid expirationTime", "signin.malformed"}};
  for (const auto& [name, value] : cases) {
    const auto code = codes.find(std::string(name));
    ASSERT_NE(code, codes.end()) << name;
    EXPECT_EQ(VerifyVector(value.as_object()), code->second) << name;
  }
}

}  // namespace
}  // namespace cce::chain
