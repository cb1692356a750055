// Byte layout of AMD SEV-SNP evidence. Sources: AMD 56860 (SNP firmware ABI, ATTESTATION_REPORT
// versions 2 to 5), AMD 57230 (VCEK certificate and KDS), AMD 56421 (GHCB: certificate table).
// Integers are little-endian. Public, so that a writer of reports uses the same numbers as this
// reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace cce::attest::snp {

struct Span {
  size_t offset;
  size_t size;
  constexpr size_t end() const { return offset + size; }
};

constexpr size_t kReportSize = 1184;
constexpr size_t kSignedSize = 0x2a0;
constexpr Span kVersion{0x000, 4};
constexpr Span kGuestSvn{0x004, 4};
constexpr Span kPolicy{0x008, 8};
constexpr Span kFamilyId{0x010, 16};
constexpr Span kImageId{0x020, 16};
constexpr Span kVmpl{0x030, 4};
constexpr Span kSignatureAlgo{0x034, 4};
constexpr Span kCurrentTcb{0x038, 8};
constexpr Span kPlatformInfo{0x040, 8};
constexpr Span kFlags{0x048, 4};
constexpr Span kReserved4C{0x04c, 4};
constexpr Span kReportData{0x050, 64};
constexpr Span kMeasurement{0x090, 48};
constexpr Span kHostData{0x0c0, 32};
constexpr Span kIdKeyDigest{0x0e0, 48};
constexpr Span kAuthorKeyDigest{0x110, 48};
constexpr Span kReportId{0x140, 32};
constexpr Span kReportIdMa{0x160, 32};
constexpr Span kReportedTcb{0x180, 8};
constexpr Span kCpuid{0x188, 3};  // family, model, stepping; from version 3
constexpr Span kReserved18B{0x18b, 21};
constexpr Span kChipId{0x1a0, 64};
constexpr Span kCommittedTcb{0x1e0, 8};
constexpr Span kCurrentVersion{0x1e8, 3};  // build, minor, major
constexpr Span kReserved1EB{0x1eb, 1};
constexpr Span kCommittedVersion{0x1ec, 3};
constexpr Span kReserved1EF{0x1ef, 1};
constexpr Span kLaunchTcb{0x1f0, 8};
constexpr Span kLaunchMitigation{0x1f8, 8};   // from version 5
constexpr Span kCurrentMitigation{0x200, 8};  // from version 5
constexpr Span kReserved208{0x208, 0x98};
constexpr Span kSignatureR{0x2a0, 72};  // little-endian, zero-extended
constexpr Span kSignatureS{0x2e8, 72};
constexpr Span kReserved330{0x330, 368};
constexpr size_t kScalarSize = 48;

constexpr uint32_t kEcdsaP384Sha384 = 1;
constexpr uint32_t kHostVmpl = 0xffffffff;

// FLAGS
constexpr uint32_t kAuthorKeyEn = 1u << 0;
constexpr uint32_t kMaskChipKey = 1u << 1;
constexpr uint32_t kSigningKeyShift = 2;  // 3 bits
constexpr uint32_t kSigningKeyVcek = 0;
constexpr uint32_t kSigningKeyVlek = 1;
constexpr uint32_t kSigningKeyNone = 7;

// POLICY (guest policy): bits 0..7 ABI minor, 8..15 ABI major
constexpr uint64_t kPolicySmt = uint64_t{1} << 16;
constexpr uint64_t kPolicyReserved1 = uint64_t{1} << 17;
constexpr uint64_t kPolicyMigrateMa = uint64_t{1} << 18;
constexpr uint64_t kPolicyDebug = uint64_t{1} << 19;
constexpr uint64_t kPolicySingleSocket = uint64_t{1} << 20;
constexpr uint64_t kPolicyCxlAllow = uint64_t{1} << 21;
constexpr uint64_t kPolicyAes256Xts = uint64_t{1} << 22;
constexpr uint64_t kPolicyRaplDis = uint64_t{1} << 23;
constexpr uint64_t kPolicyCiphertextHiding = uint64_t{1} << 24;
constexpr uint64_t kPolicyPageSwapDisable = uint64_t{1} << 25;
constexpr uint64_t kPolicyReservedMask = ~((uint64_t{1} << 26) - 1);

// PLATFORM_INFO
constexpr uint64_t kPlatformSmt = 1u << 0;
constexpr uint64_t kPlatformTsme = 1u << 1;
constexpr uint64_t kPlatformEcc = 1u << 2;
constexpr uint64_t kPlatformRaplDis = 1u << 3;
constexpr uint64_t kPlatformCiphertextHiding = 1u << 4;
constexpr uint64_t kPlatformAliasCheck = 1u << 5;
constexpr uint64_t kPlatformTio = 1u << 7;

// Bytes of a TCB_VERSION; they mean other things on Turin.
constexpr size_t kTcbBootloader = 0, kTcbTee = 1, kTcbSnp = 6, kTcbMicrocode = 7;
constexpr size_t kTurinTcbFmc = 0, kTurinTcbBootloader = 1, kTurinTcbTee = 2, kTurinTcbSnp = 3,
                 kTurinTcbMicrocode = 7;

// Wrappings
constexpr size_t kExtendedReportSize =
    4000;  // snp_report_resp: status u32, size u32, 24 reserved, report
constexpr size_t kExtendedReportOffset = 32;
constexpr std::string_view kHclMagic = "HCLA";
constexpr size_t kHclReportOffset = 32;
constexpr size_t kHclRuntimeOffset = kHclReportOffset + kReportSize;
constexpr size_t kHclRuntimeHeaderSize = 20;  // total, version, report type, hash type, data size
constexpr size_t kCertEntrySize = 24;  // GUID, u32 offset, u32 size; ends with an all-zero entry

// KDS extension OIDs are 1.3.6.1.4.1.3704.1.*: DER content octets of the common arc.
constexpr ByteArray<8> kOidPrefix = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01};

constexpr std::string_view kVcekCn = "SEV-VCEK";
constexpr std::string_view kVlekCn = "SEV-VLEK";

}  // namespace cce::attest::snp
