#include "attest/policy.h"

#include <gtest/gtest.h>

#include "attest/snp_layout.h"
#include "attest/tdx_layout.h"
#include "attest/test_platform.h"

namespace cce::attest {
namespace {

using testing::FirstFailure;
using testing::kDay;
using testing::kNow;
using testing::SnpPlatform;
using testing::TdxPlatform;

constexpr char kExample[] = R"(
name = "trial 175"
tees = ["tdx"]
roots = ["intel"]
tcb_statuses = [
  { status = "UpToDate" },
  { status = "SWHardeningNeeded", not_after = "2026-12-31T00:00:00Z", note = "microcode due" },
]
advisories = [{ id = "INTEL-SA-00837" }]

[[own_roots]]
name = "simulator"
tee = "tdx"
sha256 = "0101010101010101010101010101010101010101010101010101010101010101"

[[measurements]]
name = "guest 1.2"
tee = "tdx"
mrtd = "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
rtmr1 = "222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222"
note = "built from tag v1.2"
added_by = "dylan"
not_after = "2027-01-01T00:00:00Z"

[tdx]
attributes_allowed = "0000001000000080"
refused_fmspc = ["50806F000000"]
min_tcb_evaluation_number = 18

[snp]
vmpls = [0, 1]
[[snp.floors]]
product = "Milan"
snp = 24
microcode = 219
)";

TEST(Policy, ReadsToml) {
  const Result<Document> document = ParseToml(kExample, "policy.toml");
  ASSERT_TRUE(document.has_value());
  const Result<Policy> policy = ReadPolicy(*document);
  ASSERT_TRUE(policy.has_value()) << FormatError(policy.error());
  EXPECT_EQ(policy->tees, std::vector<Tee>{Tee::kTdx});
  ASSERT_EQ(policy->roots.size(), 2u);
  EXPECT_TRUE(policy->roots[0].vendor);
  EXPECT_FALSE(policy->roots[1].vendor);
  ASSERT_EQ(policy->measurements.size(), 1u);
  EXPECT_EQ(policy->measurements[0].added_by, "dylan");
  EXPECT_TRUE(policy->measurements[0].mrtd.has_value());
  EXPECT_FALSE(policy->measurements[0].rtmr[0].has_value());
  EXPECT_EQ(policy->tcb_statuses.size(), 2u);
  EXPECT_FALSE(policy->any_advisory);
  EXPECT_EQ(policy->tdx.attributes_allowed, tdx::kTdSeptVeDisable | tdx::kTdPerfmon);
  EXPECT_EQ(policy->tdx.refused_fmspc, std::vector<std::string>{"50806f000000"});
  EXPECT_EQ(policy->snp.vmpls, (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(policy->snp.floors.at(0).tcb.microcode, 219);
}

TEST(Policy, WritesWhatItReads) {
  const Policy policy = *ReadPolicy(*ParseToml(kExample, "policy.toml"));
  const json::object written = ToJsonObject(policy);
  const Result<Policy> again = ReadPolicy(written, "again");
  ASSERT_TRUE(again.has_value()) << FormatError(again.error());
  EXPECT_EQ(ToJson(ToJsonObject(*again)), ToJson(written));
  const json::object strict = ToJsonObject(StrictPolicy());
  const Result<Policy> strict_again = ReadPolicy(strict, "strict");
  ASSERT_TRUE(strict_again.has_value()) << FormatError(strict_again.error());
  EXPECT_EQ(ToJson(ToJsonObject(*strict_again)), ToJson(strict));
}

std::string CodeOf(const char* text) {
  const Result<json::value> value = ParseJson(text);
  EXPECT_TRUE(value.has_value()) << text;
  const Result<Policy> policy = ReadPolicy(value->as_object(), "policy");
  return policy ? "read" : policy.error().code;
}

TEST(Policy, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(CodeOf(R"({"any_measurement": true})"), "read");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "measurments": []})"), "input.unknown_member");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "tdx": {"debug": true}})"), "input.unknown_member");
  // Measurements must be stated, and an entry must state a register.
  EXPECT_EQ(CodeOf(R"({})"), "input.malformed");
  EXPECT_EQ(CodeOf(R"({"measurements": [{"name": "x", "tee": "tdx"}]})"), "input.malformed");
  EXPECT_EQ(CodeOf(R"({"measurements": [{"name": "x", "tee": "tdx", "launch_digest": "00"}]})"),
            "input.malformed");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "roots": ["amd"]})"), "input.malformed");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "tcb_statuses": [{"status": "Revoked"}]})"),
            "input.malformed");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "tees": ["sgx"]})"), "input.malformed");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "snp": {"vmpls": [4]}})"), "input.malformed");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true, "snp": {"vmpls": []}})"), "input.malformed");
  EXPECT_EQ(CodeOf(R"({"any_measurement": true,
                       "own_roots": [{"name": "intel", "tee": "tdx", "sha256": "00"}]})"),
            "input.malformed");
}

