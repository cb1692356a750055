#include "attest/snp_report.h"

#include <algorithm>

#include "attest/checks.h"
#include "attest/little_endian.h"
#include "attest/snp_layout.h"

namespace cce::attest {
namespace {

std::string SigningKeyName(uint32_t key) {
  switch (key) {
    case snp::kSigningKeyVcek:
      return "VCEK";
    case snp::kSigningKeyVlek:
      return "VLEK";
    case snp::kSigningKeyNone:
      return "none (unsigned)";
    default:
      return "unknown (" + std::to_string(key) + ")";
  }
}

// R and S are 72 bytes little-endian, of which the upper 24 are zero: fixed width, whatever the
// values.
ByteArray<96> RawSignature(const SnpReport& report) {
  ByteArray<96> out;
  std::reverse_copy(report.signature_r.begin(), report.signature_r.begin() + snp::kScalarSize,
                    out.begin());
  std::reverse_copy(report.signature_s.begin(), report.signature_s.begin() + snp::kScalarSize,
                    out.begin() + snp::kScalarSize);
  return out;
}

void CheckKey(Checks& checks, const SnpReport& report, const VekExtension& vek) {
  const bool masked = (report.flags & snp::kMaskChipKey) != 0;
  const uint32_t key = report.signing_key();
  const bool fits = key == (vek.vlek ? snp::kSigningKeyVlek : snp::kSigningKeyVcek);
  checks.That(fits && !masked, Rule::kSnpSigningKey, vek.vlek ? "VLEK" : "VCEK",
              SigningKeyName(key) + (masked ? ", MASK_CHIP_KEY set" : ""));
}

void CheckChip(Checks& checks, const SnpReport& report, const VekExtension& vek,
               bool allow_masked) {
  if (vek.vlek) {
    checks.Pass(Rule::kVekChip, "no chip: a VLEK is its provider's", vek.csp_id);
    return;
  }
  const ByteView chip = report.chip_id;
  if (AllZero(chip)) {
    checks.That(allow_masked, Rule::kVekChip, ToHex(vek.hwid), "masked (all zero)");
    return;
  }
  const bool same = vek.hwid.size() <= chip.size() &&
                    Equal(chip.first(vek.hwid.size()), vek.hwid) &&
                    AllZero(chip.subspan(vek.hwid.size())) && !vek.hwid.empty();
  checks.That(same, Rule::kVekChip, ToHex(vek.hwid), ToHex(chip));
}

}  // namespace

SnpProduct ProductOf(const SnpReport& report, const SnpTrust& trust) {
  return report.version < 3 ? trust.vek.product : report.product();
}

Check CheckSnpReport(const SnpReport& report, ByteView runtime_data, const SnpTrust& trust,
                     bool allow_masked_chip_id) {
  const SnpProduct product = ProductOf(report, trust);
  Checks checks(Rule::kSnpReport);
  checks.That(report.reserved_zero && report.signature_padding_zero, Rule::kSnpVersion,
              "reserved fields and signature padding zero",
              "version " + std::to_string(report.version) +
                  (report.reserved_zero ? "" : ", a reserved field is set") +
                  (report.signature_padding_zero ? "" : ", signature padding is set"));
  checks.That(report.signature_algo == snp::kEcdsaP384Sha384, Rule::kSnpAlgo, "1",
              std::to_string(report.signature_algo));
  CheckKey(checks, report, trust.vek);
  checks.That(product != SnpProduct::kUnknown && product == trust.vek.product, Rule::kVekProduct,
              std::string(ProductName(product)), trust.vek.product_name);
  const SnpTcb reported = DecodeTcb(report.reported_tcb, trust.vek.product);
  checks.That(reported == trust.vek.tcb, Rule::kVekTcb, TcbText(reported, trust.vek.product),
              TcbText(trust.vek.tcb, trust.vek.product));
  CheckChip(checks, report, trust.vek, allow_masked_chip_id);
  if (!runtime_data.empty()) {
    ByteArray<64> expected{};
    const crypto::Sha256Digest digest = crypto::Sha256(runtime_data);
    std::copy(digest.begin(), digest.end(), expected.begin());
    checks.That(report.report_data == expected, Rule::kHclRuntime, ToHex(expected),
                ToHex(report.report_data));
  }
  checks.That(
      trust.vek_key.kind() == KeyKind::kP384 &&
          trust.vek_key.VerifyRaw(crypto::Sha384(report.signed_bytes), RawSignature(report)),
      Rule::kSnpSignature, "a signature by the VEK", "R " + ToHex(report.signature_r));
  return std::move(checks).Finish();
}

Check CheckSnpTcb(const SnpReport& report, SnpProduct product) {
  Checks checks(Rule::kSnpTcb);
  const SnpTcb current = DecodeTcb(report.current_tcb, product);
  const SnpTcb committed = DecodeTcb(report.committed_tcb, product);
  const SnpTcb reported = DecodeTcb(report.reported_tcb, product);
  checks.That(NotAbove(committed, current) && NotAbove(reported, committed), Rule::kTcbOrder,
              "reported <= committed <= current",
              "reported " + TcbText(reported, product) + "; committed " +
                  TcbText(committed, product) + "; current " + TcbText(current, product));
  return std::move(checks).Finish();
}

}  // namespace cce::attest
