#include "attest/test_platform.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "attest/snp_layout.h"
#include "attest/tdx_layout.h"
#include "crypto/hash.h"

namespace cce::attest::testing {
namespace {

void Must(bool ok) {
  if (!ok) std::abort();
}

struct FreeAll {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_CRL* p) const { X509_CRL_free(p); }
  void operator()(X509_NAME* p) const { X509_NAME_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
  void operator()(ASN1_OBJECT* p) const { ASN1_OBJECT_free(p); }
  void operator()(ASN1_STRING* p) const { ASN1_STRING_free(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
  void operator()(ISSUING_DIST_POINT* p) const { ISSUING_DIST_POINT_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeAll>;

bool IsRsa(const Key& key) { return EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA; }

// The digest context of a signature in the PKI's scheme: PSS with SHA-384 for RSA, else ECDSA.
Owned<EVP_MD_CTX> Signer(const Key& key) {
  Owned<EVP_MD_CTX> out(EVP_MD_CTX_new());
  EVP_PKEY_CTX* context = nullptr;
  const EVP_MD* digest =
      IsRsa(key) || EVP_PKEY_get_bits(key.get()) == 384 ? EVP_sha384() : EVP_sha256();
  Must(EVP_DigestSignInit(out.get(), &context, digest, nullptr, key.get()) == 1);
  if (IsRsa(key)) {
    Must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1);
    Must(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, 48) == 1);
    Must(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha384()) == 1);
  }
  return out;
}

Owned<X509_NAME> Name(const std::string& cn) {
  Owned<X509_NAME> out(X509_NAME_new());
  Must(X509_NAME_add_entry_by_txt(out.get(), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const uint8_t*>(cn.c_str()), -1, -1, 0) == 1);
  return out;
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  Must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void AddRaw(X509* certificate, const std::string& oid, ByteView value, bool critical) {
  const Owned<ASN1_OBJECT> object(OBJ_txt2obj(oid.c_str(), 1));
  const Owned<ASN1_OCTET_STRING> octets(ASN1_OCTET_STRING_new());
  Must(ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size())) == 1);
  const Owned<X509_EXTENSION> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, object.get(), critical ? 1 : 0, octets.get()));
  Must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

template <typename T, typename Encode>
Bytes Der(T* object, Encode encode) {
  uint8_t* out = nullptr;
  const int size = encode(object, &out);
  Must(size > 0);
  Bytes bytes(out, out + size);
  OPENSSL_free(out);
  return bytes;
}

Bytes Tlv(uint8_t tag, ByteView content) {
  Bytes out = {tag};
  if (content.size() < 0x80) {
    out.push_back(static_cast<uint8_t>(content.size()));
  } else {
    out.push_back(0x82);
    AppendU16(out, static_cast<uint16_t>(content.size()));
    if (content.size() < 0x100) {
      out[1] = 0x81;
      out.erase(out.begin() + 2);
    }
  }
  Append(out, content);
  return out;
}

// SEQUENCE { OID 1.2.840.113741.1.13.1.arc..., value }
Bytes SgxPair(std::initializer_list<uint8_t> arc, ByteView value) {
  Bytes oid = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
  oid.insert(oid.end(), arc);
  Bytes content = Tlv(0x06, oid);
  Append(content, value);
  return Tlv(0x30, content);
}

void PutLe(Bytes& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void Copy(Bytes& to, size_t offset, ByteView bytes) {
  std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<ptrdiff_t>(offset));
}

std::string Components(const ByteArray<16>& svns, std::string_view first_type) {
  std::string out = "[";
  for (size_t i = 0; i < svns.size(); ++i) {
    out += std::string(i == 0 ? "" : ",") + "{\"svn\":" + std::to_string(svns[i]);
    if (i == 0) out += ",\"type\":\"" + std::string(first_type) + "\"";
    out += "}";
  }
  return out + "]";
}

std::string Level(const ByteArray<16>& sgx, unsigned pcesvn, const ByteArray<16>& tdx,
                  std::string_view status, std::string_view date, std::string_view advisories) {
  return "{\"tcb\":{\"sgxtcbcomponents\":" + Components(sgx, "Early Microcode Update") +
         ",\"pcesvn\":" + std::to_string(pcesvn) +
         ",\"tdxtcbcomponents\":" + Components(tdx, "TDX Module") + "},\"tcbDate\":\"" +
         std::string(date) + "\",\"tcbStatus\":\"" + std::string(status) + "\",\"advisoryIDs\":[" +
         std::string(advisories) + "]}";
}

}  // namespace

