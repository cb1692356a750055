#include "sim/snp_report.h"

#include <algorithm>

#include "crypto/hash.h"

namespace cce::sim {
namespace {

// SMT allowed, the bit that must be one; ABI 0.0.
constexpr uint64_t kPolicy = uint64_t{1} << 16 | uint64_t{1} << 17;
constexpr uint64_t kPlatformInfo = 0x25;  // SMT, ECC, alias check complete
constexpr uint32_t kSigningKeyVlek = 1u << 2;
constexpr ByteArray<3> kFirmware = {21, 55, 1};  // build, minor, major
constexpr size_t kSignedSize = 0x2A0;
constexpr size_t kReportSize = 1184;
constexpr size_t kScalarSize = 48;
constexpr size_t kScalarField = 72;

void AppendLe(Bytes& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void AppendZeros(Bytes& out, size_t size) { out.insert(out.end(), size, 0); }

Bytes Encode(const SnpReport& r, const SnpProduct& product, ByteView report_id) {
  Bytes out;
  AppendLe(out, r.version, 4);
  AppendLe(out, 0, 4);  // GUEST_SVN
  AppendLe(out, r.policy, 8);
  AppendZeros(out, 16 + 16);  // FAMILY_ID, IMAGE_ID
  AppendLe(out, r.vmpl, 4);
  AppendLe(out, r.signature_algorithm, 4);
  Append(out, EncodeTcbVersion(r.current, product));
  AppendLe(out, r.platform_info, 8);
  AppendLe(out, r.flags, 4);
  AppendLe(out, r.reserved, 4);
  Append(out, r.report_data);
  Append(out, r.measurement);
  Append(out, r.host_data);
  AppendZeros(out, 48 + 48);  // ID_KEY_DIGEST, AUTHOR_KEY_DIGEST
  Append(out, report_id);
  out.insert(out.end(), 32, 0xFF);  // REPORT_ID_MA: no migration agent
  Append(out, EncodeTcbVersion(r.reported, product));
  if (r.version >= 3) {
    Append(out, r.cpuid);
  } else {
    AppendZeros(out, r.cpuid.size());
  }
  AppendZeros(out, 21);
  Append(out, r.chip_id);
  Append(out, EncodeTcbVersion(r.committed, product));
  for (int i = 0; i < 2; ++i) {  // current and committed version
    Append(out, kFirmware);
    AppendZeros(out, 1);
  }
  Append(out, EncodeTcbVersion(r.launch, product));
  AppendLe(out, r.launch_mitigation, 8);
  AppendLe(out, r.current_mitigation, 8);
  AppendZeros(out, kSignedSize - out.size());
  return out;
}

// R and S little-endian in fields of 72 bytes, then zeros.
void AppendSignature(Bytes& out, ByteView signature) {
  for (const size_t at : {size_t{0}, kScalarSize}) {
    const ByteView scalar = signature.subspan(at, kScalarSize);
    out.insert(out.end(), scalar.rbegin(), scalar.rend());
    AppendZeros(out, kScalarField - kScalarSize);
  }
  AppendZeros(out, kReportSize - out.size());
}

}  // namespace

SnpReportSource::SnpReportSource(const SnpChip& chip, const protocol::ChipMeasurement& measurement,
                                 const SnpDefect& defect)
    : chip_(chip),
      measurement_(measurement),
      defect_(defect),
      report_id_(crypto::RandomBytes(32)) {}

Result<Bytes> SnpReportSource::NewReport(ByteView inblob) const {
  const SnpVersions versions = defect_.vek == Vek::kOld ? kSnpOld : kSnpCurrent;
  SnpReport report{.policy = kPolicy,
                   .current = versions,
                   .committed = versions,
                   .reported = versions,
                   .launch = versions,
                   .platform_info = kPlatformInfo,
                   .flags = defect_.vek == Vek::kVlek ? kSigningKeyVlek : 0,
                   .measurement = measurement_.launch_digest,
                   .host_data = measurement_.host_data,
                   .cpuid = chip_.product().cpuid};
  ASSIGN_OR_RETURN(report.report_data, ToArray<64>(inblob));
  std::copy(chip_.chip_id().begin(), chip_.chip_id().end(), report.chip_id.begin());
  if (defect_.change != nullptr) defect_.change(report);

  Bytes out = Encode(report, chip_.product(), report_id_);
  Bytes signature(2 * kScalarSize);
  if (!defect_.no_signature) {
    ASSIGN_OR_RETURN(signature, chip_.Sign(defect_.vek, out));
  }
  if (defect_.break_signature) signature[60] ^= 1;
  AppendSignature(out, signature);
  return out;
}

Bytes SnpReportSource::Auxiliary() const {
  return defect_.no_certificates ? Bytes(24) : chip_.CertificateTable(defect_.vek);
}

}  // namespace cce::sim
