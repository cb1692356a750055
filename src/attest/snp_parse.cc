#include "attest/little_endian.h"
#include "attest/snp_layout.h"
#include "attest/types.h"

namespace cce::attest {
namespace {

constexpr size_t kMaxTable = 256 << 10;

Unexpected Malformed(std::string what, std::string expected, std::string found) {
  return Fail(MakeError("evidence.malformed", std::move(what))
                  .Expected(std::move(expected))
                  .Found(std::move(found)));
}

// Fields that the report's version leaves reserved.
bool ReservedZero(ByteView bytes, uint32_t version) {
  if (!AllZero(Field(bytes, snp::kReserved4C)) || !AllZero(Field(bytes, snp::kReserved18B)) ||
      !AllZero(Field(bytes, snp::kReserved1EB)) || !AllZero(Field(bytes, snp::kReserved1EF)) ||
      !AllZero(Field(bytes, snp::kReserved208))) {
    return false;
  }
  if (version < 3 && !AllZero(Field(bytes, snp::kCpuid))) return false;
  return version >= 5 || (AllZero(Field(bytes, snp::kLaunchMitigation)) &&
                          AllZero(Field(bytes, snp::kCurrentMitigation)));
}

// RFC 4122 text order; tables in the field hold the first three groups little-endian, some writers
// all big-endian.
struct KnownGuid {
  ByteArray<16> guid;
  Bytes SnpCertificates::* member;
};
constexpr KnownGuid kGuids[] = {
    {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
      0xcd},
     &SnpCertificates::vek},  // VCEK
    {{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
      0xa1},
     &SnpCertificates::vek},  // VLEK
    {{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
      0x82},
     &SnpCertificates::ask},
    {{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
      0xae},
     &SnpCertificates::ark},
    {{0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67,
      0xea},
     &SnpCertificates::crl},
};

ByteArray<16> MixedEndian(const ByteArray<16>& g) {
  return {g[3], g[2], g[1],  g[0],  g[5],  g[4],  g[7],  g[6],
          g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]};
}

}  // namespace

std::string_view ProductName(SnpProduct product) {
  switch (product) {
    case SnpProduct::kMilan:
      return "Milan";
    case SnpProduct::kGenoa:
      return "Genoa";
    case SnpProduct::kTurin:
      return "Turin";
    case SnpProduct::kUnknown:
      break;
  }
  return "unknown";
}

SnpProduct ProductOfCpuid(uint8_t family, uint8_t model) {
  if (family == 0x19 && model <= 0x0f) return SnpProduct::kMilan;
  // Genoa, and Bergamo and Siena, which chain to the same ARK.
  if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf))) {
    return SnpProduct::kGenoa;
  }
  if (family == 0x1a && model <= 0x11) return SnpProduct::kTurin;
  return SnpProduct::kUnknown;
}

SnpProduct SnpReport::product() const {
  return version < 3 ? SnpProduct::kUnknown : ProductOfCpuid(cpuid[0], cpuid[1]);
}

SnpTcb DecodeTcb(const ByteArray<8>& raw, SnpProduct product) {
  if (product == SnpProduct::kTurin) {
    return {raw[snp::kTurinTcbFmc], raw[snp::kTurinTcbBootloader], raw[snp::kTurinTcbTee],
            raw[snp::kTurinTcbSnp], raw[snp::kTurinTcbMicrocode]};
  }
  return {0, raw[snp::kTcbBootloader], raw[snp::kTcbTee], raw[snp::kTcbSnp],
          raw[snp::kTcbMicrocode]};
}

bool NotAbove(const SnpTcb& a, const SnpTcb& b) {
  return a.fmc <= b.fmc && a.bootloader <= b.bootloader && a.tee <= b.tee && a.snp <= b.snp &&
         a.microcode <= b.microcode;
}

std::string TcbText(const SnpTcb& tcb, SnpProduct product) {
  std::string out;
  if (product == SnpProduct::kTurin) out = "fmc " + std::to_string(tcb.fmc) + ", ";
  return out + "bootloader " + std::to_string(tcb.bootloader) + ", tee " + std::to_string(tcb.tee) +
         ", snp " + std::to_string(tcb.snp) + ", microcode " + std::to_string(tcb.microcode);
}

