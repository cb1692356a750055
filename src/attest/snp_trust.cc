#include "attest/snp_trust.h"

#include "attest/checks.h"
#include "attest/snp_layout.h"

namespace cce::attest {
namespace {

class Builder {
 public:
  Builder(const SnpCollateral& collateral, bool require_crl, const std::vector<TrustedRoot>& roots,
          UnixSeconds time)
      : collateral_(collateral), require_crl_(require_crl), roots_(roots), time_(time) {}

  SnpTrust Build() && {
    if (Present() && Parse() && Root()) {
      const bool chain = Chain();
      out_.ok = RevocationList() && chain && checks_.ok();
    }
    checks_.NotReached({Rule::kSnpForm, Rule::kSnpRoot, Rule::kSnpNames, Rule::kSnpConstraints,
                        Rule::kSnpSignatures, Rule::kSnpValidity, Rule::kVekExtension,
                        Rule::kSnpCrlPresent, Rule::kSnpCrlForm, Rule::kSnpCrlIssuer,
                        Rule::kSnpCrlSignature, Rule::kSnpCrlFresh, Rule::kAskNotRevoked,
                        Rule::kVekNotRevoked});
    out_.group = std::move(checks_).Finish();
    return std::move(out_);
  }

  // One document: the chain, the CRL or a VEK, as the collateral holds it.
  TrustedDocument BuildDocument(DocumentKind kind) && {
    TrustedDocument out;
    vek_wanted_ = kind == DocumentKind::kVek;
    const bool parsed = kind == DocumentKind::kSnpCrl ? ParseArk() : Present() && Parse();
    if (parsed && Root()) {
      out.ok = (kind == DocumentKind::kSnpCrl ? ArkItself() : Chain()) && CrlOf(kind);
      Describe(kind, out.facts);
    }
    out.ok = out.ok && checks_.ok();
    out.Conclude(out_, std::move(checks_).Finish());
    return out;
  }

 private:
  bool Present() {
    std::string absent;
    if (vek_wanted_ && collateral_.vek.empty()) absent = "no VEK certificate";
    if (collateral_.ask.empty() || collateral_.ark.empty()) {
      absent += absent.empty() ? "no ASK or ARK" : ", no ASK or ARK";
    }
    return checks_.That(absent.empty(), Rule::kSnpPresent, "VEK, ASK or ASVK, ARK",
                        absent.empty() ? "given" : absent);
  }

  Result<> ParseAll() {
    if (vek_wanted_) {
      ASSIGN_OR_RETURN(vek_, ParseCertificate(collateral_.vek));
    }
    ASSIGN_OR_RETURN(ask_, ParseCertificate(collateral_.ask));
    ASSIGN_OR_RETURN(ark_, ParseCertificate(collateral_.ark));
    return {};
  }

  bool Parse() {
    const Result<> parsed = ParseAll();
    return checks_.That(parsed.has_value(), Rule::kSnpForm, "three certificates in DER",
                        parsed ? vek_.subject_cn : parsed.error().message);
  }

  bool Root() {
    const TrustedRoot* root = FindTrustedRoot(roots_, Tee::kSnp, ark_);
    if (root == nullptr || !RootSpeaksForItself(*root, ark_)) {
      return checks_.Fail(Rule::kSnpRoot, RootNames(roots_, Tee::kSnp),
                          "'" + ark_.subject_cn + "', SHA-256 " + ToHex(ark_.Fingerprint()));
    }
    out_.root = root->name;
    out_.development = !root->vendor;
    root_product_ = root->product;
    return checks_.Pass(Rule::kSnpRoot, root->name, ToHex(ark_.Fingerprint()));
  }

