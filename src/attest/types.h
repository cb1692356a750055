// Evidence as a TEE gives it, parsed: every length is checked against its envelope, every field is
// typed, nothing is believed yet. A parsed structure views bytes that its Evidence owns and shares,
// so copies are cheap and safe.
//
// Forms understood: a raw TDX quote (versions 4 and 5; TD report 1.0 and 1.5), a raw SNP report
// (versions 2 to 5), an SNP extended report message (4000 bytes, or report followed by certificate
// table), an Azure HCL report. Errors: evidence.malformed (truncated or inconsistent),
// evidence.unsupported (well-formed, but another kind).
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace cce::attest {

enum class Tee { kTdx, kSnp };
std::string_view TeeName(Tee tee);  // "tdx", "snp"

// -- TDX

struct TdBody {
  bool td15 = false;  // TD report 1.5: tee_tcb_svn2 and mrservicetd are present
  ByteArray<16> tee_tcb_svn{};
  ByteArray<48> mrseam{};
  ByteArray<48> mrsignerseam{};
  ByteArray<8> seam_attributes{};
  uint64_t td_attributes = 0;
  uint64_t xfam = 0;
  ByteArray<48> mrtd{};
  ByteArray<48> mrconfigid{};
  ByteArray<48> mrowner{};
  ByteArray<48> mrownerconfig{};
  std::array<ByteArray<48>, 4> rtmr{};
  ByteArray<64> report_data{};
  ByteArray<16> tee_tcb_svn2{};
  ByteArray<48> mrservicetd{};
};

struct QeReport {
  ByteArray<16> cpusvn{};
  uint32_t miscselect = 0;
  ByteArray<16> attributes{};
  ByteArray<32> mrenclave{};
  ByteArray<32> mrsigner{};
  uint16_t isvprodid = 0;
  uint16_t isvsvn = 0;
  ByteArray<64> report_data{};
};

struct TdxQuote {
  uint16_t version = 0;
  uint16_t attestation_key_type = 0;
  uint32_t tee_type = 0;
  uint16_t qe_svn = 0;
  uint16_t pce_svn = 0;
  ByteArray<16> qe_vendor{};
  ByteArray<20> user_data{};
  TdBody body;
  QeReport qe_report;
  ByteView signed_bytes;     // header, descriptor and body
  ByteView signature;        // 64 bytes
  ByteView attestation_key;  // 64 bytes
  ByteView qe_report_bytes;  // 384 bytes
  ByteView qe_signature;     // 64 bytes
  ByteView qe_auth;          // any length
  ByteView pck_chain_pem;    // PEM text as sent
  size_t trailing = 0;       // bytes after the signature data: never hashed, never believed
  bool trailing_nonzero = false;
};

// -- SNP

enum class SnpProduct { kUnknown, kMilan, kGenoa, kTurin };
std::string_view ProductName(SnpProduct product);  // "Milan", ...
// From CPUID family and model as a report states them (combined values).
SnpProduct ProductOfCpuid(uint8_t family, uint8_t model);

// A TCB_VERSION taken apart by product.
struct SnpTcb {
  uint8_t fmc = 0;  // Turin only
  uint8_t bootloader = 0;
  uint8_t tee = 0;
  uint8_t snp = 0;
  uint8_t microcode = 0;
  bool operator==(const SnpTcb&) const = default;
};
SnpTcb DecodeTcb(const ByteArray<8>& raw, SnpProduct product);
// Every component of `a` is at most b's.
bool NotAbove(const SnpTcb& a, const SnpTcb& b);
std::string TcbText(const SnpTcb& tcb, SnpProduct product);

struct SnpReport {
  uint32_t version = 0;
  uint32_t guest_svn = 0;
  uint64_t policy = 0;
  ByteArray<16> family_id{};
  ByteArray<16> image_id{};
  uint32_t vmpl = 0;
  uint32_t signature_algo = 0;
  ByteArray<8> current_tcb{};
  uint64_t platform_info = 0;
  uint32_t flags = 0;
  ByteArray<64> report_data{};
  ByteArray<48> measurement{};
  ByteArray<32> host_data{};
  ByteArray<48> id_key_digest{};
  ByteArray<48> author_key_digest{};
  ByteArray<32> report_id{};
  ByteArray<32> report_id_ma{};
  ByteArray<8> reported_tcb{};
  ByteArray<3> cpuid{};  // zero in version 2
  ByteArray<64> chip_id{};
  ByteArray<8> committed_tcb{};
  ByteArray<3> current_version{};    // build, minor, major
  ByteArray<3> committed_version{};  // build, minor, major
  ByteArray<8> launch_tcb{};
  uint64_t launch_mitigation = 0;   // from version 5
  uint64_t current_mitigation = 0;  // from version 5
  bool reserved_zero = false;       // all fields that are reserved in this version
  bool signature_padding_zero = false;
  ByteView signed_bytes;  // 0x2a0 bytes
  ByteView signature_r;   // 72 bytes, little-endian
  ByteView signature_s;

  uint32_t signing_key() const { return (flags >> 2) & 7; }
  SnpProduct product() const;  // unknown for version 2
};

// Certificates that came with a report (configfs auxblob, extended report). They prove nothing by
// themselves.
struct SnpCertificates {
  Bytes vek;  // DER; VCEK or VLEK
  Bytes ask;
  Bytes ark;
  Bytes crl;
};

// -- Evidence

enum class EvidenceForm {
  kAuto,
  kTdxQuote,
  kSnpReport,          // exactly 1184 bytes
  kSnpExtendedReport,  // message of 4000 bytes with the report at 32
  kSnpWithTable,       // report, then certificate table
  kAzureHcl,
};
std::string_view FormName(EvidenceForm form);

struct Evidence {
  Tee tee = Tee::kTdx;
  EvidenceForm form = EvidenceForm::kAuto;
  std::shared_ptr<const Bytes> raw;  // as given
  std::optional<TdxQuote> tdx;
  std::optional<SnpReport> snp;
  SnpCertificates certificates;
  ByteView azure_runtime_data;  // JSON whose SHA-256 must be REPORT_DATA[0..32]

  ByteView report_data() const;  // 64 bytes
};

Result<Evidence> ParseEvidence(ByteView bytes, EvidenceForm form = EvidenceForm::kAuto);

// Parsers of single structures; the views point into `bytes`, which must outlive the result.
Result<TdxQuote> ParseTdxQuote(ByteView bytes);
Result<SnpReport> ParseSnpReport(ByteView bytes);
// The GUID table of GHCB and configfs `auxblob`. Unknown GUIDs are skipped.
Result<SnpCertificates> ParseCertificateTable(ByteView table);
// Adds a separate auxblob to a report that came alone. Fails where the evidence is no SNP report.
Result<> AttachCertificateTable(Evidence& evidence, ByteView table);

// All fields by name, hex in lower case: what "inspect" and verdicts show.
json::object FieldsOf(const Evidence& evidence);

}  // namespace cce::attest
