// Export from a real local HTTP server, import into cced's place; and what neither may do.
#include "cli/collateral_commands.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "collateral/bundles.h"
#include "collateral/test_service.h"

namespace cce::cli {
namespace {

using collateral::testing::TestService;

class CollateralCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "collateral-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    // Documents in force now: commands use the system's clock.
    const UnixSeconds now = SystemClock().Now();
    const std::string issued = FormatTime(now - 86400).substr(0, 10);
    const std::string next = FormatTime(now + 30 * 86400).substr(0, 10);
    for (std::string* text : {&service_.tdx.tcb_info, &service_.tdx.qe_identity}) {
      service_.tdx.Replace(*text, "\"issueDate\":\"2026-09-20", "\"issueDate\":\"" + issued);
      service_.tdx.Replace(*text, "\"nextUpdate\":\"2026-10-20", "\"nextUpdate\":\"" + next);
    }
    for (auto* crl : {&service_.tdx.pck_crl, &service_.tdx.root_crl, &service_.snp.crl}) {
      crl->this_update = now - 60;
      crl->next_update = now + 30 * 86400;
    }
    service_.Publish();
    export_.file = folder_ + "/out.json";
    export_.addresses = service_.addresses();
    export_.policy = folder_ + "/policy.json";
    json::array roots;
    for (const attest::TrustedRoot& root : service_.roots()) {
      roots.push_back(json::object{{"name", root.name},
                                   {"tee", attest::TeeName(*root.tee)},
                                   {"sha256", ToHex(root.sha256)}});
    }
    const json::object policy{{"name", "test"},
                              {"roots", json::array{}},
                              {"any_measurement", true},
                              {"own_roots", std::move(roots)}};
    ASSERT_TRUE(WriteFileAtomic(export_.policy, AsBytes(ToJson(policy))));
    import_ = {.file = export_.file, .to = folder_ + "/cced.json", .policy = export_.policy};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name, ByteView bytes) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, bytes));
    return folder_ + "/" + name;
  }
  static std::string CodeOf(const Result<Answer>& answer) {
    return answer ? "done" : answer.error().code;
  }
  void ExportByFmspc() {
    export_.evidence = "";
    export_.fmspc = "B0C06F000000";
    const auto done = ExportCollateral(export_);
    ASSERT_TRUE(done) << FormatError(done.error());
  }

  TestService service_;
  CollateralExport export_;
  CollateralImport import_;
  std::string folder_;
};

TEST_F(CollateralCommandsTest, ExportsWhatEvidenceNeeds) {
  export_.evidence = Path("quote", service_.tdx.quote);
  const auto tdx = ExportCollateral(export_);
  ASSERT_TRUE(tdx) << FormatError(tdx.error());
  EXPECT_EQ(tdx->data.at("documents").as_array().size(), 4u);
  attest::Policy policy = attest::StrictPolicy();
  policy.roots = service_.roots();
  const auto verify = [&](ByteView evidence) {
    return attest::testing::FirstFailure(attest::VerifyBytes(
        evidence, collateral::ReadBundles(export_.file)->at(0).collateral, policy,
        SystemClock().Now(), attest::ExpectedBinding::WithoutReportData()));
  };
  EXPECT_EQ(verify(service_.tdx.quote), "accepted");
  export_.evidence = Path("report", service_.snp.signed_report);
  const auto snp = ExportCollateral(export_);
  ASSERT_TRUE(snp) << FormatError(snp.error());
  EXPECT_EQ(snp->data.at("documents").as_array().size(), 3u);
  EXPECT_EQ(verify(service_.snp.signed_report), "accepted");
}

TEST_F(CollateralCommandsTest, ExportsByModelWithoutEvidence) {
  ExportByFmspc();
  const auto bundle = collateral::ReadBundles(export_.file);
  ASSERT_TRUE(bundle);
  EXPECT_EQ(bundle->at(0).collateral.tdx->tcb_info.body, service_.tdx.tcb_info);
  export_.fmspc = "";
  export_.product = "Milan";
  const auto snp = ExportCollateral(export_);
  ASSERT_TRUE(snp) << FormatError(snp.error());
  EXPECT_EQ(snp->data.at("documents").as_array().size(), 2u);
}

