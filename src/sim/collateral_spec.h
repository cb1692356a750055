// What can differ from one set of collateral to another: dates, and what a defect makes wrong with
// it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "sim/platform.h"

namespace cce::sim {

struct Period {
  UnixSeconds from = 0;   // issueDate, thisUpdate
  UnixSeconds until = 0;  // nextUpdate
};

constexpr UnixSeconds kDay = 86400;
constexpr UnixSeconds kCollateralAge = kDay;        // older: made anew
constexpr UnixSeconds kCollateralLife = 30 * kDay;  // nextUpdate
constexpr UnixSeconds kSkew = 60;                   // everything is dated back by this much

// Which CA issues a CRL.
enum class CrlIssuer { kProper, kSibling };

struct CollateralSpec {
  static CollateralSpec At(UnixSeconds now);

  Period tcb_info;
  Period qe_identity;
  Period pck_crl;
  Period root_crl;
  Period snp_crl;
  ByteArray<6> fmspc = kFmspc;
  std::string_view qe_id = "TD_QE";
  CrlIssuer pck_crl_issuer = CrlIssuer::kProper;   // sibling: the Processor CA
  CrlIssuer root_crl_issuer = CrlIssuer::kProper;  // sibling: the Platform CA
  CrlIssuer snp_crl_issuer = CrlIssuer::kProper;   // sibling: the ASK
  bool revoke_platform_ca = false;
  bool revoke_tcb_signing = false;
  bool revoke_ask = false;
  bool swap_signatures = false;  // TCB info and QE identity have each other's signature
};

// A named defect of collateral, for negative tests.
struct CollateralDefect {
  std::string_view name;
  std::string_view meaning;
  void (*change)(CollateralSpec& spec) = nullptr;
};
// The first, with an empty name, is none.
std::span<const CollateralDefect> AllCollateralDefects();
// input.malformed with the known names.
Result<const CollateralDefect*> FindCollateralDefect(std::string_view name);

}  // namespace cce::sim
