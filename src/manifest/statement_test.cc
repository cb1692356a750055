#include <gtest/gtest.h>

#include "crypto/format_vectors.h"
#include "manifest/test_bundle.h"

namespace cce::manifest {
namespace {

json::object Tree(const Statement& statement) {
  return ParseJson(EncodeStatement(statement)).value().as_object();
}

std::string CodeOf(const json::object& tree) {
  const auto decoded = DecodeStatement(ToJson(tree));
  return decoded ? "" : decoded.error().code;
}

class StatementTest : public testing::Test {
 protected:
  void SetUp() override {
    t.Make();
    tree = Tree(t.statement);
  }
  json::object& predicate() { return tree["predicate"].as_object(); }

  TestBundle t;
  json::object tree;
};

TEST_F(StatementTest, ComesBackAsItWas) {
  t.statement.decided_by = {Filled<20>(0x77)};
  t.statement.decision = "approved";
  const std::string text = EncodeStatement(t.statement);
  const auto decoded = DecodeStatement(text);
  ASSERT_TRUE(decoded) << FormatError(decoded.error());
  EXPECT_EQ(EncodeStatement(*decoded), text);
  EXPECT_EQ(decoded->files.size(), 2U);
  EXPECT_EQ(decoded->decided_by, t.statement.decided_by);
  EXPECT_EQ(decoded->decided_at, t.statement.decided_at);
}

TEST_F(StatementTest, IsAnInTotoStatementWithTheOutputFirst) {
  EXPECT_EQ(tree["_type"], "https://in-toto.io/Statement/v1");
  EXPECT_EQ(tree["predicateType"], "https://cce4long.org/result/v1");
  const json::array& subjects = tree["subject"].as_array();
  ASSERT_EQ(subjects.size(), 3U);
  EXPECT_EQ(subjects[0].at("name"), "output.tar");
  EXPECT_EQ(subjects[0].at("digest").at("sha256").as_string(), ToHex(crypto::Sha256(t.tar)));
  EXPECT_EQ(subjects[1].at("name"), "a/summary.csv");
}

TEST_F(StatementTest, TakesAFileWithTheNameOfTheWhole) {
  t.statement.files.push_back({std::string(kOutputSubject), Filled<32>(5)});
  const auto decoded = DecodeStatement(EncodeStatement(t.statement));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->files.back().path, kOutputSubject);
}

TEST_F(StatementTest, RefusesAnyUnknownOrMissingMember) {
  const json::object good = tree;
  tree["more"] = 1;
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  for (const auto& member : good) {
    tree = good;
    tree.erase(member.key());
    EXPECT_EQ(CodeOf(tree), "manifest.malformed") << member.key();
  }
  for (const auto& member : good.at("predicate").as_object()) {
    tree = good;
    predicate().erase(member.key());
    EXPECT_EQ(CodeOf(tree), "manifest.malformed") << member.key();
    tree = good;
    predicate()[member.key()] = "text";
    EXPECT_EQ(CodeOf(tree), "manifest.malformed") << member.key();
    if (!good.at("predicate").at(member.key()).is_object()) continue;
    tree = good;
    predicate()[member.key()].as_object()["more"] = 1;
    EXPECT_EQ(CodeOf(tree), "manifest.malformed") << member.key();
  }
}

TEST_F(StatementTest, RefusesOtherTypesAndSubjects) {
  const json::object good = tree;
  tree["_type"] = "https://in-toto.io/Statement/v0.1";
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  tree = good;
  tree["predicateType"] = "https://slsa.dev/provenance/v1";
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  tree = good;
  tree["subject"].as_array().erase(tree["subject"].as_array().begin());
  EXPECT_EQ(CodeOf(tree), "manifest.malformed") << "the whole output is not the first";
  tree = good;
  tree["subject"].as_array().push_back(good.at("subject").at(1));
  EXPECT_EQ(CodeOf(tree), "manifest.malformed") << "a file stands twice";
  tree = good;
  tree["subject"] = json::array{};
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  tree = good;
  tree["subject"].at(1).at("digest").as_object()["sha512"] = "00";
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
}

TEST_F(StatementTest, RefusesValuesOutOfRange) {
  const json::object good = tree;
  predicate()["review"].as_object()["decision"] = "rejected";
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  tree = good;
  predicate()["times"].as_object()["keys"] = "yesterday";
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  tree = good;
  predicate()["datasets"] = json::array{};
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  tree = good;
  predicate()["job"].as_object()["attempt"] = 0;
  EXPECT_EQ(CodeOf(tree), "manifest.malformed");
  EXPECT_EQ(DecodeStatement("[]").error().code, "manifest.malformed");
  EXPECT_EQ(DecodeStatement(EncodeStatement(t.statement) + "x").error().code, "manifest.malformed");
}

// The vectors of docs/formats/manifest.md, made with other software.
TEST(StatementVectors, HasTheBytesThatItsFormatShows) {
  const Statement s{
      .output = Filled<32>(0xa0),
      .files = {{"summary.csv", Filled<32>(0xa1)}},
      .job = Filled<16>(0x21),
      .attempt = 1,
      .job_spec = Filled<32>(0x22),
      .wallet = Filled<20>(0x11),
      .chain_id = 31337,
      .image_repository = "demo/survival",
      .image_digest = "sha256:" + std::string(64, '7'),
      .source_digest = "",
      .command = {"python3", "/app/run.py"},
      .datasets = {{Filled<20>(0xd1), Filled<32>(0x51), Filled<32>(0x52), 3, "prefetch"}},
      .rentals = {json::object{{"block", 812}}},
      .measurement = "guest image 1",
      .machine = {{"tee", "tdx"}},
      .keys_evidence = Filled<32>(0x31),
      .result_evidence = Filled<32>(0x32),
      .sealed_output = Filled<32>(0x33),
      .outcome = "succeeded",
      .decision = "approved",
      .decided_by = {Filled<20>(0x12)},
      .gate = {{"findings", json::object{{"small_cell", 1}}}},
      .development = {"chain: a single endpoint"},
      .submitted_at = 1790000000,
      .keys_at = 1790000010,
      .result_at = 1790000300,
      .decided_at = 1790000360};
  const FormatVectors vectors("manifest.md");
  EXPECT_EQ(EncodeStatement(s), vectors.Text("statement"));
  const auto key = ToArray<65>(vectors.Hex("identity_key")).value();
  const auto payload = crypto::DsseVerify(vectors.Text("envelope"), kPayloadType, key);
  ASSERT_TRUE(payload) << FormatError(payload.error());
  EXPECT_EQ(AsText(*payload), vectors.Text("statement"));
}

}  // namespace
}  // namespace cce::manifest