Key NewEcKey(const char* curve) { return Key(EVP_EC_gen(curve), EVP_PKEY_free); }

Key TestRsaKey() {
  static const Key kKey(EVP_RSA_gen(4096), EVP_PKEY_free);
  return kKey;
}

Bytes PublicPoint(const Key& key) {
  uint8_t point[97];
  size_t size = 0;
  Must(EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                       &size) == 1);
  return {point + 1, point + size};
}

Bytes SignRaw(const Key& key, ByteView message) {
  const Owned<EVP_MD_CTX> signer = Signer(key);
  uint8_t der[256];
  size_t size = sizeof(der);
  Must(EVP_DigestSign(signer.get(), der, &size, message.data(), message.size()) == 1);
  const uint8_t* p = der;
  const Owned<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &p, static_cast<long>(size)));
  const int width = EVP_PKEY_get_bits(key.get()) / 8;
  Bytes out(static_cast<size_t>(2 * width));
  Must(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), width) == width &&
       BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + width, width) == width);
  return out;
}

Bytes MakeCertificate(const CertSpec& spec) {
  const Owned<X509> out(X509_new());
  Must(X509_set_version(out.get(), 2) == 1);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), spec.serial);
  ASN1_TIME_set(X509_getm_notBefore(out.get()), spec.not_before);
  ASN1_TIME_set(X509_getm_notAfter(out.get()), spec.not_after);
  Must(X509_set_subject_name(out.get(), Name(spec.cn).get()) == 1 &&
       X509_set_issuer_name(out.get(), Name(spec.issuer_cn).get()) == 1 &&
       X509_set_pubkey(out.get(), spec.key.get()) == 1);
  if (spec.basic_constraints) {
    std::string text = spec.ca ? "critical,CA:TRUE" : "critical,CA:FALSE";
    if (spec.path_length) text += ",pathlen:" + std::to_string(*spec.path_length);
    AddExtension(out.get(), NID_basic_constraints, text);
  }
  if (!spec.usage.empty()) AddExtension(out.get(), NID_key_usage, "critical," + spec.usage);
  for (const auto& [oid, value] : spec.extensions) AddRaw(out.get(), oid, value, false);
  if (spec.critical_unknown) AddRaw(out.get(), "1.2.3.4", Bytes{5, 0}, true);
  Must(X509_sign_ctx(out.get(), Signer(spec.issuer_key).get()) > 0);
  return Der(out.get(), i2d_X509);
}

namespace {

void NameCertificateIssuer(X509_REVOKED* entry, const std::string& cn) {
  const Owned<GENERAL_NAMES> names(GENERAL_NAMES_new());
  GENERAL_NAME* name = GENERAL_NAME_new();
  name->type = GEN_DIRNAME;
  name->d.directoryName = X509_NAME_dup(Name(cn).get());
  Must(sk_GENERAL_NAME_push(names.get(), name) > 0 &&
       X509_REVOKED_add1_ext_i2d(entry, NID_certificate_issuer, names.get(), 1, 0) == 1);
}

void SayIndirect(X509_CRL* crl) {
  const Owned<ISSUING_DIST_POINT> point(ISSUING_DIST_POINT_new());
  point->indirectCRL = 0xff;
  Must(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, point.get(), 1, 0) == 1);
}

}  // namespace

