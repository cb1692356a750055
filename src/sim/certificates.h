// X.509 certificates and CRLs of the simulated chip's PKI (OpenSSL), in the profile of Intel's "PCK
// Certificate and CRL Profile Specification": P-256, ecdsa-with-SHA256, the same extensions. All
// certificates are DER.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/p256.h"
#include "sim/platform.h"

namespace cce::sim {

struct CertificateSpec {
  std::string common_name;
  std::optional<int> ca_path_length;  // set: a CA
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
  std::string crl_url;
  Bytes sgx_extension;  // value of 1.2.840.113741.1.13.1; empty: none
};

// An empty `issuer` makes a self-signed certificate. The serial number is 20 random bytes.
Result<Bytes> IssueCertificate(const CertificateSpec& spec, const crypto::P256PrivateKey& subject,
                               ByteView issuer, const crypto::P256PrivateKey& issuer_key);

// `revoked` are certificates of this issuer (reason: key compromise).
Result<Bytes> IssueCrl(ByteView issuer, const crypto::P256PrivateKey& issuer_key,
                       std::span<const Bytes> revoked, UnixSeconds this_update,
                       UnixSeconds next_update);

// The SGX extension of a PCK certificate issued by the Platform CA. `ppid` names the platform.
Result<Bytes> SgxExtension(const PlatformTcb& tcb, const ByteArray<16>& ppid);

// "-----BEGIN CERTIFICATE-----" form with a newline at its end.
std::string CertificateToPem(ByteView certificate);
Result<Bytes> CertificateSpki(ByteView certificate);  // DER of SubjectPublicKeyInfo

// chip.state_invalid unless `certificate` is for `key` and signed with `issuer`'s key.
Result<> CheckCertificate(ByteView certificate, const crypto::P256PrivateKey& key, ByteView issuer);

}  // namespace cce::sim
