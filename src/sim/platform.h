// The numbers of the simulated platform: what its certificates, TCB info, QE identity and quotes
// all state.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace cce::sim {

// A platform's security versions: the 16 SGX components (they stand in the PCK certificate), PCESVN
// (there, too) and the 16 TDX components (TEE_TCB_SVN of a quote; index 0 is the module's SVN, 1
// its major version).
struct PlatformTcb {
  ByteArray<16> sgx;
  uint16_t pcesvn;
  ByteArray<16> tdx;
};

constexpr PlatformTcb kCurrentTcb = {{5, 5, 2, 2, 4, 1, 0, 5}, 13, {6, 1, 5}};
// One step behind: the TCB info calls it OutOfDate.
constexpr PlatformTcb kOldTcb = {{3, 3, 2, 2, 3, 1, 0, 5}, 11, {6, 1, 3}};

constexpr std::string_view kCurrentTcbDate = "2026-05-13T00:00:00Z";
constexpr std::string_view kOldTcbDate = "2024-03-13T00:00:00Z";
constexpr std::string_view kOldTcbAdvisory = "SIM-SA-00001";     // platform
constexpr std::string_view kOldModuleAdvisory = "SIM-SA-00002";  // TDX module
constexpr std::string_view kOldQeAdvisory = "SIM-SA-00003";      // quoting enclave
constexpr int kTcbEvaluationDataNumber = 20;

constexpr ByteArray<6> kFmspc = {0xC0, 0xCE, 0x4C, 0x00, 0x00, 0x00};
constexpr ByteArray<2> kPceId = {0, 0};

// TDX module: TEE_TCB_SVN[0] of a current and of an outdated module with major version 1.
constexpr uint8_t kModuleMajor = 1;
constexpr uint8_t kModuleSvn = 6;
constexpr uint8_t kOldModuleSvn = 4;

// The quoting enclave (Intel's TD_QE has ISVPRODID 2, too).
constexpr uint16_t kQeProdId = 2;
constexpr uint16_t kQeSvn = 6;
constexpr uint16_t kOldQeSvn = 3;
constexpr ByteArray<16> kQeAttributes = {0x15, 0, 0, 0,   0,
                                         0,    0, 0, 0xE7};  // INIT, MODE64BIT, PROVISION_KEY
ByteArray<32> QeSigner();
ByteArray<32> QeMeasurement();
ByteArray<48> ModuleMeasurement();  // MRSEAM

constexpr ByteArray<16> kQeVendor = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                     0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};

}  // namespace cce::sim