Bytes MakeCrl(const CrlSpec& spec) {
  const Owned<X509_CRL> out(X509_CRL_new());
  Must(X509_CRL_set_version(out.get(), 1) == 1 &&
       X509_CRL_set_issuer_name(out.get(), Name(spec.issuer_cn).get()) == 1);
  const Owned<ASN1_TIME> from(ASN1_TIME_set(nullptr, spec.this_update));
  const Owned<ASN1_TIME> to(ASN1_TIME_set(nullptr, spec.next_update));
  Must(X509_CRL_set1_lastUpdate(out.get(), from.get()) == 1 &&
       X509_CRL_set1_nextUpdate(out.get(), to.get()) == 1);
  for (const uint64_t serial : spec.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    const Owned<ASN1_INTEGER> number(ASN1_INTEGER_new());
    ASN1_INTEGER_set_uint64(number.get(), serial);
    if (!spec.certificate_issuer_cn.empty() && serial == spec.revoked.front()) {
      NameCertificateIssuer(entry, spec.certificate_issuer_cn);
    }
    Must(X509_REVOKED_set_serialNumber(entry, number.get()) == 1 &&
         X509_REVOKED_set_revocationDate(entry, from.get()) == 1 &&
         X509_CRL_add0_revoked(out.get(), entry) == 1);
  }
  if (spec.number) {
    const Owned<ASN1_INTEGER> number(ASN1_INTEGER_new());
    ASN1_INTEGER_set_uint64(number.get(), *spec.number);
    Must(X509_CRL_add1_ext_i2d(out.get(), NID_crl_number, number.get(), 0, 0) == 1);
  }
  if (!spec.certificate_issuer_cn.empty() && spec.says_indirect) SayIndirect(out.get());
  Must(X509_CRL_sign_ctx(out.get(), Signer(spec.key).get()) > 0);
  return Der(out.get(), i2d_X509_CRL);
}

Bytes DerInteger(unsigned value) {
  Bytes content;
  if (value >= 0x80) {
    AppendU16(content, static_cast<uint16_t>(value));
  } else {
    content.push_back(static_cast<uint8_t>(value));
  }
  return Tlv(0x02, content);
}

Bytes DerIa5(std::string_view text) { return Tlv(0x16, AsBytes(text)); }

Bytes SgxExtension(const ByteArray<16>& components, uint16_t pcesvn, const ByteArray<6>& fmspc,
                   const ByteArray<2>& pceid) {
  Bytes tcb;
  for (uint8_t i = 0; i < 16; ++i) {
    Append(tcb, SgxPair({2, static_cast<uint8_t>(i + 1)}, DerInteger(components[i])));
  }
  Append(tcb, SgxPair({2, 17}, DerInteger(pcesvn)));
  Append(tcb, SgxPair({2, 18}, Tlv(0x04, components)));
  Bytes out = SgxPair({1}, Tlv(0x04, Bytes(16, 0x11)));
  Append(out, SgxPair({2}, Tlv(0x30, tcb)));
  Append(out, SgxPair({3}, Tlv(0x04, pceid)));
  Append(out, SgxPair({4}, Tlv(0x04, fmspc)));
  Append(out, SgxPair({5}, Bytes{0x0a, 0x01, 0x01}));
  return Tlv(0x30, out);
}

// -- TDX

