#include "cli/verify_command.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/arguments.h"
#include "base/file.h"
#include "manifest/test_bundle.h"

namespace cce::cli {
namespace {

using manifest::TestBundle;

class VerifyCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "verify-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    t_.trust.engines.clear();
    t_.Make();
    t_.trust.engines[0].attestation = attest::StrictPolicy();
    Write("output.tar", AsText(t_.tar));
    Write("manifest.json", manifest::EncodeBundle(t_.bundle));
    Write("trust.toml", manifest::TrustToToml(t_.trust.engines[0]));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ + "/" + name, AsBytes(text)));
  }

  // Runs with `more` after "verify RESULT --trust ..": exit code, and what it printed.
  int Run(const std::string& result, const std::vector<std::string>& more = {}) {
    args::Program app("");
    app.OptionsAnywhere();
    GlobalOptions global;
    global.trust = folder_ + "/trust.toml";
    app.AddFlag("--json", global.json, "print one JSON object");
    int exit_code = -1;
    AddVerifyCommand(app, global, exit_code);
    std::vector<const char*> words = {"cce", "verify", result.c_str()};
    for (const std::string& word : more) words.push_back(word.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_FALSE(app.Parse(static_cast<int>(words.size()), words.data()));
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit_code;
  }

  std::string folder_;
  TestBundle t_;
  std::string out_;
  std::string err_;
};

TEST_F(VerifyCommand, RefusesWithOneAndSaysWhy) {
  // The toy chip's evidence is none that the real verifier takes.
  EXPECT_EQ(Run(folder_ + "/output.tar"), 1) << err_;
  EXPECT_NE(out_.find("✓ signature"), std::string::npos) << out_;
  EXPECT_NE(out_.find("✗ cced"), std::string::npos) << out_;
  EXPECT_NE(out_.find("REFUSED"), std::string::npos) << out_;
  EXPECT_NE(out_.find("manifest.cced_evidence"), std::string::npos) << out_;
}

TEST_F(VerifyCommand, TakesTheFolderThatHoldsTheTar) {
  EXPECT_EQ(Run(folder_, {"--manifest", folder_ + "/manifest.json", "--json"}), 1) << err_;
  const auto answer = ParseJson(out_);
  ASSERT_TRUE(answer) << out_;
  EXPECT_FALSE(answer->at("accepted").as_bool());
  EXPECT_EQ(answer->at("error").at("code"), "manifest.cced_evidence");
  EXPECT_EQ(answer->at("steps").at(0).at("name"), "signature");
  EXPECT_FALSE(answer->as_object().contains("statement"));
}

TEST_F(VerifyCommand, RefusesAManifestOfAnotherForm) {
  std::string text = manifest::EncodeBundle(t_.bundle);
  text[100] = static_cast<char>(text[100] ^ 1);
  Write("manifest.json", text);
  EXPECT_EQ(Run(folder_), 1);
  EXPECT_NE(out_.find("manifest.malformed"), std::string::npos) << out_;
}

TEST_F(VerifyCommand, EndsWithTwoWhereTheInputCannotBeUsed) {
  EXPECT_EQ(Run(folder_ + "/other.tar"), 2);
  EXPECT_NE(err_.find("io.not_found"), std::string::npos) << err_;
  EXPECT_EQ(Run(folder_, {"--manifest", folder_ + "/other.json"}), 2);
  Write("trust.toml", "[[cced]]\n");
  EXPECT_EQ(Run(folder_, {"--json"}), 2);
  EXPECT_NE(out_.find("config.invalid"), std::string::npos) << out_;
}

TEST_F(VerifyCommand, SaysWhatWasRunWhereAccepted) {
  TestBundle accepted;
  accepted.spec.command = {"python3", "run.py\n✓ forged \x1b[2J"};
  accepted.statement.command = accepted.spec.command;
  accepted.identity.development = {"chain: a single endpoint"};
  accepted.statement.development = accepted.identity.development;
  for (auto& policy : accepted.policies) policy.allow_development = true;
  accepted.Make();
  const manifest::Report report = accepted.Examine(/*allow_development=*/true);
  ASSERT_FALSE(report.error) << FormatError(*report.error);
  const std::string text = ReportText(report);
  for (const std::string& part :
       {std::string("ACCEPTED"), ToHex(accepted.spec.datasets[0].snapshot),
        ToHex(accepted.spec.datasets[1].snapshot), std::string("demo/survival@sha256:7777"),
        std::string("'guest image 1'"), std::string("by the output gate alone"),
        std::string("score 0.25, threshold 0.50, small_cell 1"),
        std::string("DEVELOPMENT       chain: a single endpoint"), std::string("test engine")}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find("\n✓ forged"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  const json::object tree = ReportJson(report);
  EXPECT_TRUE(tree.at("accepted").as_bool());
  EXPECT_EQ(tree.at("statement").at("predicate").at("review").at("decision"), "auto_approved");
  EXPECT_EQ(tree.at("development").as_array().size(), 1U);
}

TEST_F(VerifyCommand, AnEmptyReportIsNoAcceptance) {
  EXPECT_NE(ReportText({}).find("REFUSED"), std::string::npos);
  EXPECT_FALSE(ReportJson({}).at("accepted").as_bool());
}

TEST_F(VerifyCommand, NamesThePeopleWhoDecided) {
  TestBundle accepted;
  accepted.statement.decision = "approved";
  accepted.statement.decided_by = {manifest::Filled<20>(0x77), manifest::Filled<20>(0x78)};
  accepted.Make();
  const manifest::Report report = accepted.Examine();
  ASSERT_FALSE(report.error) << FormatError(*report.error);
  EXPECT_NE(ReportText(report).find("by people: 0x7777"), std::string::npos);
}

}  // namespace
}  // namespace cce::cli
