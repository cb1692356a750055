#include "crypto/signed.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace cce::crypto {
namespace {

const char kType[] = "application/vnd.cce4long.test+json";

class SignedTest : public testing::Test {
 protected:
  P256PrivateKey key_ = P256PrivateKey::Generate().value();
  P256PrivateKey other_ = P256PrivateKey::Generate().value();
};

// -- DSSE

class DsseTest : public SignedTest {
 protected:
  std::string envelope_ = DsseSign(key_, kType, AsBytes("payload")).value();

  std::string Code(std::string_view envelope) const {
    const auto result = DsseVerify(envelope, kType, key_.public_key());
    return result ? "accepted" : result.error().code;
  }
  // The envelope with one text exchanged for another.
  std::string Changed(std::string_view from, std::string_view to) const {
    std::string out = envelope_;
    const size_t at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return out.replace(at, from.size(), to);
  }
};

TEST_F(DsseTest, GivesBackThePayload) {
  const auto payload = DsseVerify(envelope_, kType, key_.public_key());
  ASSERT_TRUE(payload);
  EXPECT_EQ(AsText(*payload), "payload");
}

TEST_F(DsseTest, RefusesOtherBytesTypesAndKeys) {
  EXPECT_EQ(Code(Changed(ToBase64(AsBytes("payload")), ToBase64(AsBytes("Payload")))),
            "crypto.bad_signature");
  EXPECT_EQ(Code(Changed(kType, "application/json")), "input.malformed");
  EXPECT_EQ(DsseVerify(envelope_, "application/json", key_.public_key()).error().code,
            "input.malformed");
  EXPECT_EQ(DsseVerify(envelope_, kType, other_.public_key()).error().code, "crypto.bad_signature");
  // signed for another type, then relabelled
  const std::string relabelled = DsseSign(key_, "application/xyz", AsBytes("payload")).value();
  std::string text = relabelled;
  text.replace(text.find("application/xyz"), 15, kType);
  EXPECT_EQ(Code(text), "crypto.bad_signature");
  // another key's signature under this key's name
  std::string foreign = DsseSign(other_, kType, AsBytes("payload")).value();
  const std::string name = ToHex(KeyId(other_.public_key()));
  foreign.replace(foreign.find(name), 64, ToHex(KeyId(key_.public_key())));
  EXPECT_EQ(Code(foreign), "crypto.bad_signature");
}

TEST_F(DsseTest, IsStrict) {
  EXPECT_EQ(Code(Changed("{\"payload\"", "{\"extra\":1,\"payload\"")), "input.unknown_member");
  EXPECT_EQ(Code(Changed("{\"keyid\"", "{\"cert\":\"\",\"keyid\"")), "input.unknown_member");
  EXPECT_EQ(Code(Changed("{\"payload\"", "{\"payload\":\"eA==\",\"payload\"")), "input.malformed");
  EXPECT_EQ(Code(Changed("\"keyid\"", "\"keyId\"")), "input.missing_member");
  EXPECT_EQ(Code(envelope_.substr(0, envelope_.find("\"signatures\"")) + "\"signatures\":[]}"),
            "input.malformed");
  const size_t open = envelope_.find('['), close = envelope_.find(']');
  const std::string item = envelope_.substr(open + 1, close - open - 1);
  EXPECT_EQ(Code(Changed(item, item + "," + item)), "input.malformed");
  EXPECT_EQ(Code(envelope_ + "x"), "input.malformed");
  EXPECT_EQ(Code(""), "input.malformed");
  EXPECT_EQ(Code("[]"), "input.malformed");
}

// -- JWT

class JwtTest : public SignedTest {
 protected:
  static constexpr std::string_view kClaims = R"({"sub":"job"})";
  std::string token_ = JwtSign(key_, "test+jwt", kClaims).value();

