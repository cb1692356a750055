#include "sim/certificates.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "crypto/hash.h"

namespace cce::sim {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, Deleter<X509_CRL_free>>;
using RevokedPtr = std::unique_ptr<X509_REVOKED, Deleter<X509_REVOKED_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Deleter<ASN1_TIME_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Deleter<ASN1_OBJECT_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, Deleter<ASN1_OCTET_STRING_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, Deleter<ASN1_INTEGER_free>>;
using EnumeratedPtr = std::unique_ptr<ASN1_ENUMERATED, Deleter<ASN1_ENUMERATED_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

constexpr char kOrganisation[] = "cce4long simulated chip";
constexpr char kSgxExtensionOid[] = "1.2.840.113741.1.13.1";

Unexpected OpenSslFailed(std::string_view what) {
  char text[160] = {};
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  ERR_clear_error();
  return Fail(MakeError("crypto.failed", std::string(what)).Found(text));
}

template <typename T, typename Encode>
Result<Bytes> ToDer(T* object, Encode encode, std::string_view what) {
  uint8_t* out = nullptr;
  const int size = encode(object, &out);
  if (size <= 0) return OpenSslFailed(what);
  Bytes bytes(out, out + size);
  OPENSSL_free(out);
  return bytes;
}

Result<X509Ptr> ParseCertificate(ByteView der) {
  const uint8_t* p = der.data();
  X509Ptr certificate(d2i_X509(nullptr, &p, static_cast<long>(der.size())));
  if (!certificate || p != der.data() + der.size()) return OpenSslFailed("reading a certificate");
  return certificate;
}

bool SetName(X509_NAME* name, const std::string& common_name) {
  const auto add = [name](const char* field, const char* value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      reinterpret_cast<const uint8_t*>(value), -1, -1, 0) == 1;
  };
  return add("CN", common_name.c_str()) && add("O", kOrganisation);
}

bool SetSerial(X509* certificate) {
  Bytes serial = crypto::RandomBytes(20);
  serial[0] = (serial[0] & 0x7F) | 0x40;  // positive, always 20 bytes long
  const BignumPtr number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool AddExtension(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool AddSgxExtension(X509* certificate, const Bytes& value) {
  const ObjectPtr oid(OBJ_txt2obj(kSgxExtensionOid, 1));
  const OctetsPtr octets(ASN1_OCTET_STRING_new());
  if (!oid || !octets ||
      ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size())) != 1) {
    return false;
  }
  const ExtensionPtr extension(
      X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), /*crit=*/0, octets.get()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool AddExtensions(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const bool ca = spec.ca_path_length.has_value();
  // The subject's key identifier first: a self-signed certificate's authority key identifier is a
  // copy of it.
  return AddExtension(certificate, &context, NID_subject_key_identifier, "hash") &&
         AddExtension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
         AddExtension(certificate, &context, NID_crl_distribution_points, "URI:" + spec.crl_url) &&
         AddExtension(
             certificate, &context, NID_key_usage,
             ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,nonRepudiation") &&
         AddExtension(certificate, &context, NID_basic_constraints,
                      ca ? "critical,CA:TRUE,pathlen:" + std::to_string(*spec.ca_path_length)
                         : "critical,CA:FALSE") &&
         (spec.sgx_extension.empty() || AddSgxExtension(certificate, spec.sgx_extension));
}

Result<CrlPtr> NewCrl(X509* issuer, UnixSeconds this_update, UnixSeconds next_update) {
  CrlPtr crl(X509_CRL_new());
  const TimePtr from(ASN1_TIME_set(nullptr, this_update));
  const TimePtr to(ASN1_TIME_set(nullptr, next_update));
  const IntegerPtr number(ASN1_INTEGER_new());
  if (!crl || !from || !to || !number || X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer)) != 1 ||
      X509_CRL_set1_lastUpdate(crl.get(), from.get()) != 1 ||
      X509_CRL_set1_nextUpdate(crl.get(), to.get()) != 1 ||
      ASN1_INTEGER_set_int64(number.get(), 1) != 1 ||
      X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, number.get(), 0, 0) != 1) {
    return OpenSslFailed("making a CRL");
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl.get(), 0);
  const ExtensionPtr key(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  if (!key || X509_CRL_add_ext(crl.get(), key.get(), -1) != 1) {
    return OpenSslFailed("naming a CRL's key");
  }
  return crl;
}