TdxPlatform::TdxPlatform()
    : body(tdx::kTd10Size),
      qe_report(tdx::kQeReportSize),
      qe_auth(32, 0x5a),
      qe_vendor(tdx::kIntelQeVendor),
      components{5, 5, 2, 2, 4, 1, 0, 5},
      fmspc{0xb0, 0xc0, 0x6f},
      root_key(NewEcKey("P-256")),
      ca_key(NewEcKey("P-256")),
      pck_key(NewEcKey("P-256")),
      signing_key(NewEcKey("P-256")),
      attestation_key(NewEcKey("P-256")) {
  const ByteArray<16> svn = {6, 1, 5};
  SetBody(tdx::kTeeTcbSvn.offset, svn);
  SetBody(tdx::kTdAttributes.offset, Bytes{0, 0, 0, 0x10});
  SetBody(tdx::kXfam.offset, Bytes{0xe7, 0x02, 0x06});
  for (size_t i = 0; i < 48; ++i) body[tdx::kMrTd.offset + i] = static_cast<uint8_t>(i + 1);
  for (size_t i = 0; i < 64; ++i) body[tdx::kReportData.offset + i] = static_cast<uint8_t>(i);
  Copy(qe_report, tdx::kQeAttributes.offset, Bytes{0x15});
  Copy(qe_report, tdx::kQeMrSigner.offset, Bytes(32, 0x77));
  Copy(qe_report, tdx::kQeIsvProdId.offset, Bytes{2, 0, 6, 0});
  const std::string zeros(96, '0');
  const std::string signer =
      R"("mrsigner":")" + zeros +
      R"(","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF")";
  tcb_info =
      R"({"id":"TDX","version":3,"issueDate":"2026-09-20T00:00:00Z","nextUpdate":"2026-10-20T00:00:00Z",)"
      R"("fmspc":"B0C06F000000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":20,)"
      R"("tdxModule":{)" +
      signer + R"(},"tdxModuleIdentities":[{"id":"TDX_01",)" + signer +
      R"(,"tcbLevels":[{"tcb":{"isvsvn":6},"tcbDate":"2026-05-13T00:00:00Z","tcbStatus":"UpToDate"},)"
      R"({"tcb":{"isvsvn":2},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["T-MODULE"]}]}],)"
      R"("tcbLevels":[)" +
      Level({5, 5, 2, 2, 4, 1, 0, 5}, 13, {6, 1, 5}, "UpToDate", "2026-05-13T00:00:00Z", "") + "," +
      Level({3, 3, 2, 2, 3, 1, 0, 3}, 11, {3, 0, 3}, "OutOfDate", "2024-03-13T00:00:00Z",
            R"("T-PLATFORM")") +
      "]}";
  qe_identity =
      R"({"id":"TD_QE","version":2,"issueDate":"2026-09-20T00:00:00Z","nextUpdate":"2026-10-20T00:00:00Z",)"
      R"("tcbEvaluationDataNumber":19,"miscselect":"00000000","miscselectMask":"FFFFFFFF",)"
      R"("attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000",)"
      R"("mrsigner":")" +
      ToHex(Bytes(32, 0x77)) +
      R"(","isvprodid":2,"tcbLevels":[{"tcb":{"isvsvn":6},"tcbDate":"2026-05-13T00:00:00Z","tcbStatus":"UpToDate"},)"
      R"({"tcb":{"isvsvn":3},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["T-QE"]}]})";
  const std::string ca_usage = "keyCertSign,cRLSign";
  root = {.cn = "Test SGX Root CA",
          .issuer_cn = "Test SGX Root CA",
          .key = root_key,
          .issuer_key = root_key,
          .serial = 1,
          .ca = true,
          .path_length = 1,
          .usage = ca_usage};
  ca = {.cn = "Test SGX PCK Platform CA",
        .issuer_cn = root.cn,
        .key = ca_key,
        .issuer_key = root_key,
        .serial = 2,
        .ca = true,
        .path_length = 0,
        .usage = ca_usage};
  pck = {.cn = "Test SGX PCK Certificate",
         .issuer_cn = ca.cn,
         .key = pck_key,
         .issuer_key = ca_key,
         .serial = 0xabcdef,
         .usage = "digitalSignature,nonRepudiation"};
  signing = {.cn = "Test SGX TCB Signing",
             .issuer_cn = root.cn,
             .key = signing_key,
             .issuer_key = root_key,
             .serial = 4,
             .usage = "digitalSignature,nonRepudiation"};
  root_crl = {.issuer_cn = root.cn, .key = root_key};
  pck_crl = {.issuer_cn = ca.cn, .key = ca_key, .revoked = {0x123456, 7}};
}

void TdxPlatform::SetBody(size_t offset, ByteView bytes) { Copy(body, offset, bytes); }

void TdxPlatform::Replace(std::string& document, std::string_view from, std::string_view to) {
  const size_t at = document.find(from);
  Must(at != std::string::npos);
  document.replace(at, from.size(), to);
}

