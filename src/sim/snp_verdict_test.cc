#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "crypto/hash.h"
#include "sim/attest_support.h"

// Every defect of SNP evidence and of SNP collateral under the engine's verifier.
namespace cce::sim {
namespace {

class SnpVerdict : public testing::Test {
 protected:
  static void SetUpTestSuite() { folder_ = std::make_unique<TestFolder>(); }
  static void TearDownTestSuite() {
    chips_.clear();
    folder_.reset();
  }
  static const SnpChip& ChipOf(const std::string& product) {
    auto& chip = chips_[product];
    if (!chip) chip = std::make_unique<SnpChip>(OpenTestSnpChip(folder_->path(), product));
    return *chip;
  }
  static attest::Policy Policy(const SnpChip& chip) {
    attest::Policy out = TestPolicy(attest::Tee::kSnp, chip.ark());
    out.snp.floors = {
        {.product = attest::ProductOfCpuid(chip.product().cpuid[0], chip.product().cpuid[1]),
         .tcb = {chip.product().turin ? kSnpCurrent.fmc : uint8_t{0}, kSnpCurrent.bootloader,
                 kSnpCurrent.tee, kSnpCurrent.snp, kSnpCurrent.microcode}}};
    return out;
  }
  static attest::Verdict Verdict(std::string_view defect, std::string_view collateral_defect = "",
                                 const std::string& product = "Milan") {
    const SnpChip& chip = ChipOf(product);
    CollateralSpec spec = CollateralSpec::At(kTestTime);
    const CollateralDefect& change = **FindCollateralDefect(collateral_defect);
    if (change.change != nullptr) change.change(spec);
    const bool vlek = (**FindSnpDefect(defect)).vek == Vek::kVlek;
    json::object members = chip.Bundle(*chip.NewCrl(spec));
    // What the KDS says about a VLEK's intermediate.
    if (vlek) members["snp_ask"] = ToHex(chip.asvk());
    const auto bundle = attest::ParseBundle(ToJson(members));
    EXPECT_TRUE(bundle) << FormatError(bundle.error());
    const SnpReportSource source(chip, TestMeasurement(), **FindSnpDefect(defect));
    return attest::VerifyBytes(EvidenceOf(source), *bundle, Policy(chip), kTestTime, TestBinding());
  }

