// X.509 certificates and CRLs (RFC 5280) in the narrow profile of the attestation PKIs, in strict
// DER: P-256, P-384 and RSA-4096 keys; ecdsa-with-SHA256/384 and RSASSA-PSS with SHA-384. A
// critical extension that is not understood, a duplicate extension, an unknown algorithm or a byte
// too many is an error. Parsing believes nothing: names, signatures, dates and constraints are
// compared by the chain rules. OpenSSL's own decoder takes 90 us a certificate and admits BER; this
// one takes 3. Internal to src/attest.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attest/signature.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace cce::attest {

enum class SignatureAlgorithm { kEcdsaSha256, kEcdsaSha384, kRsaPssSha384 };

struct Extension {
  ByteView oid;  // content octets
  bool critical = false;
  ByteView value;  // content of the OCTET STRING
};

// Views into bytes that it shares.
struct Certificate {
  std::shared_ptr<const Bytes> der;
  ByteView tbs;
  ByteView serial;  // magnitude
  SignatureAlgorithm algorithm = SignatureAlgorithm::kEcdsaSha256;
  ByteView signature;
  ByteView issuer;   // DER of the Name
  ByteView subject;  // DER of the Name
  std::string issuer_cn;
  std::string subject_cn;
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
  ByteView spki;  // DER
  KeyKind key_kind = KeyKind::kP256;
  PublicKey key;
  bool has_basic_constraints = false;
  bool ca = false;
  std::optional<uint64_t> path_length;
  std::optional<uint16_t> key_usage;  // bit 0 (digitalSignature) is 0x8000
  std::vector<Extension> extensions;  // those not understood here

  const Extension* Find(ByteView oid) const;
  crypto::Sha256Digest Fingerprint() const { return crypto::Sha256(*der); }
};
constexpr uint16_t kUsageDigitalSignature = 0x8000;
constexpr uint16_t kUsageCertSign = 0x0400;
constexpr uint16_t kUsageCrlSign = 0x0200;

// Errors: collateral.malformed with the part that does not parse.
Result<Certificate> ParseCertificate(ByteView der);
// Signature of `child` under `issuer_key`, over the bytes as encoded.
bool SignedBy(const Certificate& child, const PublicKey& issuer_key);

struct CrlEntry {
  ByteView serial;
  ByteView issuer;  // DER of the Name of the certificate's issuer
  UnixSeconds revoked_at = 0;
};
struct Crl {
  std::shared_ptr<const Bytes> der;
  ByteView tbs;
  SignatureAlgorithm algorithm = SignatureAlgorithm::kEcdsaSha256;
  ByteView signature;
  ByteView issuer;  // DER of the Name
  std::string issuer_cn;
  UnixSeconds this_update = 0;
  UnixSeconds next_update = 0;
  ByteView number;  // cRLNumber, magnitude; empty where the CRL has none
  std::vector<CrlEntry> entries;

  // By issuer and serial number: in an indirect CRL an entry may speak of another CA's certificate.
  const CrlEntry* Find(const Certificate& certificate) const;
};
Result<Crl> ParseCrl(ByteView der);
bool SignedBy(const Crl& crl, const PublicKey& issuer_key);

}  // namespace cce::attest
