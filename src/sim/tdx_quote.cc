#include "sim/tdx_quote.h"

#include "crypto/hash.h"
#include "sim/platform.h"

namespace cce::sim {
namespace {

constexpr uint64_t kTdAttributes = uint64_t{1} << 28;  // SEPT_VE_DISABLE
constexpr uint64_t kXfam = 0x602E7;                    // as Linux guests have it
constexpr uint16_t kAttestationKeyEcdsaP256 = 2;
constexpr uint32_t kTeeTypeTdx = 0x81;
constexpr uint16_t kBodyTd15 = 3;
constexpr uint16_t kCertificationPckChain = 5;
constexpr uint16_t kCertificationQeReport = 6;
constexpr size_t kPaddedSize = 8000;  // as Google's machines pad theirs

void AppendLe(Bytes& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void AppendZeros(Bytes& out, size_t size) { out.insert(out.end(), size, 0); }

// 48 bytes.
void AppendHeader(Bytes& out, uint16_t version, const ByteArray<16>& qe_id) {
  AppendLe(out, version, 2);
  AppendLe(out, kAttestationKeyEcdsaP256, 2);
  AppendLe(out, kTeeTypeTdx, 4);
  AppendZeros(out, 4);  // QE SVN and PCE SVN of version 3; reserved since
  Append(out, kQeVendor);
  Append(out, qe_id);  // user data: 20 bytes, the platform's QE id and zeros
  AppendZeros(out, 4);
}

// 584 bytes: TD report 1.0.
void AppendTd10(Bytes& out, const TdReport& report) {
  Append(out, report.tee_tcb_svn);
  Append(out, ModuleMeasurement());
  AppendZeros(out, 48 + 8);  // MRSIGNERSEAM, SEAMATTRIBUTES: zero for Intel's module
  AppendLe(out, report.attributes, 8);
  AppendLe(out, report.xfam, 8);
  Append(out, report.measurement.mrtd);
  Append(out, report.measurement.mrconfigid);
  AppendZeros(out, 48 + 48);  // MROWNER, MROWNERCONFIG
  for (const auto& rtmr : report.measurement.rtmr) Append(out, rtmr);
  Append(out, report.report_data);
}

// 384 bytes: an SGX report.
Bytes EncodeQeReport(const QeReport& report, ByteView attestation_key, ByteView auth_data) {
  Bytes out;
  Append(out, report.cpu_svn);
  AppendZeros(out, 4 + 28);  // MISCSELECT, reserved
  Append(out, report.attributes);
  Append(out, QeMeasurement());
  AppendZeros(out, 32);
  Append(out, report.mr_signer);
  AppendZeros(out, 96);
  AppendLe(out, kQeProdId, 2);
  AppendLe(out, report.isv_svn, 2);
  AppendZeros(out, 60);
  Bytes bound = ToBytes(attestation_key);
  Append(bound, auth_data);
  Append(out, crypto::Sha256(bound));
  AppendZeros(out, 32);
  return out;
}

void AppendCertification(Bytes& out, uint16_t type, ByteView data) {
  AppendLe(out, type, 2);
  AppendLe(out, data.size(), 4);
  Append(out, data);
}

}  // namespace

Result<Bytes> TdxQuoteSource::SignatureData(ByteView signed_part) const {
  ASSIGN_OR_RETURN(crypto::P256Signature signature, chip_.attestation_key().Sign(signed_part));
  if (defect_.break_quote_signature) signature[40] ^= 1;
  const ByteView attestation_key = ByteView(chip_.attestation_key().public_key()).subspan(1);

  QeReport qe{.cpu_svn = (defect_.pck == Pck::kOld ? kOldTcb : kCurrentTcb).sgx,
              .attributes = kQeAttributes,
              .mr_signer = QeSigner(),
              .isv_svn = kQeSvn};
  if (defect_.change_qe != nullptr) defect_.change_qe(qe);
  ByteArray<32> auth_data{};
  for (size_t i = 0; i < auth_data.size(); ++i) auth_data[i] = static_cast<uint8_t>(i);
  const Bytes qe_report = EncodeQeReport(qe, attestation_key, auth_data);
  ASSIGN_OR_RETURN(crypto::P256Signature qe_signature, chip_.pck_key(defect_.pck).Sign(qe_report));
  if (defect_.break_qe_signature) qe_signature[40] ^= 1;

  Bytes certification = qe_report;
  Append(certification, qe_signature);
  AppendLe(certification, auth_data.size(), 2);
  Append(certification, auth_data);
  Bytes chain = ToBytes(chip_.PckChain(defect_.pck));
  chain.push_back(0);  // the real ones end in NUL
  AppendCertification(certification, kCertificationPckChain, chain);

  Bytes out;
  Append(out, signature);
  Append(out, attestation_key);
  AppendCertification(out, kCertificationQeReport, certification);
  return out;
}

Result<Bytes> TdxQuoteSource::NewReport(ByteView inblob) const {
  TdReport report{.tee_tcb_svn = kCurrentTcb.tdx,
                  .attributes = kTdAttributes,
                  .xfam = kXfam,
                  .measurement = measurement_,
                  .report_data = {},
                  .tee_tcb_svn2 = kCurrentTcb.tdx,
                  .mr_service_td = {}};
  ASSIGN_OR_RETURN(report.report_data, ToArray<64>(inblob));
  if (defect_.change_report != nullptr) defect_.change_report(report);

  Bytes quote;
  AppendHeader(quote, defect_.quote_version, chip_.ppid());
  Bytes body;
  AppendTd10(body, report);
  if (defect_.quote_version == 5) {
    Append(body, report.tee_tcb_svn2);
    Append(body, report.mr_service_td);
    AppendLe(quote, kBodyTd15, 2);
    AppendLe(quote, body.size(), 4);
  }
  Append(quote, body);
  ASSIGN_OR_RETURN(const Bytes signature_data, SignatureData(quote));
  AppendLe(quote, signature_data.size(), 4);
  Append(quote, signature_data);
  if (quote.size() < kPaddedSize) AppendZeros(quote, kPaddedSize - quote.size());
  return quote;
}

}  // namespace cce::sim