  bool Chain() {
    bool ok = Names();
    std::string problem;
    if (vek_wanted_) problem = RoleProblem(vek_, {false, 0, KeyKind::kP384, 0});
    if (problem.empty()) problem = RoleProblem(ask_, {true, kUsageCertSign, KeyKind::kRsa, 0});
    if (problem.empty()) {
      problem = RoleProblem(ark_, {true, kUsageCertSign | kUsageCrlSign, KeyKind::kRsa, 1});
    }
    ok &= checks_.That(problem.empty(), Rule::kSnpConstraints,
                       "one P-384 leaf under two RSA-4096 CAs", problem.empty() ? "so" : problem);
    const bool vek_signed = !vek_wanted_ || SignedBy(vek_, ask_.key);
    ok &= checks_.That(vek_signed && SignedBy(ask_, ark_.key), Rule::kSnpSignatures,
                       "signatures by " + ask_.subject_cn + " and " + ark_.subject_cn,
                       vek_.issuer_cn + "; " + ask_.issuer_cn);
    Window window;
    for (const Certificate* c : {&vek_, &ask_, &ark_}) {
      if (c->der != nullptr) window.Narrow(c->not_before, c->not_after);
    }
    ok &= InForce(Rule::kSnpValidity, window.from, window.until);
    if (!vek_wanted_) return ok;
    Result<VekExtension> extension = ReadVekExtension(vek_);
    if (extension) out_.vek = std::move(*extension);
    ok &= checks_.That(extension.has_value(), Rule::kVekExtension, "AMD's extensions",
                       extension ? out_.vek.product_name : extension.error().message);
    out_.vek_key = vek_.key;
    return ok;
  }

  bool IsVlek() const {
    return vek_wanted_ ? vek_.subject_cn == snp::kVlekCn : ask_.subject_cn.starts_with("SEV-VLEK-");
  }

  // VCEK < SEV-<Product> < ARK-<Product>; VLEK < SEV-VLEK-<Product> < ARK-<Product>.
  bool Names() {
    const bool vlek = IsVlek();
    const SnpProduct product = ProductFromName(ark_.subject_cn);
    const std::string name(ProductName(product));
    const std::string ask_name = (vlek ? "SEV-VLEK-" : "SEV-") + name;
    const bool named = (vlek || !vek_wanted_ || vek_.subject_cn == snp::kVcekCn) &&
                       product != SnpProduct::kUnknown && ask_.subject_cn == ask_name &&
                       ark_.subject_cn == "ARK-" + name &&
                       (root_product_ == SnpProduct::kUnknown || root_product_ == product);
    const bool chained = (!vek_wanted_ || Equal(vek_.issuer, ask_.subject)) &&
                         Equal(ask_.issuer, ark_.subject) && Equal(ark_.issuer, ark_.subject);
    return checks_.That(named && chained, Rule::kSnpNames,
                        (vlek ? "SEV-VLEK < " : "SEV-VCEK < ") + ask_name + " < ARK-" + name,
                        vek_.subject_cn + " (by " + vek_.issuer_cn + ") < " + ask_.subject_cn +
                            " (by " + ask_.issuer_cn + ") < " + ark_.subject_cn);
  }

  bool RevocationList() {
    if (collateral_.crl.empty()) {
      return checks_.That(!require_crl_, Rule::kSnpCrlPresent,
                          require_crl_ ? "a CRL" : "a CRL, or none", "none");
    }
    checks_.Pass(Rule::kSnpCrlPresent, "a CRL", "given");
    const Result<Crl> crl = ParseCrl(collateral_.crl);
    if (!crl) return checks_.Fail(Rule::kSnpCrlForm, "a CRL in DER", crl.error().message);
    checks_.Pass(Rule::kSnpCrlForm);
    if (!checks_.That(Equal(crl->issuer, ark_.subject), Rule::kSnpCrlIssuer, ark_.subject_cn,
                      crl->issuer_cn)) {
      return false;
    }
    if (!checks_.That(SignedBy(*crl, ark_.key), Rule::kSnpCrlSignature,
                      "a signature by " + ark_.subject_cn, "of " + crl->issuer_cn)) {
      return false;
    }
    const bool fresh = InForce(Rule::kSnpCrlFresh, crl->this_update, crl->next_update);
    crl_ = *crl;
    return NotRevoked(*crl) && fresh;
  }

  // By issuer and serial: the ARK's CRL may list its own intermediates and, where it says whose
  // they are, endorsement keys. These all have serial 0 in the field: comparing serials alone would
  // revoke all of them or none.
  bool NotRevoked(const Crl& crl) {
    const bool ask = ask_.der == nullptr || NotListed(crl, ask_, Rule::kAskNotRevoked);
    const bool vek = vek_.der == nullptr || NotListed(crl, vek_, Rule::kVekNotRevoked);
    return ask && vek;
  }

  bool NotListed(const Crl& crl, const Certificate& certificate, Rule rule) {
    const CrlEntry* entry = crl.Find(certificate);
    const std::string name = certificate.subject_cn + ", serial " + ToHex(certificate.serial);
    return checks_.That(
        entry == nullptr, rule, "not revoked",
        entry == nullptr ? name : name + ", revoked " + FormatTime(entry->revoked_at));
  }

