// Byte layout of Intel TDX evidence. Sources: Intel TDX DCAP Quoting Library API (quote versions 4
// and 5), Intel TDX Module ABI (TDREPORT), Intel SGX Provisioning Certification Service (PCK
// certificate profile). All integers are little-endian. Public, so that a writer of quotes uses the
// same numbers as this reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace cce::attest::tdx {

// A run of bytes in a structure.
struct Span {
  size_t offset;
  size_t size;
  constexpr size_t end() const { return offset + size; }
};

// -- Quote header, 48 bytes
constexpr size_t kHeaderSize = 48;
constexpr Span kVersion{0, 2};             // 4 or 5
constexpr Span kAttestationKeyType{2, 2};  // 2
constexpr Span kTeeType{4, 4};             // 0x81
constexpr Span kQeSvn{8, 2};
constexpr Span kPceSvn{10, 2};
constexpr Span kQeVendor{12, 16};
constexpr Span kUserData{28, 20};

constexpr uint16_t kVersion4 = 4;
constexpr uint16_t kVersion5 = 5;
constexpr uint16_t kEcdsaP256 = 2;
constexpr uint32_t kTeeTypeTdx = 0x81;
constexpr uint32_t kTeeTypeSgx = 0;
constexpr ByteArray<16> kIntelQeVendor = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                          0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

// -- Version 5 only: body descriptor between header and body
constexpr size_t kDescriptorSize = 6;  // u16 type, u32 size
constexpr uint16_t kBodyTypeTd10 = 2;
constexpr uint16_t kBodyTypeTd15 = 3;

// -- TD report body, offsets from its start
constexpr size_t kTd10Size = 584;
constexpr size_t kTd15Size = 648;
constexpr Span kTeeTcbSvn{0, 16};
constexpr Span kMrSeam{16, 48};
constexpr Span kMrSignerSeam{64, 48};
constexpr Span kSeamAttributes{112, 8};
constexpr Span kTdAttributes{120, 8};
constexpr Span kXfam{128, 8};
constexpr Span kMrTd{136, 48};
constexpr Span kMrConfigId{184, 48};
constexpr Span kMrOwner{232, 48};
constexpr Span kMrOwnerConfig{280, 48};
constexpr Span kRtmr0{328, 48};  // RTMR1..3 follow
constexpr size_t kRtmrCount = 4;
constexpr Span kReportData{520, 64};
constexpr Span kTeeTcbSvn2{584, 16};  // TD 1.5
constexpr Span kMrServiceTd{600, 48};

// -- Signature data: u32 size, then
constexpr size_t kSignatureSize = 64;       // r || s, big-endian
constexpr size_t kAttestationKeySize = 64;  // x || y, big-endian
constexpr uint16_t kCertDataPckChain = 5;   // PEM, leaf first
constexpr uint16_t kCertDataQeReport =
    6;  // QE report, its signature, authentication data, certification data
constexpr size_t kCertDataHeaderSize = 6;  // u16 type, u32 size

// -- SGX report body of the quoting enclave
constexpr size_t kQeReportSize = 384;
constexpr Span kQeCpuSvn{0, 16};
constexpr Span kQeMiscSelect{16, 4};
constexpr Span kQeAttributes{48, 16};
constexpr Span kQeMrEnclave{64, 32};
constexpr Span kQeMrSigner{128, 32};
constexpr Span kQeIsvProdId{256, 2};
constexpr Span kQeIsvSvn{258, 2};
constexpr Span kQeReportData{320, 64};
constexpr uint8_t kSgxAttributeDebug = 0x02;  // byte 0 of ATTRIBUTES

// -- TD ATTRIBUTES (u64)
constexpr uint64_t kTdDebug = uint64_t{1} << 0;
constexpr uint64_t kTdTudMask = 0xff;  // the whole group "TD under debug"
constexpr uint64_t kTdSeptVeDisable = uint64_t{1} << 28;
constexpr uint64_t kTdMigratable = uint64_t{1} << 29;
constexpr uint64_t kTdPks = uint64_t{1} << 30;
constexpr uint64_t kTdKeyLocker = uint64_t{1} << 31;
constexpr uint64_t kTdPerfmon = uint64_t{1} << 63;

// -- XFAM (u64)
constexpr uint64_t kXfamFixed1 = 0x3;
constexpr uint64_t kXfamFixed0 = 0x0006dbe7;  // bits outside must be zero

// -- Names in the PKI: a certificate's CN must contain the phrase (4.1.2.5 of Intel's verification
// library).
constexpr std::string_view kRootCn = "SGX Root CA";
constexpr std::string_view kPlatformCaCn = "SGX PCK Platform CA";
constexpr std::string_view kProcessorCaCn = "SGX PCK Processor CA";
constexpr std::string_view kPckCn = "SGX PCK Certificate";
constexpr std::string_view kTcbSigningCn = "SGX TCB Signing";

// A quote with what trails it (configfs pads to 5006, Google to 8000 bytes).
constexpr size_t kMaxQuoteSize = 64 << 10;

}  // namespace cce::attest::tdx