TEST(Policy, AVendorsRootStaysAVendors) {
  const std::string digest = ToHex(VendorRoots()[0].sha256);
  const json::object object{{"any_measurement", true}, {"roots", json::array{digest}}};
  const Policy policy = *ReadPolicy(object, "policy");
  ASSERT_EQ(policy.roots.size(), 1u);
  EXPECT_TRUE(policy.roots[0].vendor);
  EXPECT_EQ(policy.roots[0].name, "intel");
}

TEST(PolicyCheck, ExceptionsEndByThemselves) {
  TdxPlatform p;
  p.SetBody(tdx::kTeeTcbSvn.offset, Bytes{4, 1, 5});  // OutOfDate, T-MODULE
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  policy.tcb_statuses.push_back({"OutOfDate", kNow, ""});
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");
  EXPECT_EQ(FirstFailure(p.Check(policy, kNow + 1)), "policy.tcb_status");
  policy.any_advisory = false;
  EXPECT_EQ(FirstFailure(p.Check(policy)), "policy.advisories");
  policy.advisories = {{"T-MODULE", kNow + kDay, ""}};
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");
}

TEST(PolicyCheck, TdxRulesOfThePolicy) {
  TdxPlatform p;
  p.Build();
  const Policy base = p.StrictPolicyOfTest();
  const auto with = [&](auto change) {
    Policy policy = base;
    change(policy);
    return FirstFailure(p.Check(policy));
  };
  EXPECT_EQ(with([](Policy& x) { x.tees = {Tee::kSnp}; }), "policy.tee");
  EXPECT_EQ(with([](Policy& x) { x.tdx.xfam = 3; }), "tdx.td.xfam");
  EXPECT_EQ(with([](Policy& x) { x.tdx.xfam = 0x602e7; }), "accepted");
  EXPECT_EQ(with([](Policy& x) { x.tdx.mrseam = {ByteArray<48>{1}}; }), "tdx.td.mrseam");
  EXPECT_EQ(with([](Policy& x) { x.tdx.min_tcb_evaluation_number = 20; }),
            "policy.tcb_evaluation_number");
  EXPECT_EQ(with([](Policy& x) { x.tdx.min_tcb_date = kNow; }), "policy.tcb_date");
  EXPECT_EQ(with([](Policy& x) { x.tdx.refused_fmspc = {"b0c06f000000"}; }), "policy.model");
  EXPECT_EQ(with([](Policy& x) { x.tdx.refused_ppid = {std::string(32, '1')}; }), "policy.model");
  EXPECT_EQ(with([](Policy& x) { x.tdx.attributes_required |= tdx::kTdPks; }),
            "tdx.td.sept_ve_disable");
}

TEST(PolicyCheck, DebugNeedsMoreThanAMask) {
  TdxPlatform p;
  p.SetBody(tdx::kTdAttributes.offset, Bytes{1});
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  policy.tdx.attributes_allowed = ~uint64_t{0};
  EXPECT_EQ(FirstFailure(p.Check(policy)), "tdx.td.debug");
  policy.tdx.allow_debug = true;
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");
}

TEST(PolicyCheck, SnpRulesOfThePolicy) {
  SnpPlatform p;
  p.Build();
  const Policy base = p.StrictPolicyOfTest();
  const auto with = [&](auto change) {
    Policy policy = base;
    change(policy);
    return FirstFailure(p.Check(policy));
  };
  EXPECT_EQ(with([](Policy& x) { x.tees = {Tee::kTdx}; }), "policy.tee");
  EXPECT_EQ(with([](Policy& x) { x.snp.allow_smt = false; }), "snp.policy.bits");
  EXPECT_EQ(with([](Policy& x) { x.snp.require_single_socket = true; }), "snp.policy.bits");
  EXPECT_EQ(with([](Policy& x) { x.snp.require_aes256_xts = true; }), "snp.policy.bits");
  EXPECT_EQ(with([](Policy& x) { x.snp.require_rapl_disabled = true; }), "snp.policy.bits");
  EXPECT_EQ(with([](Policy& x) { x.snp.require_ciphertext_hiding = true; }), "snp.policy.bits");
  EXPECT_EQ(with([](Policy& x) { x.snp.require_page_swap_disabled = true; }), "snp.policy.bits");
  EXPECT_EQ(with([](Policy& x) { x.snp.min_abi_minor = 0x20; }), "snp.policy.abi");
  EXPECT_EQ(with([](Policy& x) { x.snp.min_abi_minor = 0x1f; }), "accepted");
  EXPECT_EQ(with([](Policy& x) { x.snp.min_guest_svn = 1; }), "snp.guest_svn");
  EXPECT_EQ(with([](Policy& x) { x.snp.vmpls = {1, 2}; }), "snp.vmpl");
  EXPECT_EQ(with([](Policy& x) { x.snp.platform_info_required = 1; }), "snp.platform_info");
  EXPECT_EQ(with([](Policy& x) { x.snp.mitigation_required = 1; }), "snp.mitigation");
  EXPECT_EQ(with([](Policy& x) { x.snp.refused_products = {SnpProduct::kMilan}; }), "snp.model");
  EXPECT_EQ(with([&](Policy& x) { x.snp.refused_chips = {ToHex(p.hwid)}; }), "snp.model");
  const SnpFloor floor{SnpProduct::kMilan, {0, 4, 0, 25, 0}, std::nullopt, ""};
  EXPECT_EQ(with([&](Policy& x) { x.snp.floors = {floor}; }), "snp.tcb.floor");
  SnpFloor later = floor;
  later.from = kNow + 1;
  EXPECT_EQ(with([&](Policy& x) { x.snp.floors = {later}; }), "accepted");
  SnpFloor genoa = floor;
  genoa.product = SnpProduct::kGenoa;
  EXPECT_EQ(with([&](Policy& x) { x.snp.floors = {genoa}; }), "accepted");
}