  std::string Code(std::string_view token) const {
    const auto result = JwtVerify(token, "test+jwt", key_.public_key());
    return result ? "accepted" : result.error().code;
  }
  // A token with any header, properly signed by the right key.
  std::string WithHeader(const std::string& header, std::string_view claims = kClaims) const {
    const std::string signed_part =
        ToBase64Url(AsBytes(header)) + "." + ToBase64Url(AsBytes(claims));
    return signed_part + "." + ToBase64Url(key_.Sign(AsBytes(signed_part)).value());
  }
  std::string Kid() const { return ToHex(KeyId(key_.public_key())); }
};

TEST_F(JwtTest, GivesBackTheClaims) {
  const auto claims = JwtVerify(token_, "test+jwt", key_.public_key());
  ASSERT_TRUE(claims);
  EXPECT_EQ(*claims, kClaims);
  EXPECT_EQ(Code(WithHeader(R"({"alg":"ES256","typ":"test+jwt","kid":")" + Kid() + "\"}")),
            "accepted");
}

TEST_F(JwtTest, RefusesEveryOtherHeader) {
  const std::string kid = R"("kid":")" + Kid() + "\"";
  for (const std::string& header : std::vector<std::string>{
           R"({"alg":"none","typ":"test+jwt",)" + kid + "}",
           R"({"alg":"None","typ":"test+jwt",)" + kid + "}",
           R"({"alg":"HS256","typ":"test+jwt",)" + kid + "}",
           R"({"alg":"ES384","typ":"test+jwt",)" + kid + "}",
           R"({"alg":"ES256","typ":"other",)" + kid + "}",
           R"({"alg":"ES256",)" + kid + "}",
           R"({"alg":"ES256","typ":"test+jwt"})",
           R"({"alg":"ES256","typ":"test+jwt",)" + kid + R"(,"crit":["x"]})",
           R"({"alg":"ES256","typ":"test+jwt",)" + kid + R"(,"jwk":{}})",
           R"({"jku":"https://x","alg":"ES256","typ":"test+jwt",)" + kid + "}",
           R"({"alg": "ES256","typ":"test+jwt",)" + kid + "}",
           "{}",
           "",
       }) {
    EXPECT_EQ(Code(WithHeader(header)), "input.malformed") << header;
  }
}

TEST_F(JwtTest, RefusesOtherKeysAndChanges) {
  EXPECT_EQ(JwtVerify(token_, "test+jwt", other_.public_key()).error().code,
            "crypto.bad_signature");
  EXPECT_EQ(JwtVerify(token_, "other", key_.public_key()).error().code, "input.malformed");
  const size_t first = token_.find('.'), second = token_.rfind('.');
  const std::string other_claims = ToBase64Url(AsBytes(R"({"sub":"boj"})"));
  EXPECT_EQ(Code(token_.substr(0, first + 1) + other_claims + token_.substr(second)),
            "crypto.bad_signature");
  EXPECT_EQ(Code(token_.substr(0, second + 1)), "crypto.bad_signature");
  EXPECT_EQ(Code(token_.substr(0, second)), "input.malformed");
  EXPECT_EQ(Code(token_ + "."), "input.malformed");
  EXPECT_EQ(Code(token_ + "="), "input.malformed");
  EXPECT_EQ(Code(""), "input.malformed");
  EXPECT_EQ(Code(".."), "input.malformed");
  EXPECT_EQ(Code(std::string(70000, 'a')), "input.too_large");
}

TEST_F(JwtTest, ClaimsAreOneObject) {
  EXPECT_EQ(JwtSign(key_, "t", "[]").error().code, "input.malformed");
  EXPECT_EQ(JwtSign(key_, "t", R"({"a":1,"a":2})").error().code, "input.malformed");
  const std::string header = R"({"alg":"ES256","typ":"test+jwt","kid":")" + Kid() + "\"}";
  EXPECT_EQ(Code(WithHeader(header, R"({"a":1,"a":2})")), "input.malformed");
  EXPECT_EQ(Code(WithHeader(header, "\"text\"")), "input.malformed");
}

}  // namespace
}  // namespace cce::crypto