  static std::unique_ptr<TestFolder> folder_;
  static std::map<std::string, std::unique_ptr<SnpChip>> chips_;
};
std::unique_ptr<TestFolder> SnpVerdict::folder_;
std::map<std::string, std::unique_ptr<SnpChip>> SnpVerdict::chips_;

TEST_F(SnpVerdict, EveryDefectFailsUnderItsRule) {
  const std::map<std::string_view, std::string> expected = {
      {"", "accepted"},
      {"vlek", "accepted"},
      {"snp-v2", "accepted"},
      {"snp-v4", "accepted"},
      {"snp-v5", "accepted"},
      {"debug-guest", "snp.policy.debug"},
      {"migration-agent", "snp.policy.migrate_ma"},
      {"reserved-policy", "snp.policy.bits"},
      {"no-smt-bit", "snp.policy.bits"},
      {"other-launch-digest", "policy.measurement"},
      {"other-host-data", "binding.config_id"},
      {"wrong-report-data", "binding.report_data"},
      {"bad-report-signature", "snp.report.signature"},
      // Without the algorithm's number nothing tells a report with a table behind it.
      {"wrong-algorithm", "evidence.form"},
      {"old-firmware", "snp.tcb.floor"},
      {"other-tcb", "snp.vek.tcb"},
      {"uncommitted-tcb", "snp.tcb.order"},
      {"old-launch-tcb", "snp.tcb.floor"},
      {"revoked-vcek", "snp.vek.not_revoked"},
      {"masked-chip-key", "snp.report.signing_key"},
      {"masked-chip-id", "snp.vek.chip_id"},
      {"other-chip-id", "snp.vek.chip_id"},
      {"other-signing-key", "snp.report.signing_key"},
      {"other-product", "snp.vek.product"},
      {"host-report", "snp.vmpl"},
      {"vmpl1", "snp.vmpl"},
      {"reserved-set", "snp.report.version"},
      {"early-mitigation", "snp.report.version"},
      {"unknown-version", "evidence.form"},
      {"no-certificates", "snp.collateral.present"},
  };
  for (const SnpDefect& defect : AllSnpDefects()) {
    const auto rule = expected.find(defect.name);
    ASSERT_NE(rule, expected.end()) << defect.name << " has no expectation";
    EXPECT_EQ(FirstFailure(Verdict(defect.name)), rule->second) << defect.name;
  }
}

TEST_F(SnpVerdict, AReportAloneShowsItsAlgorithm) {
  const SnpChip& chip = ChipOf("Milan");
  json::object members = chip.Bundle(*chip.NewCrl(CollateralSpec::At(kTestTime)));
  members["snp_vek"] = ToHex(chip.Certificate(Vek::kCurrent));
  const SnpReportSource source(chip, TestMeasurement(), **FindSnpDefect("wrong-algorithm"));
  const attest::Verdict verdict = attest::VerifyBytes(*source.NewReport(TestReportData()),
                                                      *attest::ParseBundle(ToJson(members)),
                                                      Policy(chip), kTestTime, TestBinding());
  EXPECT_EQ(FirstFailure(verdict), "snp.report.signature_algo");
}

TEST_F(SnpVerdict, EveryDefectOfCollateralFailsUnderItsRule) {
  EXPECT_EQ(FirstFailure(Verdict("", "expired-snp-crl")), "snp.crl.fresh");
  EXPECT_EQ(FirstFailure(Verdict("", "wrong-snp-crl-issuer")), "snp.crl.issuer");
  EXPECT_EQ(FirstFailure(Verdict("", "revoked-ask")), "snp.ask.not_revoked");
  // The VLEK's intermediate is another certificate.
  EXPECT_EQ(FirstFailure(Verdict("vlek", "revoked-ask")), "accepted");
}

TEST_F(SnpVerdict, EveryProductIsAccepted) {
  for (const std::string product : {"Genoa", "Turin"}) {
    EXPECT_EQ(FirstFailure(Verdict("", "", product)), "accepted") << product;
    EXPECT_EQ(FirstFailure(Verdict("vlek", "", product)), "accepted") << product;
    EXPECT_EQ(FirstFailure(Verdict("old-firmware", "", product)), "snp.tcb.floor") << product;
    EXPECT_EQ(FirstFailure(Verdict("other-chip-id", "", product)), "snp.vek.chip_id") << product;
    EXPECT_EQ(FirstFailure(Verdict("revoked-vcek", "", product)), "snp.vek.not_revoked") << product;
  }
}

TEST_F(SnpVerdict, ReportsLieWhereAmdPutsThem) {
  const SnpChip& chip = ChipOf("Milan");
  const SnpReportSource source(chip, TestMeasurement(), **FindSnpDefect("snp-v5"));
  const Bytes report = *source.NewReport(TestReportData());
  ASSERT_EQ(report.size(), 1184u);
  const auto at = [&](size_t offset, size_t size) {
    return ToHex(ByteView(report).subspan(offset, size));
  };
  EXPECT_EQ(at(0x00, 4), "05000000");
  EXPECT_EQ(at(0x08, 8), "0000030000000000");
  EXPECT_EQ(at(0x34, 4), "01000000");
  EXPECT_EQ(at(0x38, 8), "09020000000017db");
  EXPECT_EQ(at(0x48, 8), "0000000000000000");
  EXPECT_EQ(at(0x50, 64), ToHex(TestReportData()));
  EXPECT_EQ(at(0x90, 48), std::string(96, '4'));
  EXPECT_EQ(at(0xC0, 32), std::string(64, '5'));
  EXPECT_EQ(at(0x160, 32), std::string(64, 'f'));
  EXPECT_EQ(at(0x180, 8), "09020000000017db");
  EXPECT_EQ(at(0x188, 3), "190101");
  EXPECT_EQ(at(0x1A0, 64), ToHex(chip.chip_id()));
  EXPECT_EQ(at(0x1F8, 16), "03000000000000000300000000000000");
  EXPECT_EQ(at(0x2A0 + 48, 24), std::string(48, '0'));
  EXPECT_EQ(at(0x330, 368), std::string(736, '0'));
}

TEST_F(SnpVerdict, TakesExactly64Bytes) {
  const SnpReportSource source(ChipOf("Milan"), TestMeasurement(), **FindSnpDefect(""));
  for (const size_t size : {size_t{0}, size_t{63}, size_t{65}}) {
    const auto report = source.NewReport(Bytes(size));
    ASSERT_FALSE(report) << size;
    EXPECT_EQ(report.error().code, "input.malformed");
  }
}

TEST_F(SnpVerdict, StateStaysAndForeignKeysAreRefused) {
  const SnpChip& first = ChipOf("Milan");
  const std::string folder = SnpFolder(folder_->path(), "Milan");
  const auto second = SnpChip::Open(folder, "Milan", FixedClock(kTestTime + 3600));
  ASSERT_TRUE(second) << FormatError(second.error());
  EXPECT_EQ(second->ark(), first.ark());
  EXPECT_EQ(second->Certificate(Vek::kCurrent), first.Certificate(Vek::kCurrent));
  EXPECT_EQ(second->chip_id(), first.chip_id());
  EXPECT_FALSE(SnpChip::Open(folder, "Naples", FixedClock(kTestTime)));

  const TestFolder copy;
  std::filesystem::copy(folder, copy.path(), std::filesystem::copy_options::recursive);
  std::filesystem::copy(copy.path() + "/vlek.key", copy.path() + "/vcek.key",
                        std::filesystem::copy_options::overwrite_existing);
  const auto damaged = SnpChip::Open(copy.path(), "Milan", FixedClock(kTestTime));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, "chip.state_invalid");
}

}  // namespace
}  // namespace cce::sim
