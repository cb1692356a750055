#include "attest/x509.h"

#include "attest/der.h"

namespace cce::attest {
namespace {

using der::Reader;

constexpr size_t kMaxCertificate = 16 << 10;
constexpr size_t kMaxCrl = 4 << 20;

constexpr ByteArray<8> kOidEcdsaSha256 = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr ByteArray<8> kOidEcdsaSha384 = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
constexpr ByteArray<9> kOidRsaPss = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
constexpr ByteArray<9> kOidMgf1 = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
constexpr ByteArray<9> kOidSha384 = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02};
constexpr ByteArray<7> kOidEcPublicKey = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr ByteArray<8> kOidP256 = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr ByteArray<5> kOidP384 = {0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr ByteArray<9> kOidRsa = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
constexpr ByteArray<3> kOidCommonName = {0x55, 0x04, 0x03};
constexpr ByteArray<3> kOidKeyUsage = {0x55, 0x1d, 0x0f};
constexpr ByteArray<3> kOidBasicConstraints = {0x55, 0x1d, 0x13};
constexpr ByteArray<3> kOidCrlNumber = {0x55, 0x1d, 0x14};
constexpr ByteArray<3> kOidAuthorityKeyId = {0x55, 0x1d, 0x23};
constexpr ByteArray<3> kOidIssuingPoint = {0x55, 0x1d, 0x1c};
constexpr ByteArray<3> kOidCertificateIssuer = {0x55, 0x1d, 0x1d};

Unexpected Malformed(std::string_view what) {
  return Fail("collateral.malformed", std::string(what) + " does not have the prescribed form");
}

bool IsSha384(Reader& outer) {
  ByteView algorithm, oid, null;
  if (!outer.Take(der::kSequence, algorithm)) return false;
  Reader in(algorithm);
  if (!in.Take(der::kOid, oid) || !Equal(oid, kOidSha384)) return false;
  if (in.AtEnd()) return true;
  return in.Take(der::kNull, null) && null.empty() && in.AtEnd();
}

// RSASSA-PSS-params with SHA-384 throughout, salt 48, trailer 1 (stated or by default).
bool IsPss384(ByteView params) {
  Reader outer(params);
  ByteView content, field;
  if (!outer.Take(der::kSequence, content) || !outer.AtEnd()) return false;
  Reader in(content);
  if (!in.Take(der::Context(0), field)) return false;
  Reader hash(field);
  if (!IsSha384(hash) || !hash.AtEnd()) return false;
  if (!in.Take(der::Context(1), field)) return false;
  Reader mask(field);
  ByteView mgf, oid;
  if (!mask.Take(der::kSequence, mgf) || !mask.AtEnd()) return false;
  Reader mgf_in(mgf);
  if (!mgf_in.Take(der::kOid, oid) || !Equal(oid, kOidMgf1) || !IsSha384(mgf_in) ||
      !mgf_in.AtEnd()) {
    return false;
  }
  uint64_t number = 0;
  if (!in.Take(der::Context(2), field)) return false;
  Reader salt(field);
  if (!salt.TakeUint(number, 1024) || number != 48 || !salt.AtEnd()) return false;
  if (in.AtEnd()) return true;
  if (!in.Take(der::Context(3), field)) return false;
  Reader trailer(field);
  return trailer.TakeUint(number, 1) && number == 1 && trailer.AtEnd() && in.AtEnd();
}

bool ReadAlgorithm(ByteView content, SignatureAlgorithm& algorithm) {
  Reader in(content);
  ByteView oid;
  if (!in.Take(der::kOid, oid)) return false;
  if (Equal(oid, kOidEcdsaSha256) || Equal(oid, kOidEcdsaSha384)) {
    algorithm = Equal(oid, kOidEcdsaSha256) ? SignatureAlgorithm::kEcdsaSha256
                                            : SignatureAlgorithm::kEcdsaSha384;
    return in.AtEnd();
  }
  if (!Equal(oid, kOidRsaPss)) return false;
  ByteView params, whole;
  algorithm = SignatureAlgorithm::kRsaPssSha384;
  return in.Take(der::kSequence, params, &whole) && in.AtEnd() && IsPss384(whole);
}

// Checks the Name's form and takes its last common name.
bool ReadName(ByteView content, std::string& common_name) {
  Reader in(content);
  while (!in.AtEnd()) {
    ByteView set;
    if (!in.Take(der::kSet, set) || set.empty()) return false;
    Reader attributes(set);
    while (!attributes.AtEnd()) {
      ByteView attribute, oid, value;
      uint8_t tag = 0;
      if (!attributes.Take(der::kSequence, attribute)) return false;
      Reader pair(attribute);
      if (!pair.Take(der::kOid, oid) || !pair.TakeAny(tag, value) || !pair.AtEnd()) return false;
      if (Equal(oid, kOidCommonName)) common_name = std::string(AsText(value));
    }
  }
  return true;
}

bool ReadRsaKey(ByteView bits, Certificate& out) {
  Reader outer(bits);
  ByteView content, modulus, exponent;
  if (!outer.Take(der::kSequence, content) || !outer.AtEnd()) return false;
  Reader in(content);
  if (!in.TakeUnsigned(modulus) || !in.TakeUnsigned(exponent) || !in.AtEnd()) return false;
  out.key_kind = KeyKind::kRsa;
  out.key = PublicKey::FromRsa(modulus, exponent);
  return true;
}

bool ReadKey(ByteView content, Certificate& out) {
  Reader in(content);
  ByteView algorithm, oid, curve, bits, null;
  if (!in.Take(der::kSequence, algorithm) || !in.TakeBits(bits) || !in.AtEnd()) return false;
  Reader id(algorithm);
  if (!id.Take(der::kOid, oid)) return false;
  if (Equal(oid, kOidRsa)) {
    return id.Take(der::kNull, null) && null.empty() && id.AtEnd() && ReadRsaKey(bits, out) &&
           static_cast<bool>(out.key);
  }
  if (!Equal(oid, kOidEcPublicKey) || !id.Take(der::kOid, curve) || !id.AtEnd()) return false;
  if (!Equal(curve, kOidP256) && !Equal(curve, kOidP384)) return false;
  if (bits.empty() || bits[0] != 0x04) return false;  // uncompressed
  out.key_kind = Equal(curve, kOidP256) ? KeyKind::kP256 : KeyKind::kP384;
  out.key = PublicKey::FromPoint(out.key_kind, bits.subspan(1));
  return static_cast<bool>(out.key);
}

bool ReadBasicConstraints(ByteView value, Certificate& out) {
  Reader outer(value);
  ByteView content;
  if (!outer.Take(der::kSequence, content) || !outer.AtEnd()) return false;
  Reader in(content);
  out.has_basic_constraints = true;
  if (in.Next(der::kBoolean) && !in.TakeBool(out.ca)) return false;
  if (in.Next(der::kInteger)) {
    uint64_t length = 0;
    if (!out.ca || !in.TakeUint(length, 255)) return false;
    out.path_length = length;
  }
  return in.AtEnd();
}

bool ReadKeyUsage(ByteView value, Certificate& out) {
  Reader in(value);
  ByteView bits;
  if (!in.Take(der::kBitString, bits) || !in.AtEnd()) return false;
  if (bits.size() < 2 || bits.size() > 3 || bits[0] > 7) return false;
  const uint8_t unused = bits[0];
  if ((bits.back() & ((1u << unused) - 1)) != 0) return false;
  out.key_usage = static_cast<uint16_t>(bits[1] << 8 | (bits.size() == 3 ? bits[2] : 0));
  return true;
}

bool ReadExtension(Reader& in, Extension& out) {
  ByteView content;
  if (!in.Take(der::kSequence, content)) return false;
  Reader parts(content);
  if (!parts.Take(der::kOid, out.oid)) return false;
  if (parts.Next(der::kBoolean) && !parts.TakeBool(out.critical)) return false;
  return parts.Take(der::kOctetString, out.value) && parts.AtEnd();
}

// Extensions of a certificate: constraints and usage are read, others kept; unknown critical ones
// refused.
bool ReadExtensions(ByteView content, Certificate& out) {
  Reader outer(content);
  ByteView list;
  if (!outer.Take(der::kSequence, list) || !outer.AtEnd() || list.empty()) return false;
  Reader in(list);
  std::vector<ByteView> seen;
  while (!in.AtEnd()) {
    Extension extension;
    if (!ReadExtension(in, extension) || seen.size() >= 64) return false;
    for (const ByteView oid : seen) {
      if (Equal(oid, extension.oid)) return false;
    }
    seen.push_back(extension.oid);
    if (Equal(extension.oid, kOidBasicConstraints)) {
      if (!ReadBasicConstraints(extension.value, out)) return false;
    } else if (Equal(extension.oid, kOidKeyUsage)) {
      if (!ReadKeyUsage(extension.value, out)) return false;
    } else if (extension.critical) {
      return false;
    } else {
      out.extensions.push_back(extension);
    }
  }
  return true;
}

Result<> ReadTbs(ByteView tbs, ByteView inner_algorithm_expected, Certificate& out) {
  Reader in(tbs);
  ByteView version, algorithm, whole, name, validity, content;
  uint64_t number = 0;
  if (!in.Take(der::Context(0), version)) return Malformed("a certificate's version");
  Reader version_in(version);
  if (!version_in.TakeUint(number, 2) || number != 2 || !version_in.AtEnd()) {
    return Malformed("a certificate's version");
  }
  if (!in.TakeUnsigned(out.serial) || out.serial.size() > 20) {
    return Malformed("a certificate's serial number");
  }
  if (!in.Take(der::kSequence, algorithm, &whole) || !Equal(whole, inner_algorithm_expected)) {
    return Malformed("a certificate's signature algorithm");
  }
  if (!in.Take(der::kSequence, name, &out.issuer) || !ReadName(name, out.issuer_cn)) {
    return Malformed("a certificate's issuer");
  }
  if (!in.Take(der::kSequence, validity)) return Malformed("a certificate's validity");
  Reader dates(validity);
  if (!dates.TakeTime(out.not_before) || !dates.TakeTime(out.not_after) || !dates.AtEnd()) {
    return Malformed("a certificate's validity");
  }
  if (!in.Take(der::kSequence, name, &out.subject) || !ReadName(name, out.subject_cn)) {
    return Malformed("a certificate's subject");
  }
  if (!in.Take(der::kSequence, content, &out.spki) || !ReadKey(content, out)) {
    return Malformed("a certificate's public key");
  }
  if (!in.Take(der::Context(3), content) || !ReadExtensions(content, out) || !in.AtEnd()) {
    return Malformed("a certificate's extensions");
  }
  return {};
}

// SEQUENCE { tbs, algorithm, signature }: what certificates and CRLs share.
bool ReadSigned(ByteView bytes, ByteView& tbs, ByteView& tbs_content, ByteView& algorithm_whole,
                SignatureAlgorithm& algorithm, ByteView& signature) {
  Reader outer(bytes);
  ByteView content, algorithm_content;
  if (!outer.Take(der::kSequence, content) || !outer.AtEnd()) return false;
  Reader in(content);
  return in.Take(der::kSequence, tbs_content, &tbs) &&
         in.Take(der::kSequence, algorithm_content, &algorithm_whole) &&
         ReadAlgorithm(algorithm_content, algorithm) && in.TakeBits(signature) && in.AtEnd();
}

bool VerifySigned(ByteView tbs, SignatureAlgorithm algorithm, ByteView signature,
                  const PublicKey& key) {
  switch (algorithm) {
    case SignatureAlgorithm::kEcdsaSha256:
      return key.kind() == KeyKind::kP256 && key.VerifyDer(crypto::Sha256(tbs), signature);
    case SignatureAlgorithm::kEcdsaSha384:
      return key.kind() == KeyKind::kP384 && key.VerifyDer(crypto::Sha384(tbs), signature);
    case SignatureAlgorithm::kRsaPssSha384:
      return key.VerifyPss384(crypto::Sha384(tbs), signature);
  }
  return false;
}

// Entry extensions may be anything uncritical (a reason code); a critical one (certificateIssuer)
// would make this an indirect CRL.
// CertificateIssuer of an entry (RFC 5280 5.3.3): GeneralNames with one directory name.
bool ReadCertificateIssuer(ByteView value, ByteView& issuer) {
  Reader outer(value);
  ByteView names, explicit_name, name;
  std::string common_name;
  if (!outer.Take(der::kSequence, names) || !outer.AtEnd()) return false;
  Reader in(names);
  if (!in.Take(der::Context(4), explicit_name) || !in.AtEnd()) return false;
  Reader inner(explicit_name);
  return inner.Take(der::kSequence, name, &issuer) && inner.AtEnd() && ReadName(name, common_name);
}

// `issuer` is the CRL's; an entry without an issuer of its own has that of the entry before it.
bool ReadEntries(ByteView list, ByteView issuer, bool& indirect, std::vector<CrlEntry>& out) {
  Reader in(list);
  while (!in.AtEnd()) {
    ByteView content, extensions;
    CrlEntry entry;
    if (!in.Take(der::kSequence, content)) return false;
    Reader parts(content);
    if (!parts.TakeUnsigned(entry.serial) || !parts.TakeTime(entry.revoked_at)) return false;
    if (!parts.AtEnd()) {
      if (!parts.Take(der::kSequence, extensions) || !parts.AtEnd()) return false;
      Reader list_in(extensions);
      while (!list_in.AtEnd()) {
        Extension extension;
        if (!ReadExtension(list_in, extension)) return false;
        if (Equal(extension.oid, kOidCertificateIssuer)) {
          if (!ReadCertificateIssuer(extension.value, issuer)) return false;
          indirect = true;
        } else if (extension.critical) {
          return false;
        }
      }
    }
    entry.issuer = issuer;
    out.push_back(entry);
  }
  return true;
}

// IssuingDistributionPoint (RFC 5280 5.2.5) that says nothing but that the CRL is indirect.
bool SaysIndirect(ByteView value) {
  Reader outer(value);
  ByteView content, flag;
  if (!outer.Take(der::kSequence, content) || !outer.AtEnd()) return false;
  Reader in(content);
  return in.Take(der::ContextPrimitive(4), flag) && in.AtEnd() && flag.size() == 1 &&
         flag[0] == 0xff;
}

bool ReadCrlExtensions(ByteView content, ByteView& number, bool& indirect) {
  Reader outer(content);
  ByteView list;
  if (!outer.Take(der::kSequence, list) || !outer.AtEnd()) return false;
  Reader in(list);
  while (!in.AtEnd()) {
    Extension extension;
    if (!ReadExtension(in, extension)) return false;
    if (Equal(extension.oid, kOidIssuingPoint)) {
      if (!SaysIndirect(extension.value)) return false;  // partial CRLs
      indirect = true;
      continue;
    }
    const bool known =
        Equal(extension.oid, kOidCrlNumber) || Equal(extension.oid, kOidAuthorityKeyId);
    if (extension.critical && !known) return false;  // delta CRLs
    if (Equal(extension.oid, kOidCrlNumber)) {
      Reader value(extension.value);
      if (!value.TakeUnsigned(number) || number.size() > 20 || !value.AtEnd()) return false;
    }
  }
  return true;
}

}  // namespace

const Extension* Certificate::Find(ByteView oid) const {
  for (const Extension& extension : extensions) {
    if (Equal(extension.oid, oid)) return &extension;
  }
  return nullptr;
}

Result<Certificate> ParseCertificate(ByteView bytes) {
  if (bytes.size() > kMaxCertificate) return Malformed("a certificate of more than 16 KiB");
  Certificate out;
  out.der = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
  ByteView content, algorithm;
  if (!ReadSigned(*out.der, out.tbs, content, algorithm, out.algorithm, out.signature)) {
    return Malformed("a certificate");
  }
  TRY(ReadTbs(content, algorithm, out));
  return out;
}

bool SignedBy(const Certificate& child, const PublicKey& issuer_key) {
  return VerifySigned(child.tbs, child.algorithm, child.signature, issuer_key);
}

Result<Crl> ParseCrl(ByteView bytes) {
  if (bytes.size() > kMaxCrl) return Malformed("a CRL of more than 4 MiB");
  Crl out;
  out.der = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
  ByteView content, algorithm, whole, ignored, name, list;
  if (!ReadSigned(*out.der, out.tbs, content, algorithm, out.algorithm, out.signature)) {
    return Malformed("a CRL");
  }
  Reader in(content);
  uint64_t version = 0;
  if (!in.TakeUint(version, 1) || version != 1) return Malformed("a CRL's version");
  if (!in.Take(der::kSequence, ignored, &whole) || !Equal(whole, algorithm)) {
    return Malformed("a CRL's signature algorithm");
  }
  if (!in.Take(der::kSequence, name, &out.issuer) || !ReadName(name, out.issuer_cn)) {
    return Malformed("a CRL's issuer");
  }
  if (!in.TakeTime(out.this_update) || !in.TakeTime(out.next_update)) {
    return Malformed("a CRL's thisUpdate or nextUpdate");
  }
  bool names_issuers = false;
  bool indirect = false;
  if (in.Next(der::kSequence) && (!in.Take(der::kSequence, list) ||
                                  !ReadEntries(list, out.issuer, names_issuers, out.entries))) {
    return Malformed("a CRL's list of revoked certificates");
  }
  if (in.Next(der::Context(0)) &&
      (!in.Take(der::Context(0), list) || !ReadCrlExtensions(list, out.number, indirect))) {
    return Malformed("a CRL's extensions");
  }
  if (!in.AtEnd() || (names_issuers && !indirect)) return Malformed("a CRL");
  return out;
}

bool SignedBy(const Crl& crl, const PublicKey& issuer_key) {
  return VerifySigned(crl.tbs, crl.algorithm, crl.signature, issuer_key);
}

const CrlEntry* Crl::Find(const Certificate& certificate) const {
  for (const CrlEntry& entry : entries) {
    if (Equal(entry.serial, certificate.serial) && Equal(entry.issuer, certificate.issuer)) {
      return &entry;
    }
  }
  return nullptr;
}

}  // namespace cce::attest
