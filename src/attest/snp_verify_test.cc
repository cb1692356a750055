// Each SNP rule with a platform that breaks exactly that rule.
#include <gtest/gtest.h>

#include "attest/snp_layout.h"
#include "attest/test_platform.h"
#include "crypto/hash.h"

namespace cce::attest {
namespace {

using testing::FirstFailure;
using testing::kNow;
using testing::SnpPlatform;

TEST(SnpVerify, AcceptsEveryProductAndBothKeys) {
  for (const bool vlek : {false, true}) {
    for (const char* product : {"Milan", "Genoa", "Turin"}) {
      SnpPlatform p;
      p.vlek = vlek;
      p.spl = {1, 4, 0, 24, 219};
      p.Become(product);
      p.Build();
      const Verdict v = p.Check();
      EXPECT_TRUE(v.accepted) << product << vlek << ToText(v, false);
      EXPECT_TRUE(v.development);
    }
  }
}

TEST(SnpVerify, AcceptsVersions2To5) {
  for (uint8_t version = 2; version <= 5; ++version) {
    SnpPlatform p;
    p.report[snp::kVersion.offset] = version;
    if (version == 2) p.SetReport(snp::kCpuid.offset, Bytes{0, 0, 0});
    if (version == 5) p.SetReport(snp::kLaunchMitigation.offset, Bytes{0x3f});
    p.Build();
    EXPECT_EQ(FirstFailure(p.Check()), "accepted") << int{version};
  }
}

struct BadSnp {
  const char* rule;
  const char* name;
  void (*spoil)(SnpPlatform&);
};

class SnpRule : public ::testing::TestWithParam<BadSnp> {};

TEST_P(SnpRule, IsTheFirstToFail) {
  SnpPlatform p;
  GetParam().spoil(p);
  p.Build();
  const Verdict v = p.Check();
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(FirstFailure(v), GetParam().rule) << ToText(v, false);
  EXPECT_NE(FindErrorInfo(ErrorCode(v)), nullptr);
}

void SetExtension(testing::CertSpec& vek, const char* arc, Bytes value) {
  for (auto& [oid, bytes] : vek.extensions) {
    if (oid == std::string("1.3.6.1.4.1.3704.1.") + arc) bytes = std::move(value);
  }
}
void DropExtension(testing::CertSpec& vek, const char* arc) {
  std::erase_if(vek.extensions, [&](const auto& extension) {
    return extension.first == std::string("1.3.6.1.4.1.3704.1.") + arc;
  });
}

const BadSnp kBad[] = {
    {"evidence.form", "Version6", [](SnpPlatform& p) { p.report[0] = 6; }},
    {"evidence.form", "Version1", [](SnpPlatform& p) { p.report[0] = 1; }},
    {"snp.chain.form", "VekWithUnknownCriticalExtension",
     [](SnpPlatform& p) { p.vek.critical_unknown = true; }},
    {"snp.chain.names", "VlekUnderAsk", [](SnpPlatform& p) { p.vek.cn = "SEV-VLEK"; }},
    {"snp.chain.names", "VekOfAnotherName", [](SnpPlatform& p) { p.vek.cn = "SEV-VCEK2"; }},
    {"snp.chain.names", "AskOfAnotherProduct",
     [](SnpPlatform& p) { p.ask.cn = p.vek.issuer_cn = "SEV-Genoa"; }},
    {"snp.chain.names", "VekNamesAnotherIssuer",
     [](SnpPlatform& p) { p.vek.issuer_cn = "SEV-Genoa"; }},
    {"snp.chain.constraints", "AskIsNoCa",
     [](SnpPlatform& p) {
       p.ask.ca = false;
       p.ask.path_length.reset();
     }},
    {"snp.chain.constraints", "ArkMayNotSignCrls",
     [](SnpPlatform& p) { p.ark.usage = "keyCertSign"; }},
    {"snp.chain.signatures", "VekSignedByAnotherKey",
     [](SnpPlatform& p) { p.vek.issuer_key = testing::NewEcKey("P-384"); }},
    {"snp.chain.validity", "VekExpired", [](SnpPlatform& p) { p.vek.not_after = kNow - 1; }},
    {"snp.chain.validity", "VekNotYetValid", [](SnpPlatform& p) { p.vek.not_before = kNow + 1; }},
    {"snp.vek.extensions", "NoProductName",
     [](SnpPlatform& p) { p.before_vek = [](auto& vek) { DropExtension(vek, "2"); }; }},
    {"snp.vek.extensions", "NoMicrocodeLevel",
     [](SnpPlatform& p) { p.before_vek = [](auto& vek) { DropExtension(vek, "3.8"); }; }},
    {"snp.vek.extensions", "LevelWithTrailingByte",
     [](SnpPlatform& p) {
       p.before_vek = [](auto& vek) { SetExtension(vek, "3.1", Bytes{2, 1, 4, 0}); };
     }},
    {"snp.vek.extensions", "LevelNotMinimal",
     [](SnpPlatform& p) {
       p.before_vek = [](auto& vek) { SetExtension(vek, "3.1", Bytes{2, 2, 0, 4}); };
     }},
    {"snp.vek.extensions", "WrappedHwid",
     [](SnpPlatform& p) {
       p.before_vek = [](auto& vek) {
         Bytes wrapped = {0x04, 0x40};
         wrapped.resize(66, 0x42);
         SetExtension(vek, "4", wrapped);
       };
     }},
    {"snp.vek.extensions", "NoHwid",
     [](SnpPlatform& p) { p.before_vek = [](auto& vek) { DropExtension(vek, "4"); }; }},
    {"snp.crl.issuer", "CrlOfAnotherProduct",
     [](SnpPlatform& p) { p.crl.issuer_cn = "ARK-Genoa"; }},
    {"snp.crl.signature", "CrlByAnotherKey",
     [](SnpPlatform& p) { p.crl.key = testing::NewEcKey("P-384"); }},
    {"snp.crl.fresh", "CrlExpired", [](SnpPlatform& p) { p.crl.next_update = kNow - 1; }},
    {"snp.ask.not_revoked", "AskRevoked", [](SnpPlatform& p) { p.crl.revoked = {0x10001}; }},
    {"snp.vek.not_revoked", "VekRevoked",
     [](SnpPlatform& p) {
       p.vek.serial = 0x77;
       p.crl.revoked = {0x77};
       p.crl.certificate_issuer_cn = p.ask.cn;
     }},
    {"snp.crl.form", "CrlNamesIssuersUnsaid",
     [](SnpPlatform& p) {
       p.crl.revoked = {0x77};
       p.crl.certificate_issuer_cn = p.ask.cn;
       p.crl.says_indirect = false;
     }},
    {"snp.report.version", "ReservedFieldSet",
     [](SnpPlatform& p) { p.report[snp::kReserved208.offset] = 1; }},
    {"snp.report.version", "MitigationVectorBeforeVersion5",
     [](SnpPlatform& p) { p.report[snp::kLaunchMitigation.offset] = 1; }},
    {"snp.report.version", "SignaturePaddingSet",
     [](SnpPlatform& p) {
       p.after_report = [](Bytes& r) { r[snp::kSignatureR.offset + 60] = 1; };
     }},
    {"snp.report.signing_key", "SignedByNone",
     [](SnpPlatform& p) { p.report[snp::kFlags.offset] = 7 << 2; }},
    {"snp.report.signing_key", "ReportSaysVlek",
     [](SnpPlatform& p) { p.report[snp::kFlags.offset] = 1 << 2; }},
    {"snp.report.signing_key", "MaskChipKey",
     [](SnpPlatform& p) { p.report[snp::kFlags.offset] = 2; }},
    {"snp.vek.product", "ReportOfGenoa",
     [](SnpPlatform& p) { p.SetReport(snp::kCpuid.offset, Bytes{0x19, 0x11, 1}); }},
    {"snp.vek.product", "UnknownModel",
     [](SnpPlatform& p) { p.SetReport(snp::kCpuid.offset, Bytes{0x19, 0x77, 1}); }},
    {"snp.vek.tcb", "VekOfAnotherTcb",
     [](SnpPlatform& p) { p.report[snp::kReportedTcb.offset + snp::kTcbMicrocode] -= 1; }},
    {"snp.vek.chip_id", "AnotherChip",
     [](SnpPlatform& p) { p.report[snp::kChipId.offset + 63] ^= 1; }},
    {"snp.vek.chip_id", "MaskedChip",
     [](SnpPlatform& p) { p.SetReport(snp::kChipId.offset, Bytes(64, 0)); }},
    {"snp.report.signature", "ReportChanged",
     [](SnpPlatform& p) { p.after_report = [](Bytes& r) { r[snp::kHostData.offset] ^= 1; }; }},
    {"snp.tcb.order", "ReportedAboveCommitted",
     [](SnpPlatform& p) { p.report[snp::kCommittedTcb.offset + snp::kTcbSnp] -= 1; }},
    {"snp.tcb.order", "CommittedAboveCurrent",
     [](SnpPlatform& p) { p.report[snp::kCurrentTcb.offset + snp::kTcbSnp] -= 1; }},
    {"snp.policy.debug", "DebugGuest",
     [](SnpPlatform& p) { p.report[snp::kPolicy.offset + 2] |= 8; }},
    {"snp.policy.migrate_ma", "MigrationAgent",
     [](SnpPlatform& p) { p.report[snp::kPolicy.offset + 2] |= 4; }},
    {"snp.policy.migrate_ma", "ReportIdOfAnAgent",
     [](SnpPlatform& p) { p.report[snp::kReportIdMa.offset] = 0; }},
    {"snp.policy.bits", "Bit17Clear",
     [](SnpPlatform& p) { p.report[snp::kPolicy.offset + 2] = 1; }},
    {"snp.policy.bits", "ReservedPolicyBit",
     [](SnpPlatform& p) { p.report[snp::kPolicy.offset + 3] = 4; }},
    {"snp.policy.bits", "CxlAllowed",
     [](SnpPlatform& p) { p.report[snp::kPolicy.offset + 2] |= 0x20; }},
    {"snp.vmpl", "Vmpl1", [](SnpPlatform& p) { p.report[snp::kVmpl.offset] = 1; }},
    {"snp.vmpl", "AskedForByTheHost",
     [](SnpPlatform& p) { p.SetReport(snp::kVmpl.offset, Bytes(4, 0xff)); }},
};

INSTANTIATE_TEST_SUITE_P(EveryRule, SnpRule, ::testing::ValuesIn(kBad),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(SnpVerify, TurinChipIdIsEightBytesAndZeros) {
  SnpPlatform p;
  p.Become("Turin");
  p.report[snp::kChipId.offset + 20] = 1;
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check()), "snp.vek.chip_id");
}

TEST(SnpVerify, TurinNeedsTheFmcLevel) {
  SnpPlatform p;
  p.Become("Turin");
  p.before_vek = [](auto& vek) { DropExtension(vek, "3.9"); };
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check()), "snp.vek.extensions");
}