  // -- A document by itself
  bool ParseArk() {
    Result<Certificate> ark = ParseCertificate(collateral_.ark);
    const bool good = checks_.That(ark.has_value(), Rule::kSnpForm, "the ARK's certificate in DER",
                                   ark ? ark->subject_cn : ark.error().message);
    if (ark) ark_ = std::move(*ark);
    return good;
  }

  bool ArkItself() {
    std::string problem =
        RoleProblem(ark_, {true, kUsageCertSign | kUsageCrlSign, KeyKind::kRsa, 1});
    const SnpProduct product = ProductFromName(ark_.subject_cn);
    if (product == SnpProduct::kUnknown || !ark_.subject_cn.starts_with("ARK-") ||
        (root_product_ != SnpProduct::kUnknown && root_product_ != product)) {
      problem = ark_.subject_cn + " is not the product's ARK by its name";
    }
    const bool role = checks_.That(problem.empty(), Rule::kSnpConstraints, "an ARK, RSA-4096",
                                   problem.empty() ? "so" : problem);
    return InForce(Rule::kSnpValidity, ark_.not_before, ark_.not_after) && role;
  }

  // The CRL was verified when it was taken; it says here whether ASK and VEK still hold, even where
  // its own successor is late.
  bool CrlOf(DocumentKind kind) {
    if (kind == DocumentKind::kSnpCrl) return RevocationList();
    const Result<Crl> crl = ParseCrl(collateral_.crl);
    if (!crl || !Equal(crl->issuer, ark_.subject) || !SignedBy(*crl, ark_.key)) return true;
    return NotRevoked(*crl);
  }

  void Describe(DocumentKind kind, DocumentFacts& facts) const {
    facts.subject = ProductName(ProductFromName(ark_.subject_cn));
    if (kind == DocumentKind::kSnpCrl) {
      facts.issued = crl_.this_update;
      facts.next_update = crl_.next_update;
      facts.crl_number = ToBytes(crl_.number);
    } else if (kind == DocumentKind::kSnpChain) {
      facts.subject += IsVlek() ? "/vlek" : "/vcek";
      facts.issued = ask_.not_before;
    } else {
      facts.subject = VekSubject(out_.vek.product, out_.vek.tcb, ToHex(out_.vek.hwid));
      facts.issued = vek_.not_before;
    }
  }

  bool InForce(Rule rule, UnixSeconds from, UnixSeconds until) {
    out_.window.Narrow(from, until);
    const bool ok = from <= time_ && time_ <= until;
    return checks_.That(ok, rule, WindowText(from, until), ok ? "in force" : FormatTime(time_));
  }

  const SnpCollateral& collateral_;
  bool require_crl_;
  const std::vector<TrustedRoot>& roots_;
  UnixSeconds time_;
  Checks checks_{Rule::kSnpCollateral};
  SnpTrust out_;
  bool vek_wanted_ = true;
  Certificate vek_, ask_, ark_;
  Crl crl_;
  SnpProduct root_product_ = SnpProduct::kUnknown;
};

}  // namespace

SnpTrust EstablishSnpTrust(const SnpCollateral& collateral, bool require_crl,
                           const std::vector<TrustedRoot>& roots, UnixSeconds time) {
  return Builder(collateral, require_crl, roots, time).Build();
}

TrustedDocument EstablishSnpDocument(const CollateralDocument& document,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time,
                                     ByteView ark_crl) {
  SnpCollateral holder;
  for (const Bytes& der : document.chain) {
    const Result<Certificate> certificate = ParseCertificate(der);
    const bool self = certificate && Equal(certificate->issuer, certificate->subject);
    (self ? holder.ark : holder.ask) = der;
  }
  holder.crl = document.kind == DocumentKind::kSnpCrl ? document.body : ToBytes(ark_crl);
  if (document.kind == DocumentKind::kVek) holder.vek = document.body;
  return Builder(holder, true, roots, time).BuildDocument(document.kind);
}

SnpCollateral CompleteSnp(const std::optional<SnpCollateral>& collateral,
                          const SnpCertificates& certificates) {
  SnpCollateral out = collateral.value_or(SnpCollateral{});
  if (out.vek.empty()) out.vek = certificates.vek;
  if (out.ask.empty()) out.ask = certificates.ask;
  if (out.ark.empty()) out.ark = certificates.ark;
  if (out.crl.empty()) out.crl = certificates.crl;
  return out;
}

}  // namespace cce::attest