TEST_F(CollateralCommandsTest, NothingIsWrittenWhereADocumentIsRefused) {
  export_.fmspc = "b0c06f000000";
  const auto expect = [&](const std::string& code) {
    EXPECT_EQ(CodeOf(ExportCollateral(export_)), code);
    EXPECT_FALSE(std::filesystem::exists(export_.file));
  };
  CollateralExport vendors = export_;
  vendors.policy = "";
  EXPECT_EQ(CodeOf(ExportCollateral(vendors)), "evidence.untrusted_root");
  service_.Edit("/tdx/certification/v4/tcb", [](net::Response& r) { r.body[20] ^= 1; });
  EXPECT_FALSE(ExportCollateral(export_));
  service_.Publish();
  export_.fmspc = "00906ed50000";
  expect("collateral.other_subject");
  export_.fmspc = "b0c06f00000";
  expect("input.malformed");
  export_.fmspc = "";
  expect("input.missing_member");
  export_.product = "Rome";
  expect("input.malformed");
  export_.product = "Milan";
  export_.addresses.kds_url = "http://kds.example";
  expect("input.malformed");
}

TEST_F(CollateralCommandsTest, ImportsIntoAFileOrAFolder) {
  ExportByFmspc();
  const auto file = ImportCollateral(import_);
  ASSERT_TRUE(file) << FormatError(file.error());
  EXPECT_TRUE(file->data.at("development").as_bool());
  EXPECT_EQ(*ReadTextFile(import_.to, 1 << 22), *ReadTextFile(export_.file, 1 << 22));
  EXPECT_EQ(CodeOf(ImportCollateral(import_)), "done") << "the same again";
  import_.to = folder_ + "/bundles/";
  const auto folder = ImportCollateral(import_);
  ASSERT_TRUE(folder) << FormatError(folder.error());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/bundles/tdx-b0c06f000000-platform.json"));
  // The other kind goes beside it there, and not into the file.
  export_.fmspc = "";
  export_.evidence = Path("report", service_.snp.signed_report);
  ASSERT_TRUE(ExportCollateral(export_));
  EXPECT_EQ(CodeOf(ImportCollateral(import_)), "done");
  EXPECT_EQ(collateral::ReadBundles(import_.to)->size(), 2u);
  import_.to = folder_ + "/cced.json";
  EXPECT_EQ(CodeOf(ImportCollateral(import_)), "collateral.other_subject");
}

TEST_F(CollateralCommandsTest, ImportRefusesWhatIsOlderForgedEndedOrCut) {
  ExportByFmspc();
  const std::string older = Path("older.json", *ReadFile(export_.file, 1 << 22));
  service_.tdx.Replace(service_.tdx.tcb_info, "Number\":20", "Number\":21");
  service_.Publish();
  ExportByFmspc();
  ASSERT_EQ(CodeOf(ImportCollateral(import_)), "done");
  const std::string present = *ReadTextFile(import_.to, 1 << 22);
  const auto refused = [&](const std::string& text) {
    import_.file = Path("bad.json", AsBytes(text));
    const std::string code = CodeOf(ImportCollateral(import_));
    EXPECT_EQ(*ReadTextFile(import_.to, 1 << 22), present);
    return code;
  };
  EXPECT_EQ(refused(*ReadTextFile(older, 1 << 22)), "collateral.older");
  attest::Collateral set = *attest::ParseBundle(present);
  set.tdx->tcb_info.signature[7] ^= 1;
  EXPECT_EQ(refused(attest::ToBundleJson(set)), "evidence.signature");
  set = *attest::ParseBundle(present);
  set.tdx->pck_crl_chain.clear();
  EXPECT_EQ(refused(attest::ToBundleJson(set)), "collateral.malformed");
  import_.at = "2099-01-01T00:00:00Z";
  EXPECT_EQ(refused(present), "evidence.collateral_expired");
  import_.at = "";
  import_.policy = "";
  EXPECT_EQ(refused(present), "evidence.untrusted_root");
}

TEST_F(CollateralCommandsTest, AFileIsOnePlatforms) {
  ExportByFmspc();
  ASSERT_EQ(CodeOf(ImportCollateral(import_)), "done");
  service_.tdx.Replace(service_.tdx.tcb_info, "B0C06F000000", "00906ED50000");
  service_.Publish();
  export_.fmspc = "00906ed50000";
  ASSERT_TRUE(ExportCollateral(export_));
  EXPECT_EQ(CodeOf(ImportCollateral(import_)), "collateral.other_subject");
}

}  // namespace
}  // namespace cce::cli