TEST(SnpVerify, SerialZeroInTheCrlDoesNotRevokeEveryVek) {
  SnpPlatform p;
  p.crl.revoked = {0, 0x20001};
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
}

TEST(SnpVerify, CollateralMayBeAbsentOnlyWhereThePolicyAllows) {
  SnpPlatform p;
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  p.collateral.snp->crl.clear();
  EXPECT_EQ(FirstFailure(p.Check(policy)), "snp.crl.present");
  policy.snp.require_crl = false;
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");
  p.collateral.snp->vek.clear();
  EXPECT_EQ(FirstFailure(p.Check(policy)), "snp.collateral.present");
  EXPECT_EQ(FirstFailure(p.Check(StrictPolicy())), "snp.collateral.present");
}

TEST(SnpVerify, AMalformedCrlIsRefused) {
  SnpPlatform p;
  p.Build();
  p.collateral.snp->crl.pop_back();
  EXPECT_EQ(FirstFailure(p.Check()), "snp.crl.form");
}

TEST(SnpVerify, AnotherAlgorithmIsRefused) {
  SnpPlatform p;
  p.report[snp::kSignatureAlgo.offset] = 2;
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check()), "snp.report.signature_algo");
}

TEST(SnpVerify, AnotherRootIsRefused) {
  SnpPlatform p;
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check(StrictPolicy())), "snp.chain.root");
}

