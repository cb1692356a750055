#include "sim/certificates.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
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
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using PointPtr = std::unique_ptr<ISSUING_DIST_POINT, Deleter<ISSUING_DIST_POINT_free>>;

constexpr char kOrganisation[] = "cce4long simulated chip";
constexpr int kPssSalt = 48;

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

bool AddRawExtension(X509* certificate, const std::string& dotted, const Bytes& value) {
  const ObjectPtr oid(OBJ_txt2obj(dotted.c_str(), 1));
  const OctetsPtr octets(ASN1_OCTET_STRING_new());
  if (!oid || !octets ||
      ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size())) != 1) {
    return false;
  }
  const ExtensionPtr extension(
      X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), /*crit=*/0, octets.get()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool AddUsualExtensions(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const bool ca = spec.ca_path_length.has_value();
  // The subject's key identifier first: a self-signed certificate's authority key identifier is a
  // copy of it.
  return AddExtension(certificate, &context, NID_subject_key_identifier, "hash") &&
         AddExtension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
         (spec.crl_url.empty() || AddExtension(certificate, &context, NID_crl_distribution_points,
                                               "URI:" + spec.crl_url)) &&
         AddExtension(
             certificate, &context, NID_key_usage,
             ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,nonRepudiation") &&
         AddExtension(certificate, &context, NID_basic_constraints,
                      ca ? "critical,CA:TRUE,pathlen:" + std::to_string(*spec.ca_path_length)
                         : "critical,CA:FALSE");
}

bool AddExtensions(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  if (!spec.bare && !AddUsualExtensions(certificate, issuer, spec)) return false;
  for (const auto& [oid, value] : spec.extensions) {
    if (!AddRawExtension(certificate, oid, value)) return false;
  }
  return true;
}

// ecdsa-with-SHA256 under a P-256 key, RSASSA-PSS with SHA-384 throughout under an RSA key.
DigestPtr Signer(EVP_PKEY* key) {
  DigestPtr out(EVP_MD_CTX_new());
  EVP_PKEY_CTX* context = nullptr;
  const bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  if (!out || EVP_DigestSignInit(out.get(), &context, rsa ? EVP_sha384() : EVP_sha256(), nullptr,
                                 key) != 1) {
    return nullptr;
  }
  if (rsa && (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) != 1 ||
              EVP_PKEY_CTX_set_rsa_pss_saltlen(context, kPssSalt) != 1 ||
              EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha384()) != 1)) {
    return nullptr;
  }
  return out;
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

// Names the issuer of an entry's certificate.
bool NameIssuer(X509_REVOKED* entry, X509* certificate) {
  const NamesPtr names(GENERAL_NAMES_new());
  GENERAL_NAME* const name = GENERAL_NAME_new();
  if (!names || name == nullptr || sk_GENERAL_NAME_push(names.get(), name) == 0) {
    GENERAL_NAME_free(name);
    return false;
  }
  name->type = GEN_DIRNAME;
  name->d.directoryName = X509_NAME_dup(X509_get_issuer_name(certificate));
  return name->d.directoryName != nullptr &&
         X509_REVOKED_add1_ext_i2d(entry, NID_certificate_issuer, names.get(), 1, 0) == 1;
}

Result<> AddRevoked(X509_CRL* crl, X509* certificate, bool indirect, UnixSeconds when) {
  RevokedPtr revoked(X509_REVOKED_new());
  const TimePtr date(ASN1_TIME_set(nullptr, when));
  const EnumeratedPtr reason(ASN1_ENUMERATED_new());
  if (!revoked || !date || !reason ||
      X509_REVOKED_set_serialNumber(revoked.get(), X509_get_serialNumber(certificate)) != 1 ||
      X509_REVOKED_set_revocationDate(revoked.get(), date.get()) != 1 ||
      ASN1_ENUMERATED_set(reason.get(), CRL_REASON_KEY_COMPROMISE) != 1 ||
      X509_REVOKED_add1_ext_i2d(revoked.get(), NID_crl_reason, reason.get(), 0, 0) != 1 ||
      (indirect && !NameIssuer(revoked.get(), certificate)) ||
      X509_CRL_add0_revoked(crl, revoked.get()) != 1) {
    return OpenSslFailed("adding an entry to a CRL");
  }
  [[maybe_unused]] X509_REVOKED* const owned_by_the_crl = revoked.release();
  return {};
}