void TdxPlatform::Build() {
  CertSpec leaf = pck;
  if (leaf.extensions.empty()) {
    leaf.extensions = {{"1.2.840.113741.1.13.1", SgxExtension(components, pcesvn, fmspc, pceid)}};
  }
  root_der = MakeCertificate(root);
  const std::vector<Bytes> chain = {MakeCertificate(leaf), MakeCertificate(ca), root_der};

  Bytes out;
  PutLe(out, version, 2);
  PutLe(out, tdx::kEcdsaP256, 2);
  PutLe(out, tdx::kTeeTypeTdx, 4);
  PutLe(out, 0, 4);
  Append(out, qe_vendor);
  out.resize(tdx::kHeaderSize);
  if (td15) body.resize(tdx::kTd15Size);
  if (version == 5) {
    PutLe(out, td15 ? tdx::kBodyTypeTd15 : tdx::kBodyTypeTd10, 2);
    PutLe(out, body.size(), 4);
  }
  Append(out, body);
  const Bytes attestation = PublicPoint(attestation_key);
  Bytes bound = attestation;
  Append(bound, qe_auth);
  if (bind_attestation_key) Copy(qe_report, tdx::kQeReportData.offset, crypto::Sha256(bound));
  Bytes certification = qe_report;
  Append(certification, SignRaw(pck_key, qe_report));
  PutLe(certification, qe_auth.size(), 2);
  Append(certification, qe_auth);
  const std::string pem = ToPem(chain);
  PutLe(certification, tdx::kCertDataPckChain, 2);
  PutLe(certification, pem.size(), 4);
  Append(certification, AsBytes(pem));
  Bytes signature = SignRaw(attestation_key, out);
  Append(signature, attestation);
  PutLe(signature, tdx::kCertDataQeReport, 2);
  PutLe(signature, certification.size(), 4);
  Append(signature, certification);
  PutLe(out, signature.size(), 4);
  Append(out, signature);
  if (after_quote) after_quote(out);
  quote = std::move(out);

  TdxCollateral& c = collateral.tdx.emplace();
  c.tcb_info = {tcb_info, SignRaw(signing_key, AsBytes(tcb_info))};
  c.qe_identity = {qe_identity, SignRaw(signing_key, AsBytes(qe_identity))};
  c.pck_crl = MakeCrl(pck_crl);
  c.root_crl = MakeCrl(root_crl);
  c.tcb_info_chain = {MakeCertificate(signing), root_der};
  c.qe_identity_chain = c.tcb_info_chain;
  if (after_collateral) after_collateral(c);
}

Policy TdxPlatform::StrictPolicyOfTest() const {
  Policy out = StrictPolicy();
  out.roots = {RootFromDer("test", Tee::kTdx, root_der)};
  return out;
}

Verdict TdxPlatform::Check() const { return Check(StrictPolicyOfTest()); }

Verdict TdxPlatform::Check(const Policy& policy, UnixSeconds time) const {
  return VerifyBytes(quote, collateral, policy, time, ExpectedBinding::WithoutReportData());
}

// -- SNP

SnpPlatform::SnpPlatform()
    : report(snp::kReportSize), spl{0, 4, 0, 24, 219}, hwid(64, 0x42), vek_key(NewEcKey("P-384")) {
  report[snp::kVersion.offset] = 3;
  SetReport(snp::kPolicy.offset, Bytes{0x1f, 0, 3});
  report[snp::kSignatureAlgo.offset] = 1;
  for (size_t i = 0; i < 64; ++i) report[snp::kReportData.offset + i] = static_cast<uint8_t>(i);
  SetReport(snp::kMeasurement.offset, Bytes(48, 0x33));
  SetReport(snp::kReportIdMa.offset, Bytes(32, 0xff));
  crl.key = TestRsaKey();
  Become("Milan");
}

void SnpPlatform::SetReport(size_t offset, ByteView bytes) { Copy(report, offset, bytes); }

