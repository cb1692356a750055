// Collateral from a heap of files, sorted by content.
#include "attest/collateral.h"
#include "attest/snp_layout.h"
#include "attest/tcb_documents.h"
#include "attest/tdx_layout.h"
#include "attest/x509.h"

namespace cce::attest {
namespace {

Unexpected Malformed(std::string what) { return Fail("collateral.malformed", std::move(what)); }

// One thing of a kind, and the file that it came from.
template <typename T>
struct Slot {
  T value{};
  std::string from;
  Result<> Set(T next, const std::string& name, std::string_view kind) {
    if (!from.empty() && !Same(value, next)) {
      return Malformed("two different files are a " + std::string(kind) + ": " + from + " and " +
                       name);
    }
    value = std::move(next);
    from = name;
    return {};
  }
  static bool Same(const Bytes& a, const Bytes& b) { return a == b; }
  static bool Same(const SignedDocument& a, const SignedDocument& b) {
    return a.body == b.body && a.signature == b.signature;
  }
  bool empty() const { return from.empty(); }
};

bool Contains(const std::string& text, std::string_view phrase) {
  return text.find(phrase) != std::string::npos;
}

class Assembler {
 public:
  Result<> Add(const NamedBytes& file) {
    const std::string_view text = AsText(file.bytes);
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    if (text[first] == '{') return AddJson(file.name, text);
    if (text.substr(first).starts_with("-----BEGIN CERTIFICATE")) {
      ASSIGN_OR_RETURN(const std::vector<Bytes> chain, ParsePemChain(text));
      for (const Bytes& der : chain) TRY(AddCertificate(file.name, der));
      return {};
    }
    if (text.substr(first).starts_with("-----BEGIN X509 CRL")) {
      ASSIGN_OR_RETURN(const Bytes der, ReadCrl(file.bytes));
      return AddCrl(file.name, der);
    }
    return AddDer(file);
  }

  Result<Collateral> Finish() && {
    Collateral out = std::move(bundle_);
    const bool tdx = !tcb_info_.empty() || !qe_identity_.empty() || !pck_crl_.empty();
    const bool snp = !vek_.empty() || !ask_.empty() || !ark_.empty() || !snp_crl_.empty();
    if (tdx) {
      if (tcb_info_.empty()) return Malformed("no file is a TCB info");
      if (qe_identity_.empty()) return Malformed("no file is a QE identity");
      if (signing_.empty()) return Malformed("no file holds the TCB signing certificate");
      TdxCollateral& c = out.tdx.emplace();
      c.tcb_info = tcb_info_.value;
      c.qe_identity = qe_identity_.value;
      c.pck_crl = pck_crl_.value;
      c.root_crl = root_crl_.value;
      c.tcb_info_chain = {signing_.value};
      if (!root_.empty()) c.tcb_info_chain.push_back(root_.value);
      c.qe_identity_chain = c.tcb_info_chain;
      if (!pck_ca_.empty() && !root_.empty()) c.pck_crl_chain = {pck_ca_.value, root_.value};
      if (!pck_.empty() && !pck_ca_.empty() && !root_.empty()) {
        c.pck_chain = {pck_.value, pck_ca_.value, root_.value};
      }
    }
    if (snp) out.snp = SnpCollateral{vek_.value, ask_.value, ark_.value, snp_crl_.value};
    if (!out.tdx && !out.snp) return Malformed("no file is collateral");
    return out;
  }

 private:
  Result<> AddJson(const std::string& name, std::string_view text) {
    if (const auto info = SplitTcbInfo(text)) {
      return tcb_info_.Set(*info, name, "TCB info");
    }
    if (const auto qe = SplitQeIdentity(text)) {
      return qe_identity_.Set(*qe, name, "QE identity");
    }
    Result<Collateral> bundle = ParseBundle(text);
    if (!bundle) {
      return Malformed(name + " is neither a PCS response nor a bundle: " + bundle.error().message);
    }
    if (bundle_.tdx || bundle_.snp) return Malformed(name + " is a second bundle");
    bundle_ = std::move(*bundle);
    return {};
  }

  Result<> AddDer(const NamedBytes& file) {
    ASSIGN_OR_RETURN(const Bytes der, ReadCertificate(file.bytes));
    if (const Result<Certificate> certificate = ParseCertificate(der)) {
      return AddCertificate(file.name, der);
    }
    if (const Result<Crl> crl = ParseCrl(der)) return AddCrl(file.name, der);
    return Malformed(file.name + " is neither a certificate nor a CRL");
  }

  Result<> AddCertificate(const std::string& name, const Bytes& der) {
    ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate(der));
    const std::string& cn = certificate.subject_cn;
    if (Contains(cn, tdx::kTcbSigningCn)) return signing_.Set(der, name, "TCB signing certificate");
    if (Contains(cn, tdx::kRootCn)) return root_.Set(der, name, "TDX root certificate");
    if (Contains(cn, tdx::kPlatformCaCn) || Contains(cn, tdx::kProcessorCaCn)) {
      return pck_ca_.Set(der, name, "PCK CA certificate");
    }
    if (Contains(cn, tdx::kPckCn)) return pck_.Set(der, name, "PCK certificate");
    if (cn == snp::kVcekCn || cn == snp::kVlekCn) return vek_.Set(der, name, "VEK");
    if (cn.starts_with("SEV-")) return ask_.Set(der, name, "ASK or ASVK");
    if (cn.starts_with("ARK-")) return ark_.Set(der, name, "ARK");
    return Malformed(name + " holds a certificate of no known kind: '" + cn + "'");
  }

  Result<> AddCrl(const std::string& name, const Bytes& der) {
    ASSIGN_OR_RETURN(const Crl crl, ParseCrl(der));
    if (Contains(crl.issuer_cn, tdx::kRootCn)) return root_crl_.Set(der, name, "root CA CRL");
    if (Contains(crl.issuer_cn, tdx::kPlatformCaCn) ||
        Contains(crl.issuer_cn, tdx::kProcessorCaCn)) {
      return pck_crl_.Set(der, name, "PCK CRL");
    }
    if (crl.issuer_cn.starts_with("ARK-")) return snp_crl_.Set(der, name, "SNP CRL");
    return Malformed(name + " is a CRL of no known issuer: '" + crl.issuer_cn + "'");
  }

  Collateral bundle_;
  Slot<SignedDocument> tcb_info_, qe_identity_;
  Slot<Bytes> pck_crl_, root_crl_, signing_, root_, pck_ca_, pck_, vek_, ask_, ark_, snp_crl_;
};

}  // namespace

Result<Collateral> AssembleCollateral(const std::vector<NamedBytes>& files) {
  Assembler assembler;
  for (const NamedBytes& file : files) TRY(assembler.Add(file));
  return std::move(assembler).Finish();
}

}  // namespace cce::attest