Result<SnpReport> ParseSnpReport(ByteView bytes) {
  if (bytes.size() != snp::kReportSize) {
    return Malformed("an SNP report has another size", std::to_string(snp::kReportSize) + " bytes",
                     std::to_string(bytes.size()) + " bytes");
  }
  const uint8_t* p = bytes.data();
  SnpReport out;
  out.version = LoadU32(p + snp::kVersion.offset);
  if (out.version < 2 || out.version > 5) {
    return Fail(MakeError("evidence.unsupported", "an SNP report is of another version")
                    .Expected("2 to 5")
                    .Found(std::to_string(out.version)));
  }
  out.guest_svn = LoadU32(p + snp::kGuestSvn.offset);
  out.policy = LoadU64(p + snp::kPolicy.offset);
  CopyField(bytes, snp::kFamilyId, out.family_id);
  CopyField(bytes, snp::kImageId, out.image_id);
  out.vmpl = LoadU32(p + snp::kVmpl.offset);
  out.signature_algo = LoadU32(p + snp::kSignatureAlgo.offset);
  CopyField(bytes, snp::kCurrentTcb, out.current_tcb);
  out.platform_info = LoadU64(p + snp::kPlatformInfo.offset);
  out.flags = LoadU32(p + snp::kFlags.offset);
  CopyField(bytes, snp::kReportData, out.report_data);
  CopyField(bytes, snp::kMeasurement, out.measurement);
  CopyField(bytes, snp::kHostData, out.host_data);
  CopyField(bytes, snp::kIdKeyDigest, out.id_key_digest);
  CopyField(bytes, snp::kAuthorKeyDigest, out.author_key_digest);
  CopyField(bytes, snp::kReportId, out.report_id);
  CopyField(bytes, snp::kReportIdMa, out.report_id_ma);
  CopyField(bytes, snp::kReportedTcb, out.reported_tcb);
  CopyField(bytes, snp::kCpuid, out.cpuid);
  CopyField(bytes, snp::kChipId, out.chip_id);
  CopyField(bytes, snp::kCommittedTcb, out.committed_tcb);
  CopyField(bytes, snp::kCurrentVersion, out.current_version);
  CopyField(bytes, snp::kCommittedVersion, out.committed_version);
  CopyField(bytes, snp::kLaunchTcb, out.launch_tcb);
  out.launch_mitigation = LoadU64(p + snp::kLaunchMitigation.offset);
  out.current_mitigation = LoadU64(p + snp::kCurrentMitigation.offset);
  out.reserved_zero = ReservedZero(bytes, out.version) && (out.flags >> 5) == 0;
  out.signed_bytes = bytes.first(snp::kSignedSize);
  out.signature_r = Field(bytes, snp::kSignatureR);
  out.signature_s = Field(bytes, snp::kSignatureS);
  out.signature_padding_zero = AllZero(out.signature_r.subspan(snp::kScalarSize)) &&
                               AllZero(out.signature_s.subspan(snp::kScalarSize)) &&
                               AllZero(Field(bytes, snp::kReserved330));
  return out;
}

Result<SnpCertificates> ParseCertificateTable(ByteView table) {
  if (table.size() > kMaxTable) {
    return Malformed("a certificate table is too large", "at most 256 KiB",
                     std::to_string(table.size()) + " bytes");
  }
  SnpCertificates out;
  for (size_t at = 0;; at += snp::kCertEntrySize) {
    if (at + snp::kCertEntrySize > table.size()) {
      return Malformed("a certificate table has no end", "an all-zero entry", "the table's end");
    }
    const ByteView entry = table.subspan(at, snp::kCertEntrySize);
    if (AllZero(entry)) return out;
    const size_t offset = LoadU32(entry.data() + 16);
    const size_t size = LoadU32(entry.data() + 20);
    if (offset > table.size() || size > table.size() - offset) {
      return Malformed("an entry of a certificate table lies outside of it",
                       std::to_string(table.size()) + " bytes",
                       std::to_string(offset) + " + " + std::to_string(size));
    }
    for (const KnownGuid& known : kGuids) {
      if (Equal(entry.first(16), MixedEndian(known.guid)) || Equal(entry.first(16), known.guid)) {
        out.*known.member = ToBytes(table.subspan(offset, size));
      }
    }
  }
}

}  // namespace cce::attest