TEST(PolicyCheck, AVlekMayBeRefused) {
  SnpPlatform p;
  p.vlek = true;
  p.Become("Milan");
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  policy.snp.allow_vlek = false;
  EXPECT_EQ(FirstFailure(p.Check(policy)), "snp.vlek");
}

TEST(PolicyCheck, ReportDataIsComparedWhole) {
  TdxPlatform p;
  p.Build();
  const Policy policy = p.StrictPolicyOfTest();
  ByteArray<64> expected;
  for (size_t i = 0; i < 64; ++i) expected[i] = static_cast<uint8_t>(i);
  const auto check = [&](const ExpectedBinding& binding) {
    return FirstFailure(VerifyBytes(p.quote, p.collateral, policy, kNow, binding));
  };
  EXPECT_EQ(check(ExpectedBinding(expected)), "accepted");
  expected[63] ^= 1;
  EXPECT_EQ(check(ExpectedBinding(expected)), "binding.report_data");
  EXPECT_EQ(check(ExpectedBinding::WithoutReportData()), "accepted");
  ExpectedBinding binding = ExpectedBinding::WithoutReportData();
  binding.mrconfigid = ByteArray<48>{};
  EXPECT_EQ(check(binding), "accepted");
  binding.mrconfigid = ByteArray<48>{1};
  EXPECT_EQ(check(binding), "binding.config_id");
  binding.mrconfigid.reset();
  binding.host_data = ByteArray<32>{};
  EXPECT_EQ(check(binding), "binding.config_id");
}

TEST(PolicyCheck, NamesTheNearestKnownGuest) {
  TdxPlatform p;
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  policy.any_measurement = false;
  const Evidence evidence = *ParseEvidence(p.quote);
  Measurement good = MeasurementOf(evidence, "good");
  Measurement far;
  far.name = "far";
  far.mrtd = ByteArray<48>{1};
  far.rtmr[0] = ByteArray<48>{2};
  Measurement near = good;
  near.name = "near";
  near.rtmr[1] = ByteArray<48>{9};

  policy.measurements = {far, near};
  const Verdict refused = p.Check(policy);
  EXPECT_EQ(FirstFailure(refused), "policy.measurement");
  ASSERT_TRUE(refused.nearest.has_value());
  EXPECT_EQ(refused.nearest->name, "near");
  ASSERT_EQ(refused.nearest->differences.size(), 1u);
  EXPECT_EQ(refused.nearest->differences[0].name, "rtmr1");
  EXPECT_NE(refused.first_failure->mend.find("rtmr1 differs"), std::string::npos);

  policy.measurements = {far, near, good};
  EXPECT_EQ(p.Check(policy).measurement, "good");
  policy.measurements[2].not_after = kNow - 1;
  const Verdict expired = p.Check(policy);
  EXPECT_EQ(FirstFailure(expired), "policy.measurement");
  EXPECT_TRUE(expired.nearest->expired);
  // An entry without a register matches nothing, and one for another TEE neither.
  Measurement empty;
  empty.name = "empty";
  Measurement other = good;
  other.tee = Tee::kSnp;
  policy.measurements = {empty, other};
  EXPECT_EQ(FirstFailure(p.Check(policy)), "policy.measurement");
}

TEST(PolicyCheck, NoEntryMeansNoGuest) {
  SnpPlatform p;
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  policy.any_measurement = false;
  EXPECT_EQ(FirstFailure(p.Check(policy)), "policy.measurement");
  policy.measurements = {MeasurementOf(*ParseEvidence(p.signed_report), "guest")};
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");
}

}  // namespace
}  // namespace cce::attest
