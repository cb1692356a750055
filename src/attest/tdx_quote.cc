#include "attest/tdx_quote.h"

#include "attest/checks.h"
#include "attest/little_endian.h"
#include "attest/tdx_layout.h"

namespace cce::attest {
namespace {

std::string Hex32(uint32_t value) {
  ByteArray<4> bytes;
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
  return ToHex(bytes);
}

// The attestation key stands in the enclave's REPORTDATA: SHA-256(key || authentication data), then
// zeros.
void CheckBinding(Checks& checks, const TdxQuote& quote) {
  Bytes bound = ToBytes(quote.attestation_key);
  Append(bound, quote.qe_auth);
  ByteArray<64> expected{};
  const crypto::Sha256Digest digest = crypto::Sha256(bound);
  std::copy(digest.begin(), digest.end(), expected.begin());
  checks.That(quote.qe_report.report_data == expected, Rule::kQeReportBinding, ToHex(expected),
              ToHex(quote.qe_report.report_data));
}

void CheckEnclave(Checks& checks, const QeReport& report, const QeIdentity& identity) {
  checks.That(identity.id == "TD_QE", Rule::kQeIdentityId, "TD_QE", identity.id);
  checks.That(report.mrsigner == identity.mrsigner, Rule::kQeMrSigner, ToHex(identity.mrsigner),
              ToHex(report.mrsigner));
  checks.That(report.isvprodid == identity.isvprodid, Rule::kQeProdId,
              std::to_string(identity.isvprodid), std::to_string(report.isvprodid));
  checks.That((report.miscselect & identity.miscselect_mask) == identity.miscselect,
              Rule::kQeMiscSelect, Hex32(identity.miscselect), Hex32(report.miscselect));
  ByteArray<16> masked;
  for (size_t i = 0; i < masked.size(); ++i) {
    masked[i] = report.attributes[i] & identity.attributes_mask[i];
  }
  const bool debug = (report.attributes[0] & tdx::kSgxAttributeDebug) != 0;
  checks.That(
      masked == identity.attributes && !debug, Rule::kQeAttributes,
      ToHex(identity.attributes) + " under " + ToHex(identity.attributes_mask) + ", without debug",
      ToHex(report.attributes));
}

}  // namespace

Check CheckTdxQuote(const TdxQuote& quote, const TdxTrust& trust) {
  Checks checks(Rule::kTdxQuote);
  checks.Pass(Rule::kQuoteHeader, "version 4 or 5, TDX, ECDSA P-256",
              "version " + std::to_string(quote.version) +
                  (quote.body.td15 ? ", TD report 1.5" : ", TD report 1.0"));
  checks.That(quote.qe_vendor == tdx::kIntelQeVendor, Rule::kQuoteVendor,
              ToHex(tdx::kIntelQeVendor), ToHex(quote.qe_vendor));
  checks.That(trust.info.id == "TDX", Rule::kTcbInfoId, "TDX", trust.info.id);
  checks.That(trust.info.fmspc == trust.pck.fmspc, Rule::kTcbInfoFmspc, ToHex(trust.pck.fmspc),
              ToHex(trust.info.fmspc));
  checks.That(trust.info.pceid == trust.pck.pceid, Rule::kTcbInfoPceId, ToHex(trust.pck.pceid),
              ToHex(trust.info.pceid));
  CheckModule(checks, quote.body, trust.info);
  checks.That(trust.pck_key.VerifyRaw(crypto::Sha256(quote.qe_report_bytes), quote.qe_signature),
              Rule::kQeReportSignature, "a signature by the PCK", ToHex(quote.qe_signature));
  CheckBinding(checks, quote);
  CheckEnclave(checks, quote.qe_report, trust.qe);
  const PublicKey key = PublicKey::FromPoint(KeyKind::kP256, quote.attestation_key);
  checks.That(key && key.VerifyRaw(crypto::Sha256(quote.signed_bytes), quote.signature),
              Rule::kQuoteSignature, "a signature by the attestation key", ToHex(quote.signature));
  return std::move(checks).Finish();
}

}  // namespace cce::attest
