// Intel's two signed documents, parsed: TCB info v3 and QE identity v2 / v3. Their members are the
// vendor's, signed, so unknown members are passed over; duplicates, missing or short ones are
// errors. Internal to src/attest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attest/policy.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace cce::attest {

// A level's verdict. `status` is absent for a word that is not known: such a level matches, and is
// refused.
struct TcbGrade {
  std::optional<TcbStatus> status;
  std::string status_text;
  UnixSeconds date = 0;
  std::vector<std::string> advisories;
};

// Wider than a platform's one-byte versions: a level that asks for more than 255 is one that
// nothing reaches.
using ComponentSvns = std::array<uint16_t, 16>;

struct PlatformLevel {
  ComponentSvns sgx{};
  uint16_t pcesvn = 0;
  ComponentSvns tdx{};
  TcbGrade grade;
};

struct SvnLevel {
  uint16_t isvsvn = 0;
  TcbGrade grade;
};

struct ModuleIdentity {
  std::string id;  // "TDX_03"; "" for tdxModule
  ByteArray<48> mrsigner{};
  ByteArray<8> attributes{};
  ByteArray<8> attributes_mask{};
  std::vector<SvnLevel> levels;
};

struct TcbInfo {
  std::string id;  // "TDX" or "SGX"
  uint64_t version = 0;
  UnixSeconds issue_date = 0;
  UnixSeconds next_update = 0;
  ByteArray<6> fmspc{};
  ByteArray<2> pceid{};
  uint64_t evaluation_number = 0;
  ModuleIdentity module;                   // TDX
  std::vector<ModuleIdentity> identities;  // TDX
  std::vector<PlatformLevel> levels;
  // What components are called ("TDX Module"); from the first level, for explanations.
  std::array<std::string, 16> sgx_names;
  std::array<std::string, 16> tdx_names;
};

struct QeIdentity {
  std::string id;  // "TD_QE" or "QE"
  uint64_t version = 0;
  UnixSeconds issue_date = 0;
  UnixSeconds next_update = 0;
  uint64_t evaluation_number = 0;
  uint32_t miscselect = 0;
  uint32_t miscselect_mask = 0;
  ByteArray<16> attributes{};
  ByteArray<16> attributes_mask{};
  ByteArray<32> mrsigner{};
  uint16_t isvprodid = 0;
  std::vector<SvnLevel> levels;
};

// Errors: collateral.malformed with the member.
Result<TcbInfo> ParseTcbInfo(std::string_view body);
Result<QeIdentity> ParseQeIdentity(std::string_view body);
// The exact bytes of the object-valued member `name` of a response, and of its "signature".
Result<std::pair<std::string, Bytes>> SplitSigned(std::string_view response, std::string_view name);

}  // namespace cce::attest