void SnpPlatform::Become(const std::string& other_product) {
  product = other_product;
  product_name = product == "Milan" && !vlek ? "Milan-B0" : product;
  const bool turin = product == "Turin";
  hwid = vlek ? Bytes{} : Bytes(turin ? 8 : 64, 0x42);
  SetReport(snp::kCpuid.offset, product == "Milan"   ? Bytes{0x19, 0x01, 0x01}
                                : product == "Genoa" ? Bytes{0x19, 0xa0, 0x02}
                                                     : Bytes{0x1a, 0x02, 0x01});
  SetReport(snp::kChipId.offset, Bytes(64, 0));
  SetReport(snp::kChipId.offset, hwid);
  const Bytes tcb = turin ? Bytes{spl[0], spl[1], spl[2], spl[3], 0, 0, 0, spl[4]}
                          : Bytes{spl[1], spl[2], 0, 0, 0, 0, spl[3], spl[4]};
  for (const size_t at : {snp::kReportedTcb.offset, snp::kCommittedTcb.offset,
                          snp::kCurrentTcb.offset, snp::kLaunchTcb.offset}) {
    SetReport(at, tcb);
  }
  report[snp::kFlags.offset] = static_cast<uint8_t>(vlek ? 1 << snp::kSigningKeyShift : 0);
  ark = {.cn = "ARK-" + product,
         .issuer_cn = "ARK-" + product,
         .key = TestRsaKey(),
         .issuer_key = TestRsaKey(),
         .serial = 0x10000,
         .ca = true,
         .usage = "keyCertSign,cRLSign"};
  ask = {.cn = (vlek ? "SEV-VLEK-" : "SEV-") + product,
         .issuer_cn = ark.cn,
         .key = TestRsaKey(),
         .issuer_key = TestRsaKey(),
         .serial = 0x10001,
         .ca = true,
         .path_length = 0,
         .usage = "keyCertSign"};
  vek = {.cn = vlek ? "SEV-VLEK" : "SEV-VCEK",
         .issuer_cn = ask.cn,
         .key = vek_key,
         .issuer_key = TestRsaKey(),
         .serial = 0,
         .basic_constraints = false};
  crl.issuer_cn = ark.cn;
}

void SnpPlatform::Build() {
  const std::string arc = "1.3.6.1.4.1.3704.1.";
  CertSpec leaf = vek;
  leaf.extensions = {{arc + "1", DerInteger(1)},        {arc + "2", DerIa5(product_name)},
                     {arc + "3.1", DerInteger(spl[1])}, {arc + "3.2", DerInteger(spl[2])},
                     {arc + "3.3", DerInteger(spl[3])}, {arc + "3.8", DerInteger(spl[4])}};
  if (product == "Turin") leaf.extensions.push_back({arc + "3.9", DerInteger(spl[0])});
  if (vlek) {
    leaf.extensions.push_back({arc + "5", DerIa5("CN=cloud.example")});
  } else {
    leaf.extensions.push_back({arc + "4", hwid});
  }
  if (before_vek) before_vek(leaf);
  ark_der = MakeCertificate(ark);
  signed_report = report;
  const Bytes signature = SignRaw(vek_key, ByteView(signed_report).first(snp::kSignedSize));
  std::reverse_copy(signature.begin(), signature.begin() + 48,
                    signed_report.begin() + snp::kSignatureR.offset);
  std::reverse_copy(signature.begin() + 48, signature.end(),
                    signed_report.begin() + snp::kSignatureS.offset);
  if (after_report) after_report(signed_report);
  collateral.snp =
      SnpCollateral{MakeCertificate(leaf), MakeCertificate(ask), ark_der, MakeCrl(crl)};
}

Policy SnpPlatform::StrictPolicyOfTest() const {
  Policy out = StrictPolicy();
  out.roots = {RootFromDer("test", Tee::kSnp, ark_der)};
  return out;
}

Verdict SnpPlatform::Check() const { return Check(StrictPolicyOfTest()); }

Verdict SnpPlatform::Check(const Policy& policy, UnixSeconds time) const {
  return VerifyBytes(signed_report, collateral, policy, time, ExpectedBinding::WithoutReportData());
}

std::string FirstFailure(const Verdict& verdict) {
  if (verdict.accepted) return "accepted";
  return verdict.first_failure ? verdict.first_failure->rule : "refused without a failure";
}

}  // namespace cce::attest::testing