Result<> AddRevoked(X509_CRL* crl, ByteView certificate, UnixSeconds when) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(certificate));
  RevokedPtr revoked(X509_REVOKED_new());
  const TimePtr date(ASN1_TIME_set(nullptr, when));
  const EnumeratedPtr reason(ASN1_ENUMERATED_new());
  if (!revoked || !date || !reason ||
      X509_REVOKED_set_serialNumber(revoked.get(), X509_get_serialNumber(parsed.get())) != 1 ||
      X509_REVOKED_set_revocationDate(revoked.get(), date.get()) != 1 ||
      ASN1_ENUMERATED_set(reason.get(), CRL_REASON_KEY_COMPROMISE) != 1 ||
      X509_REVOKED_add1_ext_i2d(revoked.get(), NID_crl_reason, reason.get(), 0, 0) != 1 ||
      X509_CRL_add0_revoked(crl, revoked.get()) != 1) {
    return OpenSslFailed("adding an entry to a CRL");
  }
  (void)revoked.release();  // the CRL owns it now
  return {};
}

// DER values, put together by OpenSSL's own primitives.
Bytes Tlv(int tag, bool constructed, ByteView content) {
  const int size = static_cast<int>(content.size());
  Bytes out(static_cast<size_t>(ASN1_object_size(constructed ? 1 : 0, size, tag)));
  uint8_t* p = out.data();
  ASN1_put_object(&p, constructed ? 1 : 0, size, tag, V_ASN1_UNIVERSAL);
  std::copy(content.begin(), content.end(), p);
  return out;
}

Bytes Sequence(std::initializer_list<Bytes> parts) {
  Bytes content;
  for (const Bytes& part : parts) Append(content, part);
  return Tlv(V_ASN1_SEQUENCE, true, content);
}

Bytes Octets(ByteView bytes) { return Tlv(V_ASN1_OCTET_STRING, false, bytes); }

Bytes Integer(uint16_t value) {
  Bytes content;
  if (value > 0x7FFF) content.push_back(0);
  if (value > 0x7F) content.push_back(static_cast<uint8_t>(value >> 8));
  content.push_back(static_cast<uint8_t>(value));
  return Tlv(V_ASN1_INTEGER, false, content);
}

// SEQUENCE { OID 1.2.840.113741.1.13.1.<suffix>, value }
Result<Bytes> SgxMember(const std::string& suffix, Bytes value) {
  const ObjectPtr oid(OBJ_txt2obj((std::string(kSgxExtensionOid) + "." + suffix).c_str(), 1));
  if (!oid) return OpenSslFailed("an object identifier");
  ASSIGN_OR_RETURN(Bytes name, ToDer(oid.get(), i2d_ASN1_OBJECT, "an object identifier"));
  return Sequence({std::move(name), std::move(value)});
}

Result<Bytes> TcbMembers(const PlatformTcb& tcb) {
  Bytes members;
  for (size_t i = 0; i < tcb.sgx.size(); ++i) {
    ASSIGN_OR_RETURN(const Bytes member,
                     SgxMember("2." + std::to_string(i + 1), Integer(tcb.sgx[i])));
    Append(members, member);
  }
  ASSIGN_OR_RETURN(const Bytes pcesvn, SgxMember("2.17", Integer(tcb.pcesvn)));
  Append(members, pcesvn);
  ASSIGN_OR_RETURN(const Bytes cpusvn, SgxMember("2.18", Octets(tcb.sgx)));
  Append(members, cpusvn);
  return Tlv(V_ASN1_SEQUENCE, true, members);
}

Result<Bytes> ConfigurationMembers() {
  const uint8_t yes[] = {0xFF};
  Bytes members;
  for (const char* suffix : {"7.1", "7.2", "7.3"}) {  // dynamic platform, cached keys, SMT enabled
    ASSIGN_OR_RETURN(const Bytes member, SgxMember(suffix, Tlv(V_ASN1_BOOLEAN, false, yes)));
    Append(members, member);
  }
  return Tlv(V_ASN1_SEQUENCE, true, members);
}

}  // namespace

