#include "attest/policy_check.h"

#include <algorithm>

#include "attest/checks.h"
#include "attest/little_endian.h"
#include "attest/measurement.h"
#include "attest/snp_layout.h"
#include "attest/tdx_layout.h"

namespace cce::attest {
namespace {

// The entry for `value` that still holds at `time`.
bool Accepts(const std::vector<Expiring>& list, std::string_view value, UnixSeconds time) {
  return std::ranges::any_of(list, [&](const Expiring& entry) {
    return entry.value == value && (!entry.not_after || time <= *entry.not_after);
  });
}

std::string ValuesAt(const std::vector<Expiring>& list, UnixSeconds time) {
  std::string out;
  for (const Expiring& entry : list) {
    if (entry.not_after && time > *entry.not_after) continue;
    out += (out.empty() ? "" : ", ") + entry.value;
  }
  return out.empty() ? "none" : out;
}

bool Listed(const std::vector<std::string>& list, const std::string& value) {
  return std::ranges::find(list, value) != list.end();
}

void CheckTee(Checks& checks, const Policy& policy, Tee tee) {
  std::string allowed;
  for (const Tee each : policy.tees) {
    allowed += (allowed.empty() ? "" : ", ") + std::string(TeeName(each));
  }
  checks.That(std::ranges::find(policy.tees, tee) != policy.tees.end(), Rule::kPolicyTee, allowed,
              std::string(TeeName(tee)));
}

void CheckReportData(Checks& checks, const ExpectedBinding& binding, const ByteArray<64>& actual) {
  if (!binding.report_data) {
    checks.Pass(Rule::kReportData, "none: the caller binds nothing", ToHex(actual));
    return;
  }
  checks.That(*binding.report_data == actual, Rule::kReportData, ToHex(*binding.report_data),
              ToHex(actual));
}

void CheckMeasurement(Checks& checks, const Policy& policy, MeasurementMatch match,
                      std::string digest, PolicyOutcome& out) {
  out.measurement = match.name;
  out.nearest = std::move(match.nearest);
  if (!out.measurement.empty()) {
    out.nearest.reset();
    checks.Pass(Rule::kMeasurement, out.measurement, std::move(digest));
    return;
  }
  if (policy.any_measurement) {
    out.nearest.reset();
    checks.Pass(Rule::kMeasurement, "any guest: the policy says so", std::move(digest));
    return;
  }
  std::string mend;
  if (out.nearest) {
    std::string registers;
    for (const RegisterDifference& d : out.nearest->differences) {
      registers += (registers.empty() ? "" : ", ") + d.name;
    }
    mend = out.nearest->expired
               ? "The entry '" + out.nearest->name + "' matches, but has expired: renew it."
               : "The nearest known guest is '" + out.nearest->name + "'; " + registers +
                     (out.nearest->differences.size() == 1 ? " differs." : " differ.");
  }
  checks.Fail(Rule::kMeasurement, std::to_string(policy.measurements.size()) + " known guests",
              std::move(digest), std::move(mend));
}

// -- TDX

void CheckTd(Checks& checks, const TdBody& body, const TdxPolicy& policy) {
  const uint64_t attributes = body.td_attributes;
  const bool debug = (attributes & tdx::kTdTudMask) != 0;
  checks.That(!debug || policy.allow_debug, Rule::kTdDebug, "TDATTRIBUTES 7:0 zero",
              HexOfU64(attributes));
  const uint64_t required = policy.attributes_required;
  checks.That((attributes & required) == required, Rule::kTdSeptVe, "set: " + HexOfU64(required),
              HexOfU64(attributes));
  // Debug bits have a rule of their own.
  const uint64_t allowed = policy.attributes_allowed | required | tdx::kTdTudMask;
  checks.That((attributes & ~allowed) == 0, Rule::kTdAttributes,
              "none but " + HexOfU64(allowed & ~tdx::kTdTudMask), HexOfU64(attributes));
  const bool fixed =
      (body.xfam & tdx::kXfamFixed1) == tdx::kXfamFixed1 && (body.xfam & ~tdx::kXfamFixed0) == 0;
  checks.That(policy.xfam ? body.xfam == *policy.xfam : fixed, Rule::kTdXfam,
              policy.xfam
                  ? HexOfU64(*policy.xfam)
                  : HexOfU64(tdx::kXfamFixed1) + " set, none but " + HexOfU64(tdx::kXfamFixed0),
              HexOfU64(body.xfam));
  if (!policy.mrseam.empty()) {
    checks.That(std::ranges::find(policy.mrseam, body.mrseam) != policy.mrseam.end(),
                Rule::kTdMrSeam, std::to_string(policy.mrseam.size()) + " known modules",
                ToHex(body.mrseam));
  }
  const bool service_ok =
      AllZero(body.mrservicetd) || policy.any_service_td ||
      std::ranges::find(policy.service_tds, body.mrservicetd) != policy.service_tds.end();
  checks.That(service_ok, Rule::kTdServiceTd,
              policy.service_tds.empty() ? "zero" : "zero, or a listed one",
              ToHex(body.mrservicetd));
  checks.That(!AllZero(body.mrtd), Rule::kTdMrTd, "not zero", ToHex(body.mrtd));
}

void CheckTcbPolicy(Checks& checks, const TdxTrust& trust, const TcbResult& tcb,
                    const Policy& policy, UnixSeconds time) {
  const std::string status =
      tcb.status ? std::string(StatusName(*tcb.status)) : std::string("none");
  const bool accepted = tcb.status && *tcb.status != TcbStatus::kRevoked &&
                        Accepts(policy.tcb_statuses, status, time);
  checks.That(accepted, Rule::kTcbStatusAccepted, ValuesAt(policy.tcb_statuses, time), status,
              tcb.mend);
  if (!policy.any_advisory) {
    std::string unknown;
    for (const std::string& id : tcb.advisories) {
      if (!Accepts(policy.advisories, id, time)) unknown += (unknown.empty() ? "" : ", ") + id;
    }
    checks.That(unknown.empty(), Rule::kAdvisories, ValuesAt(policy.advisories, time),
                unknown.empty() ? "none other" : unknown);
  }
  const uint64_t number = std::min(trust.info.evaluation_number, trust.qe.evaluation_number);
  checks.That(number >= policy.tdx.min_tcb_evaluation_number, Rule::kEvaluationNumber,
              "at least " + std::to_string(policy.tdx.min_tcb_evaluation_number),
              std::to_string(number));
  if (policy.tdx.min_tcb_date) {
    checks.That(tcb.date && *tcb.date >= *policy.tdx.min_tcb_date, Rule::kTcbDate,
                "not before " + FormatTime(*policy.tdx.min_tcb_date),
                tcb.date ? FormatTime(*tcb.date) : "none");
  }
  const std::string fmspc = ToHex(trust.pck.fmspc);
  const std::string ppid = ToHex(trust.pck.ppid);
  checks.That(!Listed(policy.tdx.refused_fmspc, fmspc) && !Listed(policy.tdx.refused_ppid, ppid),
              Rule::kTdxModel, "not refused", "FMSPC " + fmspc);
}

// -- SNP

void CheckBits(Checks& checks, const SnpReport& report, const SnpPolicy& policy) {
  const uint64_t bits = report.policy;
  std::string problem;
  const auto require = [&](bool ok, const char* what) {
    if (!ok) problem += (problem.empty() ? "" : ", ") + std::string(what);
  };
  const auto set = [&](uint64_t bit) { return (bits & bit) != 0; };
  require(set(snp::kPolicyReserved1), "bit 17 is clear");
  require((bits & snp::kPolicyReservedMask) == 0, "a reserved bit is set");
  require(policy.allow_smt || !set(snp::kPolicySmt), "SMT is allowed");
  require(!policy.require_single_socket || set(snp::kPolicySingleSocket), "SINGLE_SOCKET is clear");
  require(policy.allow_cxl || !set(snp::kPolicyCxlAllow), "CXL is allowed");
  require(!policy.require_aes256_xts || set(snp::kPolicyAes256Xts), "MEM_AES_256_XTS is clear");
  require(!policy.require_rapl_disabled || set(snp::kPolicyRaplDis), "RAPL_DIS is clear");
  require(!policy.require_ciphertext_hiding || set(snp::kPolicyCiphertextHiding),
          "CIPHERTEXT_HIDING is clear");
  require(!policy.require_page_swap_disabled || set(snp::kPolicyPageSwapDisable),
          "PAGE_SWAP_DISABLE is clear");
  checks.That(problem.empty(), Rule::kSnpPolicyBits, "the bits that the policy states",
              HexOfU64(bits) + (problem.empty() ? "" : ": " + problem));
}

void CheckGuest(Checks& checks, const SnpReport& report, const SnpPolicy& policy) {
  const bool debug = (report.policy & snp::kPolicyDebug) != 0;
  checks.That(!debug || policy.allow_debug, Rule::kSnpDebug, "bit 19 clear",
              HexOfU64(report.policy));
  const bool agent = (report.policy & snp::kPolicyMigrateMa) != 0;
  const bool no_agent =
      std::ranges::all_of(report.report_id_ma, [](uint8_t b) { return b == 0xff; });
  checks.That(policy.allow_migration_agent || (!agent && no_agent), Rule::kSnpMigration,
              "bit 18 clear, REPORT_ID_MA all ones",
              HexOfU64(report.policy) + ", " + ToHex(report.report_id_ma));
  CheckBits(checks, report, policy);
  const uint64_t abi = report.policy & 0xffff;
  const uint64_t least = static_cast<uint64_t>(policy.min_abi_major) << 8 | policy.min_abi_minor;
  checks.That(abi >= least, Rule::kSnpAbi,
              std::to_string(policy.min_abi_major) + "." + std::to_string(policy.min_abi_minor),
              std::to_string(abi >> 8) + "." + std::to_string(abi & 0xff));
  checks.That(report.guest_svn >= policy.min_guest_svn, Rule::kSnpGuestSvn,
              "at least " + std::to_string(policy.min_guest_svn), std::to_string(report.guest_svn));
  std::string vmpls;
  for (const uint32_t vmpl : policy.vmpls) {
    vmpls += (vmpls.empty() ? "" : ", ") + std::to_string(vmpl);
  }
  const bool listed = std::ranges::find(policy.vmpls, report.vmpl) != policy.vmpls.end();
  checks.That(listed && report.vmpl <= 3, Rule::kSnpVmpl, vmpls,
              report.vmpl == snp::kHostVmpl ? "0xffffffff (asked for by the host)"
                                            : std::to_string(report.vmpl));
}

void CheckPlatform(Checks& checks, const SnpReport& report, const SnpTrust& trust,
                   SnpProduct product, const SnpPolicy& policy, UnixSeconds time) {
  checks.That(policy.allow_vlek || !trust.vek.vlek, Rule::kSnpVlek,
              policy.allow_vlek ? "VCEK or VLEK" : "VCEK", trust.vek.vlek ? "VLEK" : "VCEK");
  const uint64_t info = report.platform_info;
  checks.That((info & policy.platform_info_required) == policy.platform_info_required &&
                  (info & policy.platform_info_refused) == 0,
              Rule::kSnpPlatform,
              "set: " + HexOfU64(policy.platform_info_required) +
                  ", clear: " + HexOfU64(policy.platform_info_refused),
              HexOfU64(info));
  if (policy.mitigation_required != 0) {
    const uint64_t both = report.launch_mitigation & report.current_mitigation;
    checks.That(
        report.version >= 5 && (both & policy.mitigation_required) == policy.mitigation_required,
        Rule::kSnpMitigation, "set: " + HexOfU64(policy.mitigation_required),
        "launch " + HexOfU64(report.launch_mitigation) + ", current " +
            HexOfU64(report.current_mitigation));
  }
  for (const SnpFloor& floor : policy.floors) {
    if (floor.product != product || (floor.from && time < *floor.from)) continue;
    const SnpTcb reported = DecodeTcb(report.reported_tcb, product);
    const SnpTcb committed = DecodeTcb(report.committed_tcb, product);
    const SnpTcb launch = DecodeTcb(report.launch_tcb, product);
    checks.That(NotAbove(floor.tcb, reported) && NotAbove(floor.tcb, committed) &&
                    NotAbove(floor.tcb, launch),
                Rule::kSnpFloor, "at least " + TcbText(floor.tcb, product),
                "reported " + TcbText(reported, product) + "; committed " +
                    TcbText(committed, product) + "; launch " + TcbText(launch, product));
  }
  const bool refused =
      std::ranges::find(policy.refused_products, product) != policy.refused_products.end() ||
      Listed(policy.refused_chips, ToHex(report.chip_id));
  checks.That(!refused, Rule::kSnpModel, "not refused", std::string(ProductName(product)));
}

}  // namespace

PolicyOutcome CheckTdxPolicy(const TdxQuote& quote, const TdxTrust& trust, const TcbResult& tcb,
                             const Policy& policy, UnixSeconds time,
                             const ExpectedBinding& binding) {
  PolicyOutcome out;
  Checks checks(Rule::kPolicy);
  CheckTee(checks, policy, Tee::kTdx);
  CheckTd(checks, quote.body, policy.tdx);
  CheckTcbPolicy(checks, trust, tcb, policy, time);
  CheckReportData(checks, binding, quote.body.report_data);
  if (binding.mrconfigid) {
    checks.That(*binding.mrconfigid == quote.body.mrconfigid, Rule::kConfigId,
                ToHex(*binding.mrconfigid), ToHex(quote.body.mrconfigid));
  } else if (binding.host_data) {
    checks.Fail(Rule::kConfigId, "HOST_DATA " + ToHex(*binding.host_data), "a TDX quote has none");
  }
  CheckMeasurement(checks, policy, MatchMeasurement(policy.measurements, quote.body, time),
                   "MRTD " + ToHex(quote.body.mrtd), out);
  out.group = std::move(checks).Finish();
  return out;
}

PolicyOutcome CheckSnpPolicy(const SnpReport& report, const SnpTrust& trust, SnpProduct product,
                             const Policy& policy, UnixSeconds time,
                             const ExpectedBinding& binding) {
  PolicyOutcome out;
  Checks checks(Rule::kPolicy);
  CheckTee(checks, policy, Tee::kSnp);
  CheckGuest(checks, report, policy.snp);
  CheckPlatform(checks, report, trust, product, policy.snp, time);
  CheckReportData(checks, binding, report.report_data);
  if (binding.host_data) {
    checks.That(*binding.host_data == report.host_data, Rule::kConfigId, ToHex(*binding.host_data),
                ToHex(report.host_data));
  } else if (binding.mrconfigid) {
    checks.Fail(Rule::kConfigId, "MRCONFIGID " + ToHex(*binding.mrconfigid),
                "an SNP report has none");
  }
  CheckMeasurement(checks, policy, MatchMeasurement(policy.measurements, report, time),
                   "launch digest " + ToHex(report.measurement), out);
  out.group = std::move(checks).Finish();
  return out;
}

}  // namespace cce::attest
