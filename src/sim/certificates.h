// X.509 certificates and CRLs of the simulated chip's PKIs (OpenSSL): in the profile of Intel's
// "PCK Certificate and CRL Profile Specification" (P-256, ecdsa-with-SHA256) and of AMD's 57230
// (P-384 leaves under RSA-4096 with RSASSA-PSS). The issuer's key decides about the signature. All
// certificates are DER.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "sim/platform.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace cce::sim {

struct CertificateSpec {
  std::string common_name;
  std::optional<int> ca_path_length;  // set: a CA
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
  std::string crl_url;  // empty: none
  // Dotted OID and DER value; none is critical.
  std::vector<std::pair<std::string, Bytes>> extensions;
  // Nothing but `extensions`: no key identifiers, usage or constraints, as in AMD's leaves.
  bool bare = false;
};

// An empty `issuer` makes a self-signed certificate. The serial number is 20 random bytes.
Result<Bytes> IssueCertificate(const CertificateSpec& spec, evp_pkey_st* subject, ByteView issuer,
                               evp_pkey_st* issuer_key);

// `revoked` are certificates (reason: key compromise). One of another issuer makes the CRL an
// indirect one, whose entries name their certificates' issuers (RFC 5280 section 5.3.3).
Result<Bytes> IssueCrl(ByteView issuer, evp_pkey_st* issuer_key, std::span<const Bytes> revoked,
                       UnixSeconds this_update, UnixSeconds next_update);

// OID and value of the SGX extension of a PCK certificate. `ppid` names the platform.
constexpr char kSgxExtensionOid[] = "1.2.840.113741.1.13.1";
Result<Bytes> SgxExtension(const PlatformTcb& tcb, const ByteArray<16>& ppid);

// DER of single values, put together by OpenSSL's own primitives.
Bytes DerInteger(uint16_t value);
Bytes DerIa5String(std::string_view text);

// "-----BEGIN CERTIFICATE-----" form with a newline at its end, and the same for a CRL.
std::string CertificateToPem(ByteView certificate);
std::string CrlToPem(ByteView crl);
Result<Bytes> CertificateSpki(ByteView certificate);  // DER of SubjectPublicKeyInfo

// chip.state_invalid unless `certificate` is for `key` and signed with `issuer`'s key.
Result<> CheckCertificate(ByteView certificate, evp_pkey_st* key, ByteView issuer);

}  // namespace cce::sim
