#include "sim/collateral_spec.h"

#include "sim/find_named.h"

namespace cce::sim {
namespace {

void Expire(Period& period) {
  period.until = period.from - kDay;
  period.from = period.until - kCollateralLife;
}
void Postpone(Period& period) {
  period.from += 2 * kDay;
  period.until += 2 * kDay;
}

constexpr CollateralDefect kDefects[] = {
    {.name = "", .meaning = "no defect"},
    {.name = "expired-tcb-info",
     .meaning = "the TCB info's nextUpdate is past",
     .change = [](CollateralSpec& s) { Expire(s.tcb_info); }},
    {.name = "expired-qe-identity",
     .meaning = "the QE identity's nextUpdate is past",
     .change = [](CollateralSpec& s) { Expire(s.qe_identity); }},
    {.name = "early-tcb-info",
     .meaning = "the TCB info's issueDate is to come",
     .change = [](CollateralSpec& s) { Postpone(s.tcb_info); }},
    {.name = "early-qe-identity",
     .meaning = "the QE identity's issueDate is to come",
     .change = [](CollateralSpec& s) { Postpone(s.qe_identity); }},
    {.name = "expired-pck-crl",
     .meaning = "the PCK CRL's nextUpdate is past",
     .change = [](CollateralSpec& s) { Expire(s.pck_crl); }},
    {.name = "expired-root-crl",
     .meaning = "the root CRL's nextUpdate is past",
     .change = [](CollateralSpec& s) { Expire(s.root_crl); }},
    {.name = "wrong-pck-crl-issuer",
     .meaning = "the PCK CRL is the Processor CA's",
     .change = [](CollateralSpec& s) { s.pck_crl_issuer = CrlIssuer::kSibling; }},
    {.name = "wrong-root-crl-issuer",
     .meaning = "the root CRL is the Platform CA's",
     .change = [](CollateralSpec& s) { s.root_crl_issuer = CrlIssuer::kSibling; }},
    {.name = "revoked-platform-ca",
     .meaning = "the root CRL lists the Platform CA",
     .change = [](CollateralSpec& s) { s.revoke_platform_ca = true; }},
    {.name = "revoked-tcb-signing",
     .meaning = "the root CRL lists the TCB signing certificate",
     .change = [](CollateralSpec& s) { s.revoke_tcb_signing = true; }},
    {.name = "other-fmspc",
     .meaning = "the TCB info is for another platform",
     .change = [](CollateralSpec& s) { s.fmspc[5] ^= 1; }},
    {.name = "sgx-qe-identity",
     .meaning = "the QE identity is that of SGX quotes",
     .change = [](CollateralSpec& s) { s.qe_id = "QE"; }},
    {.name = "swapped-signatures",
     .meaning = "TCB info and QE identity have each other's signature",
     .change = [](CollateralSpec& s) { s.swap_signatures = true; }},
    {.name = "expired-snp-crl",
     .meaning = "the SNP CRL's nextUpdate is past",
     .change = [](CollateralSpec& s) { Expire(s.snp_crl); }},
    {.name = "wrong-snp-crl-issuer",
     .meaning = "the SNP CRL is issued by the ASK",
     .change = [](CollateralSpec& s) { s.snp_crl_issuer = CrlIssuer::kSibling; }},
    {.name = "revoked-ask",
     .meaning = "the SNP CRL lists the ASK",
     .change = [](CollateralSpec& s) { s.revoke_ask = true; }},
};

}  // namespace

CollateralSpec CollateralSpec::At(UnixSeconds now) {
  const Period usual{now - kSkew, now - kSkew + kCollateralLife};
  CollateralSpec out;
  out.tcb_info = out.qe_identity = out.pck_crl = out.root_crl = out.snp_crl = usual;
  return out;
}

std::span<const CollateralDefect> AllCollateralDefects() { return kDefects; }

Result<const CollateralDefect*> FindCollateralDefect(std::string_view name) {
  return FindNamed(std::span<const CollateralDefect>(kDefects), name);
}

}  // namespace cce::sim