// The GUID table of configfs auxblob, with VCEK, ASK and ARK.
Bytes Table(const SnpCollateral& c) {
  const std::pair<const char*, const Bytes*> entries[] = {
      {"8d75da6364e66445adc5f4b93be8accd", &c.vek},
      {"79b3b74aacbbe44fa02f05aef327c782", &c.ask},
      {"a406b4c003a852499743 3fb6014cd0ae", &c.ark},
  };
  Bytes table, data;
  const auto put = [&](uint64_t value) {
    for (int i = 0; i < 4; ++i) table.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  for (const auto& [guid, der] : entries) {
    std::string hex = guid;
    std::erase(hex, ' ');
    Append(table, *FromHex(hex));
    put(4 * snp::kCertEntrySize + data.size());
    put(der->size());
    Append(data, *der);
  }
  table.resize(table.size() + snp::kCertEntrySize);
  Append(table, data);
  return table;
}

TEST(SnpVerify, UnwrapsEveryForm) {
  SnpPlatform p;
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  const SnpCollateral full = *p.collateral.snp;
  const Bytes report = p.signed_report;

  Bytes message(snp::kExtendedReportSize);
  message[4] = 0xa0;
  message[5] = 0x04;
  std::copy(report.begin(), report.end(), message.begin() + snp::kExtendedReportOffset);
  p.signed_report = message;
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");

  p.signed_report = report;
  Append(p.signed_report, Table(full));
  p.collateral.snp = SnpCollateral{{}, {}, {}, full.crl};
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");

  Evidence evidence = *ParseEvidence(report);
  ASSERT_TRUE(AttachCertificateTable(evidence, Table(full)).has_value());
  EXPECT_EQ(evidence.certificates.vek, full.vek);
  Bytes bad = Table(full);
  bad[20] = 0xff;
  bad[21] = 0xff;
  EXPECT_FALSE(AttachCertificateTable(evidence, bad).has_value());
  EXPECT_FALSE(ParseCertificateTable(Bytes(23, 0)).has_value());
}

TEST(SnpVerify, AnAzureReportBindsItsRuntimeData) {
  SnpPlatform p;
  const std::string runtime = R"({"keys":[]})";
  const auto digest = crypto::Sha256(AsBytes(runtime));
  p.SetReport(snp::kReportData.offset, Bytes(64, 0));
  p.SetReport(snp::kReportData.offset, digest);
  p.Build();
  Bytes blob = ToBytes("HCLA");
  blob.resize(snp::kHclReportOffset);
  Append(blob, p.signed_report);
  Bytes header(snp::kHclRuntimeHeaderSize);
  header[8] = 2;
  header[12] = 1;
  header[16] = static_cast<uint8_t>(runtime.size());
  Append(blob, header);
  Append(blob, AsBytes(runtime));
  p.signed_report = blob;
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
  p.signed_report.back() ^= 1;
  EXPECT_EQ(FirstFailure(p.Check()), "snp.hcl.runtime_data");
  p.signed_report.pop_back();
  EXPECT_EQ(FirstFailure(p.Check()), "evidence.form");
}

TEST(SnpVerify, OtherSizesAreNoReport) {
  SnpPlatform p;
  p.Build();
  const Bytes whole = p.signed_report;
  for (const size_t size : {0, 1, 48, 793, 1183}) {
    p.signed_report.assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(FirstFailure(p.Check()), "evidence.form") << size;
  }
  p.signed_report = whole;
  p.signed_report.push_back(0);
  EXPECT_EQ(FirstFailure(p.Check()), "evidence.form");
}

}  // namespace
}  // namespace cce::attest