Result<Bytes> IssueCertificate(const CertificateSpec& spec, const crypto::P256PrivateKey& subject,
                               ByteView issuer, const crypto::P256PrivateKey& issuer_key) {
  X509Ptr certificate(X509_new());
  X509Ptr parsed_issuer;
  if (!issuer.empty()) {
    ASSIGN_OR_RETURN(parsed_issuer, ParseCertificate(issuer));
  }
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !SetSerial(certificate.get()) ||
      !SetName(X509_get_subject_name(certificate.get()), spec.common_name)) {
    return OpenSslFailed("making a certificate");
  }
  X509* const by = parsed_issuer ? parsed_issuer.get() : certificate.get();
  if (X509_set_issuer_name(certificate.get(), X509_get_subject_name(by)) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), spec.not_before) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), spec.not_after) == nullptr ||
      X509_set_pubkey(certificate.get(), subject.evp()) != 1 ||
      !AddExtensions(certificate.get(), by, spec) ||
      X509_sign(certificate.get(), issuer_key.evp(), EVP_sha256()) == 0) {
    return OpenSslFailed("issuing a certificate");
  }
  return ToDer(certificate.get(), i2d_X509, "encoding a certificate");
}

Result<Bytes> IssueCrl(ByteView issuer, const crypto::P256PrivateKey& issuer_key,
                       std::span<const Bytes> revoked, UnixSeconds this_update,
                       UnixSeconds next_update) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(issuer));
  ASSIGN_OR_RETURN(const CrlPtr crl, NewCrl(parsed.get(), this_update, next_update));
  for (const Bytes& certificate : revoked) {
    TRY(AddRevoked(crl.get(), certificate, this_update));
  }
  if (X509_CRL_sort(crl.get()) != 1 ||
      X509_CRL_sign(crl.get(), issuer_key.evp(), EVP_sha256()) == 0) {
    return OpenSslFailed("signing a CRL");
  }
  return ToDer(crl.get(), i2d_X509_CRL, "encoding a CRL");
}

Result<Bytes> SgxExtension(const PlatformTcb& tcb, const ByteArray<16>& ppid) {
  ASSIGN_OR_RETURN(Bytes tcb_members, TcbMembers(tcb));
  ASSIGN_OR_RETURN(Bytes configuration_members, ConfigurationMembers());
  const uint8_t scalable[] = {1};  // SGX type: scalable, as on every TDX platform
  ASSIGN_OR_RETURN(Bytes ppid_member, SgxMember("1", Octets(ppid)));
  ASSIGN_OR_RETURN(Bytes tcb_member, SgxMember("2", std::move(tcb_members)));
  ASSIGN_OR_RETURN(Bytes pceid, SgxMember("3", Octets(kPceId)));
  ASSIGN_OR_RETURN(Bytes fmspc, SgxMember("4", Octets(kFmspc)));
  ASSIGN_OR_RETURN(Bytes type, SgxMember("5", Tlv(V_ASN1_ENUMERATED, false, scalable)));
  ASSIGN_OR_RETURN(Bytes instance, SgxMember("6", Octets(ppid)));
  ASSIGN_OR_RETURN(Bytes configuration, SgxMember("7", std::move(configuration_members)));
  return Sequence({ppid_member, tcb_member, pceid, fmspc, type, instance, configuration});
}

std::string CertificateToPem(ByteView certificate) {
  const std::string text = ToBase64(certificate);
  std::string out = "-----BEGIN CERTIFICATE-----\n";
  for (size_t i = 0; i < text.size(); i += 64) out += text.substr(i, 64) + "\n";
  return out + "-----END CERTIFICATE-----\n";
}

Result<Bytes> CertificateSpki(ByteView certificate) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(certificate));
  return ToDer(X509_get_X509_PUBKEY(parsed.get()), i2d_X509_PUBKEY, "encoding a public key");
}

Result<> CheckCertificate(ByteView certificate, const crypto::P256PrivateKey& key,
                          ByteView issuer) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(certificate));
  ASSIGN_OR_RETURN(const X509Ptr by, ParseCertificate(issuer));
  const bool good = X509_check_private_key(parsed.get(), key.evp()) == 1 &&
                    X509_verify(parsed.get(), X509_get0_pubkey(by.get())) == 1;
  ERR_clear_error();
  if (!good) return Fail("chip.state_invalid", "a certificate does not fit its key or issuer");
  return {};
}

}  // namespace cce::sim
