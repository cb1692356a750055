// A platform for the unit tests: certificates, CRLs, documents, quotes and reports under a PKI of
// the test's own, with a place to make each thing wrong before it is signed. Test code only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attest/collateral.h"
#include "attest/policy.h"
#include "attest/verify.h"

struct evp_pkey_st;

namespace cce::attest::testing {

using Key = std::shared_ptr<evp_pkey_st>;
Key NewEcKey(const char* curve);    // "P-256" or "P-384"
Key TestRsaKey();                   // one RSA-4096 key for the whole run
Bytes PublicPoint(const Key& key);  // x || y
// ECDSA, r || s big-endian in fixed width.
Bytes SignRaw(const Key& key, ByteView message);

constexpr UnixSeconds kNow = 1790000000;  // 2026-09-21
constexpr UnixSeconds kDay = 86400;

struct CertSpec {
  std::string cn;
  std::string issuer_cn;
  Key key;
  Key issuer_key;
  uint64_t serial = 1;
  UnixSeconds not_before = kNow - 30 * kDay;
  UnixSeconds not_after = kNow + 3650 * kDay;
  bool basic_constraints = true;
  bool ca = false;
  std::optional<int> path_length;
  std::string usage;                                      // OpenSSL's words; empty: no extension
  std::vector<std::pair<std::string, Bytes>> extensions;  // dotted OID, DER value
  bool critical_unknown = false;
};
Bytes MakeCertificate(const CertSpec& spec);

struct CrlSpec {
  std::string issuer_cn;
  Key key;
  UnixSeconds this_update = kNow - kDay;
  UnixSeconds next_update = kNow + 29 * kDay;
  std::vector<uint64_t> revoked;
  std::optional<uint64_t> number;     // cRLNumber
  std::string certificate_issuer_cn;  // set: the first entry names its certificate's issuer
  bool says_indirect = true;          // and the CRL says that it does
};
Bytes MakeCrl(const CrlSpec& spec);

// DER of the SGX extension and of single values.
Bytes SgxExtension(const ByteArray<16>& components, uint16_t pcesvn, const ByteArray<6>& fmspc,
                   const ByteArray<2>& pceid);
Bytes DerInteger(unsigned value);
Bytes DerIa5(std::string_view text);

// Everything that one verification needs. Change members, then Build().
struct TdxPlatform {
  TdxPlatform();

  uint16_t version = 4;
  bool td15 = false;
  Bytes body;  // 584 bytes, or 648 once td15
  Bytes qe_report;
  Bytes qe_auth;
  ByteArray<16> qe_vendor;
  ByteArray<16> components;
  uint16_t pcesvn = 13;
  ByteArray<6> fmspc;
  ByteArray<2> pceid{};
  std::string tcb_info;
  std::string qe_identity;
  Key root_key, ca_key, pck_key, signing_key, attestation_key;
  CertSpec root, ca, pck, signing;
  CrlSpec root_crl, pck_crl;
  // Called on what was signed, before it is put together.
  std::function<void(Bytes& quote)> after_quote;
  std::function<void(TdxCollateral&)> after_collateral;
  bool bind_attestation_key = true;

  void SetBody(size_t offset, ByteView bytes);
  void Replace(std::string& document, std::string_view from, std::string_view to);

  // Evidence, collateral and root of the last Build.
  void Build();
  Bytes quote;
  Collateral collateral;
  Bytes root_der;

  Policy StrictPolicyOfTest() const;
  Verdict Check() const;
  Verdict Check(const Policy& policy, UnixSeconds time = kNow) const;
};

struct SnpPlatform {
  SnpPlatform();

  Bytes report;  // 1184 bytes, unsigned
  std::string product = "Milan";
  std::string product_name = "Milan-B0";
  bool vlek = false;
  ByteArray<5> spl;  // fmc, bootloader, tee, snp, microcode
  Bytes hwid;
  Key vek_key;
  CertSpec ark, ask, vek;
  CrlSpec crl;
  std::function<void(Bytes& report)> after_report;
  std::function<void(CertSpec& vek)> before_vek;

  void SetReport(size_t offset, ByteView bytes);
  // Names, hwid and report for another product ("Genoa", "Turin") or key.
  void Become(const std::string& other_product);

  void Build();
  Bytes signed_report;
  Collateral collateral;
  Bytes ark_der;

  Policy StrictPolicyOfTest() const;
  Verdict Check() const;
  Verdict Check(const Policy& policy, UnixSeconds time = kNow) const;
};

// The id of the first failing rule; "accepted" where there is none.
std::string FirstFailure(const Verdict& verdict);

}  // namespace cce::attest::testing