Result<> MarkIndirect(X509_CRL* crl) {
  const PointPtr point(ISSUING_DIST_POINT_new());
  if (!point) return OpenSslFailed("marking a CRL as indirect");
  point->indirectCRL = 0xFF;
  if (X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, point.get(), 1, 0) != 1) {
    return OpenSslFailed("marking a CRL as indirect");
  }
  return {};
}

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
                     SgxMember("2." + std::to_string(i + 1), DerInteger(tcb.sgx[i])));
    Append(members, member);
  }
  ASSIGN_OR_RETURN(const Bytes pcesvn, SgxMember("2.17", DerInteger(tcb.pcesvn)));
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

std::string ToPem(const std::string& label, ByteView der) {
  const std::string text = ToBase64(der);
  std::string out = "-----BEGIN " + label + "-----\n";
  for (size_t i = 0; i < text.size(); i += 64) out += text.substr(i, 64) + "\n";
  return out + "-----END " + label + "-----\n";
}

}  // namespace

Bytes DerInteger(uint16_t value) {
  Bytes content;
  if (value > 0x7FFF) content.push_back(0);
  if (value > 0x7F) content.push_back(static_cast<uint8_t>(value >> 8));
  content.push_back(static_cast<uint8_t>(value));
  return Tlv(V_ASN1_INTEGER, false, content);
}

Bytes DerIa5String(std::string_view text) { return Tlv(V_ASN1_IA5STRING, false, AsBytes(text)); }

Result<Bytes> IssueCertificate(const CertificateSpec& spec, EVP_PKEY* subject, ByteView issuer,
                               EVP_PKEY* issuer_key) {
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
  const DigestPtr signer = Signer(issuer_key);
  if (!signer || X509_set_issuer_name(certificate.get(), X509_get_subject_name(by)) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), spec.not_before) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), spec.not_after) == nullptr ||
      X509_set_pubkey(certificate.get(), subject) != 1 ||
      !AddExtensions(certificate.get(), by, spec) ||
      X509_sign_ctx(certificate.get(), signer.get()) <= 0) {
    return OpenSslFailed("issuing a certificate");
  }
  return ToDer(certificate.get(), i2d_X509, "encoding a certificate");
}

Result<Bytes> IssueCrl(ByteView issuer, EVP_PKEY* issuer_key, std::span<const Bytes> revoked,
                       UnixSeconds this_update, UnixSeconds next_update) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(issuer));
  ASSIGN_OR_RETURN(const CrlPtr crl, NewCrl(parsed.get(), this_update, next_update));
  std::vector<X509Ptr> certificates;
  bool indirect = false;
  for (const Bytes& der : revoked) {
    ASSIGN_OR_RETURN(X509Ptr certificate, ParseCertificate(der));
    indirect |= X509_NAME_cmp(X509_get_issuer_name(certificate.get()),
                              X509_get_subject_name(parsed.get())) != 0;
    certificates.push_back(std::move(certificate));
  }
  if (indirect) TRY(MarkIndirect(crl.get()));
  for (const X509Ptr& certificate : certificates) {
    TRY(AddRevoked(crl.get(), certificate.get(), indirect, this_update));
  }
  const DigestPtr signer = Signer(issuer_key);
  if (!signer || X509_CRL_sort(crl.get()) != 1 || X509_CRL_sign_ctx(crl.get(), signer.get()) <= 0) {
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

std::string CertificateToPem(ByteView certificate) { return ToPem("CERTIFICATE", certificate); }
std::string CrlToPem(ByteView crl) { return ToPem("X509 CRL", crl); }

Result<Bytes> CertificateSpki(ByteView certificate) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(certificate));
  return ToDer(X509_get_X509_PUBKEY(parsed.get()), i2d_X509_PUBKEY, "encoding a public key");
}

Result<> CheckCertificate(ByteView certificate, EVP_PKEY* key, ByteView issuer) {
  ASSIGN_OR_RETURN(const X509Ptr parsed, ParseCertificate(certificate));
  ASSIGN_OR_RETURN(const X509Ptr by, ParseCertificate(issuer));
  const bool good = X509_check_private_key(parsed.get(), key) == 1 &&
                    X509_verify(parsed.get(), X509_get0_pubkey(by.get())) == 1;
  ERR_clear_error();
  if (!good) return Fail("chip.state_invalid", "a certificate does not fit its key or issuer");
  return {};
}

}  // namespace cce::sim
