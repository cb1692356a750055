#include <gtest/gtest.h>

#include <map>

#include "sim/attest_support.h"

// Every defect of TDX evidence and of TDX collateral under the engine's verifier.
namespace cce::sim {
namespace {

class TdxVerdict : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TestFolder;
    chip_ = new Chip(*Chip::Open(folder_->path(), FixedClock(kTestTime)));
  }
  static void TearDownTestSuite() {
    delete chip_;
    delete folder_;
  }
  static attest::Verdict Verdict(std::string_view defect, std::string_view collateral_defect = "") {
    CollateralSpec spec = CollateralSpec::At(kTestTime);
    const CollateralDefect& change = **FindCollateralDefect(collateral_defect);
    if (change.change != nullptr) change.change(spec);
    const auto bundle = attest::ParseBundle(ToJson(chip_->Bundle(*chip_->NewDocuments(spec))));
    EXPECT_TRUE(bundle) << FormatError(bundle.error());
    const TdxQuoteSource source(*chip_, TestMeasurement(), **FindDefect(defect));
    return attest::VerifyBytes(EvidenceOf(source), *bundle,
                               TestPolicy(attest::Tee::kTdx, chip_->root_certificate()), kTestTime,
                               TestBinding());
  }

  static TestFolder* folder_;
  static Chip* chip_;
};
TestFolder* TdxVerdict::folder_ = nullptr;
Chip* TdxVerdict::chip_ = nullptr;

TEST_F(TdxVerdict, EveryDefectFailsUnderItsRule) {
  const std::map<std::string_view, std::string> expected = {
      {"", "accepted"},
      {"v5", "accepted"},
      {"debug-td", "tdx.td.debug"},
      {"no-sept-ve-disable", "tdx.td.sept_ve_disable"},
      {"migratable", "tdx.td.attributes"},
      {"other-mrtd", "policy.measurement"},
      {"other-rtmr1", "policy.measurement"},
      {"other-mrconfigid", "binding.config_id"},
      {"wrong-report-data", "binding.report_data"},
      {"bad-quote-signature", "tdx.quote.signature"},
      {"bad-qe-signature", "tdx.qe_report.signature"},
      {"out-of-date-tcb", "policy.tcb_status"},
      {"out-of-date-module", "policy.tcb_status"},
      {"out-of-date-qe", "policy.tcb_status"},
      {"revoked-pck", "tdx.pck.not_revoked"},
      {"wrong-qe", "tdx.qe_report.mrsigner"},
      {"debug-qe", "tdx.qe_report.attributes"},
      {"relaunch", "policy.tcb_status"},
      {"service-td", "tdx.td.service_td"},
  };
  for (const Defect& defect : AllDefects()) {
    const auto rule = expected.find(defect.name);
    ASSERT_NE(rule, expected.end()) << defect.name << " has no expectation";
    EXPECT_EQ(FirstFailure(Verdict(defect.name)), rule->second) << defect.name;
  }
}

TEST_F(TdxVerdict, StatusesAreIntels) {
  EXPECT_EQ(Verdict("").tcb_status, attest::TcbStatus::kUpToDate);
  EXPECT_TRUE(Verdict("").development);
  EXPECT_EQ(Verdict("out-of-date-tcb").tcb_status, attest::TcbStatus::kOutOfDate);
  EXPECT_EQ(Verdict("out-of-date-tcb").advisory_ids,
            std::vector<std::string>{std::string(kOldTcbAdvisory)});
  const attest::Verdict relaunch = Verdict("relaunch");
  EXPECT_EQ(relaunch.tcb_status, attest::TcbStatus::kTdRelaunchAdvised);
  EXPECT_EQ(relaunch.current_tcb_status, attest::TcbStatus::kUpToDate);
}

TEST_F(TdxVerdict, EveryDefectOfCollateralFailsUnderItsRule) {
  const std::map<std::string_view, std::string> expected = {
      {"", "accepted"},
      {"expired-tcb-info", "tdx.tcb_info.fresh"},
      {"expired-qe-identity", "tdx.qe_identity.fresh"},
      {"early-tcb-info", "tdx.tcb_info.fresh"},
      {"early-qe-identity", "tdx.qe_identity.fresh"},
      {"expired-pck-crl", "tdx.pck_crl.fresh"},
      {"expired-root-crl", "tdx.root_crl.fresh"},
      {"wrong-pck-crl-issuer", "tdx.pck_crl.issuer"},
      {"wrong-root-crl-issuer", "tdx.root_crl.issuer"},
      {"revoked-platform-ca", "tdx.pck_ca.not_revoked"},
      {"revoked-tcb-signing", "tdx.tcb_signing.not_revoked"},
      {"other-fmspc", "tdx.tcb_info.fmspc"},
      {"sgx-qe-identity", "tdx.qe_identity.id"},
      {"swapped-signatures", "tdx.tcb_info.signature"},
      // Of SNP's collateral: nothing to a TDX quote.
      {"expired-snp-crl", "accepted"},
      {"wrong-snp-crl-issuer", "accepted"},
      {"revoked-ask", "accepted"},
  };
  for (const CollateralDefect& defect : AllCollateralDefects()) {
    const auto rule = expected.find(defect.name);
    ASSERT_NE(rule, expected.end()) << defect.name << " has no expectation";
    EXPECT_EQ(FirstFailure(Verdict("", defect.name)), rule->second) << defect.name;
  }
}

}  // namespace
}  // namespace cce::sim
