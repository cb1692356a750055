#include "attest/tdx_trust.h"

#include "attest/checks.h"
#include "attest/tdx_layout.h"

namespace cce::attest {
namespace {

constexpr uint16_t kCaUsage = kUsageCertSign | kUsageCrlSign;

class Builder {
 public:
  Builder(ByteView pem, const TdxCollateral& collateral, const std::vector<TrustedRoot>& roots,
          UnixSeconds time)
      : pem_(AsText(pem)), collateral_(collateral), roots_(roots), time_(time) {}

  TdxTrust Build() && {
    if (PckChain()) {
      const bool root_crl = RootCrl();
      const bool pck_crl = PckCrl();
      const bool documents = Documents();
      out_.ok = root_crl && pck_crl && documents && checks_.ok();
    }
    checks_.NotReached({Rule::kPckRoot,           Rule::kPckNames,
                        Rule::kPckConstraints,    Rule::kPckSignatures,
                        Rule::kPckValidity,       Rule::kPckExtension,
                        Rule::kRootCrlForm,       Rule::kRootCrlIssuer,
                        Rule::kRootCrlSignature,  Rule::kRootCrlFresh,
                        Rule::kPckCaNotRevoked,   Rule::kPckCrlForm,
                        Rule::kPckCrlIssuer,      Rule::kPckCrlSignature,
                        Rule::kPckCrlFresh,       Rule::kPckNotRevoked,
                        Rule::kSigningForm,       Rule::kSigningRoot,
                        Rule::kSigningNames,      Rule::kSigningConstraints,
                        Rule::kSigningSignature,  Rule::kSigningValidity,
                        Rule::kSigningNotRevoked, Rule::kTcbInfoForm,
                        Rule::kTcbInfoSignature,  Rule::kTcbInfoFresh,
                        Rule::kQeIdentityForm,    Rule::kQeIdentitySignature,
                        Rule::kQeIdentityFresh});
    out_.group = std::move(checks_).Finish();
    return std::move(out_);
  }

  // The PCK chain alone.
  Check BuildPckChain() && {
    PckChain();
    return std::move(checks_).Finish();
  }

  // One document under the issuer chain that came with it; the collateral holds nothing else but,
  // where known, the root's CRL.
  TrustedDocument BuildDocument(const CollateralDocument& document) && {
    TrustedDocument out;
    if (IssuerChain(document)) {
      if (document.kind != DocumentKind::kRootCrl) AdoptRootCrl();
      out.ok = DocumentItself(document, out.facts) && checks_.ok();
    }
    out.Conclude(out_, std::move(checks_).Finish());
    return out;
  }

 private:
  // -- PCK chain: leaf <- PCK CA <- root. All its checks are made once it parses.
  Result<> ParsePckChain() {
    std::vector<Bytes> chain = collateral_.pck_chain;
    // A quote made without a PEM chain (old samples) needs one beside it; which of them it is does
    // not matter, since only the PCK's signature over the QE report counts.
    if (chain.empty() || pem_.find("-----BEGIN") != std::string_view::npos) {
      ASSIGN_OR_RETURN(chain, ParsePemChain(pem_));
    }
    if (chain.size() < 2 || chain.size() > 3) {
      return Fail("collateral.malformed",
                  "the chain has " + std::to_string(chain.size()) + " certificates, not 3");
    }
    ASSIGN_OR_RETURN(leaf_, ParseCertificate(chain[0]));
    ASSIGN_OR_RETURN(ca_, ParseCertificate(chain[1]));
    if (chain.size() == 3) {
      ASSIGN_OR_RETURN(root_, ParseCertificate(chain[2]));
      return {};
    }
    return RootFromCollateral();
  }

  // A quote may leave the root out: the collateral's copy serves, since only its digest decides.
  Result<> RootFromCollateral() {
    for (const Bytes& der : collateral_.tcb_info_chain) {
      ASSIGN_OR_RETURN(Certificate certificate, ParseCertificate(der));
      if (Equal(certificate.subject, ca_.issuer)) {
        root_ = std::move(certificate);
        return {};
      }
    }
    return Fail("collateral.malformed", "the root certificate is neither in quote nor collateral");
  }

  bool PckChain() {
    if (const Result<> parsed = ParsePckChain(); !parsed) {
      return checks_.Fail(Rule::kPckForm, "PCK leaf, PCK CA, root", parsed.error().message);
    }
    checks_.Pass(Rule::kPckForm, "PCK leaf, PCK CA, root", leaf_.issuer_cn);
    const TrustedRoot* root = FindTrustedRoot(roots_, Tee::kTdx, root_);
    if (root == nullptr || !RootSpeaksForItself(*root, root_)) {
      return checks_.Fail(Rule::kPckRoot, RootNames(roots_, Tee::kTdx),
                          "'" + root_.subject_cn + "', SHA-256 " + ToHex(root_.Fingerprint()));
    }
    out_.root = root->name;
    out_.development = !root->vendor;
    checks_.Pass(Rule::kPckRoot, root->name, ToHex(root_.Fingerprint()));
    bool ok = PckNames();
    ok &= PckConstraints();
    ok &= checks_.That(SignedBy(leaf_, ca_.key) && SignedBy(ca_, root_.key), Rule::kPckSignatures,
                       "signatures by issuer and root", SignatureText());
    ok &= PckValidity();
    Result<PckExtension> extension = ReadPckExtension(leaf_);
    if (extension) out_.pck = *extension;
    ok &= checks_.That(extension.has_value(), Rule::kPckExtension, "the SGX extension",
                       extension ? "FMSPC " + ToHex(out_.pck.fmspc) : extension.error().message);
    out_.pck_key = leaf_.key;
    return ok;
  }

  std::string SignatureText() const { return leaf_.issuer_cn + "; " + ca_.issuer_cn; }

  bool PckNames() {
    const bool chained = Equal(leaf_.issuer, ca_.subject) && Equal(ca_.issuer, root_.subject) &&
                         Equal(root_.issuer, root_.subject);
    const bool named = Contains(leaf_.subject_cn, tdx::kPckCn) &&
                       (Contains(ca_.subject_cn, tdx::kPlatformCaCn) ||
                        Contains(ca_.subject_cn, tdx::kProcessorCaCn)) &&
                       Contains(root_.subject_cn, tdx::kRootCn);
    return checks_.That(chained && named, Rule::kPckNames,
                        "SGX PCK Certificate < SGX PCK Platform or Processor CA < SGX Root CA",
                        leaf_.subject_cn + " < " + ca_.subject_cn + " < " + root_.subject_cn);
  }

  bool PckConstraints() {
    std::string problem = RoleProblem(leaf_, {false, kUsageDigitalSignature, KeyKind::kP256, 0});
    if (problem.empty()) problem = RoleProblem(ca_, {true, kCaUsage, KeyKind::kP256, 0});
    if (problem.empty()) problem = RoleProblem(root_, {true, kCaUsage, KeyKind::kP256, 1});
    return checks_.That(problem.empty(), Rule::kPckConstraints, "one leaf under two CAs, P-256",
                        problem.empty() ? "so" : problem);
  }

  bool PckValidity() {
    Window window;
    for (const Certificate* certificate : {&leaf_, &ca_, &root_}) {
      window.Narrow(certificate->not_before, certificate->not_after);
    }
    return InForce(Rule::kPckValidity, window.from, window.until);
  }

  // -- A document by itself
  Result<> ParseIssuerChain(const CollateralDocument& document) {
    for (const Bytes& der : document.chain) {
      ASSIGN_OR_RETURN(Certificate certificate, ParseCertificate(der));
      if (Equal(certificate.issuer, certificate.subject)) {
        root_ = std::move(certificate);
      } else if (document.kind == DocumentKind::kPckCrl) {
        if (ca_.der != nullptr) return Fail("collateral.malformed", "two certificates of a CA");
        ca_ = std::move(certificate);
      }
    }
    if (root_.der == nullptr) return Fail("collateral.malformed", "no root certificate");
    if (document.kind == DocumentKind::kPckCrl && ca_.der == nullptr) {
      return Fail("collateral.malformed", "no certificate of the PCK CA");
    }
    return {};
  }

  bool IssuerChain(const CollateralDocument& document) {
    const Result<> parsed = ParseIssuerChain(document);
    if (!checks_.That(parsed.has_value(), Rule::kIssuerChain, "issuer and root",
                      parsed ? root_.subject_cn : parsed.error().message)) {
      return false;
    }
    const TrustedRoot* root = FindTrustedRoot(roots_, Tee::kTdx, root_);
    if (root == nullptr || !RootSpeaksForItself(*root, root_)) {
      return checks_.Fail(Rule::kIssuerRoot, RootNames(roots_, Tee::kTdx),
                          "'" + root_.subject_cn + "', SHA-256 " + ToHex(root_.Fingerprint()));
    }
    out_.root = root->name;
    out_.development = !root->vendor;
    checks_.Pass(Rule::kIssuerRoot, root->name, ToHex(root_.Fingerprint()));
    std::string problem = RoleProblem(root_, {true, kCaUsage, KeyKind::kP256, 1});
    if (problem.empty() && !Contains(root_.subject_cn, tdx::kRootCn)) {
      problem = root_.subject_cn + " is no SGX root by its name";
    }
    const bool role = checks_.That(problem.empty(), Rule::kPckConstraints, "a root CA, P-256",
                                   problem.empty() ? "so" : problem);
    return InForce(Rule::kPckValidity, root_.not_before, root_.not_after) && role;
  }

  // The root's CRL was verified when it was taken; it says here who may no longer sign, even where
  // its own successor is late.
  void AdoptRootCrl() {
    Result<Crl> crl = ParseCrl(collateral_.root_crl);
    if (!crl || !Equal(crl->issuer, root_.subject) || !SignedBy(*crl, root_.key)) return;
    root_crl_ = std::move(*crl);
    root_crl_usable_ = true;
  }

  bool CaItself() {
    const bool named =
        Equal(ca_.issuer, root_.subject) && (Contains(ca_.subject_cn, tdx::kPlatformCaCn) ||
                                             Contains(ca_.subject_cn, tdx::kProcessorCaCn));
    bool ok = checks_.That(named, Rule::kPckNames, "SGX PCK Platform or Processor CA < SGX Root CA",
                           ca_.subject_cn + " < " + root_.subject_cn);
    const std::string problem = RoleProblem(ca_, {true, kCaUsage, KeyKind::kP256, 0});
    ok &= checks_.That(problem.empty(), Rule::kPckConstraints, "a CA, P-256",
                       problem.empty() ? "so" : problem);
    ok &= checks_.That(SignedBy(ca_, root_.key), Rule::kPckSignatures,
                       "a signature by " + root_.subject_cn, "of " + ca_.issuer_cn);
    ok &= InForce(Rule::kPckValidity, ca_.not_before, ca_.not_after);
    if (root_crl_usable_) ok &= NotRevoked(Rule::kPckCaNotRevoked, root_crl_, ca_);
    return ok;
  }

  bool DocumentItself(const CollateralDocument& document, DocumentFacts& facts) {
    const auto crl_facts = [&facts](const Result<Crl>& crl) {
      facts.issued = crl->this_update;
      facts.next_update = crl->next_update;
      facts.crl_number = ToBytes(crl->number);
    };
    PublicKey key;
    switch (document.kind) {
      case DocumentKind::kRootCrl:
        if (!RootCrl()) return false;
        facts.subject = "root";
        crl_facts(ParseCrl(document.body));
        return true;
      case DocumentKind::kPckCrl:
        if (!CaItself() || !PckCrl()) return false;
        facts.subject = Contains(ca_.subject_cn, tdx::kProcessorCaCn) ? "processor" : "platform";
        crl_facts(ParseCrl(document.body));
        return true;
      case DocumentKind::kTcbInfo:
        if (!SigningChain(document.chain, key) || !TcbInfoDocument(key)) return false;
        facts.subject = ToHex(out_.info.fmspc);
        facts.issued = out_.info.issue_date;
        facts.next_update = out_.info.next_update;
        facts.evaluation_number = out_.info.evaluation_number;
        return checks_.That(out_.info.id == "TDX", Rule::kTcbInfoId, "TDX", out_.info.id);
      case DocumentKind::kQeIdentity:
        if (!SigningChain(document.chain, key) || !QeIdentityDocument(key)) return false;
        facts.subject = "td_qe";
        facts.issued = out_.qe.issue_date;
        facts.next_update = out_.qe.next_update;
        facts.evaluation_number = out_.qe.evaluation_number;
        return checks_.That(out_.qe.id == "TD_QE", Rule::kQeIdentityId, "TD_QE", out_.qe.id);
      default:
        return false;
    }
  }

  // -- CRLs
  bool RootCrl() {
    const Result<Crl> crl = ParseCrl(collateral_.root_crl);
    if (!crl) return checks_.Fail(Rule::kRootCrlForm, "a CRL in DER", crl.error().message);
    checks_.Pass(Rule::kRootCrlForm);
    root_crl_ = *crl;
    if (!checks_.That(Equal(crl->issuer, root_.subject), Rule::kRootCrlIssuer, root_.subject_cn,
                      crl->issuer_cn)) {
      return false;
    }
    if (!checks_.That(SignedBy(*crl, root_.key), Rule::kRootCrlSignature,
                      "a signature by " + root_.subject_cn, "of " + crl->issuer_cn)) {
      return false;
    }
    root_crl_usable_ = InForce(Rule::kRootCrlFresh, crl->this_update, crl->next_update);
    const bool ca_holds = ca_.der == nullptr || NotRevoked(Rule::kPckCaNotRevoked, *crl, ca_);
    return ca_holds && root_crl_usable_;
  }

  bool PckCrl() {
    const Result<Crl> crl = ParseCrl(collateral_.pck_crl);
    if (!crl) return checks_.Fail(Rule::kPckCrlForm, "a CRL in DER", crl.error().message);
    checks_.Pass(Rule::kPckCrlForm);
    if (!checks_.That(Equal(crl->issuer, ca_.subject), Rule::kPckCrlIssuer, ca_.subject_cn,
                      crl->issuer_cn) ||
        !CrlChain()) {
      return false;
    }
    if (!checks_.That(SignedBy(*crl, ca_.key), Rule::kPckCrlSignature,
                      "a signature by " + ca_.subject_cn, "of " + crl->issuer_cn)) {
      return false;
    }
    const bool fresh = InForce(Rule::kPckCrlFresh, crl->this_update, crl->next_update);
    const bool leaf_holds = leaf_.der == nullptr || NotRevoked(Rule::kPckNotRevoked, *crl, leaf_);
    return leaf_holds && fresh;
  }

  bool NotRevoked(Rule rule, const Crl& crl, const Certificate& certificate) {
    const CrlEntry* entry = crl.Find(certificate);
    const std::string name = certificate.subject_cn + ", serial " + ToHex(certificate.serial);
    return checks_.That(
        entry == nullptr, rule, "not revoked",
        entry == nullptr ? name : name + ", revoked " + FormatTime(entry->revoked_at));
  }

  // -- Signed documents
  bool Documents() {
    PublicKey tcb_key, qe_key;
    bool ok = SigningChain(collateral_.tcb_info_chain, tcb_key);
    if (collateral_.qe_identity_chain == collateral_.tcb_info_chain) {
      qe_key = tcb_key;
    } else {
      ok &= SigningChain(collateral_.qe_identity_chain, qe_key);
    }
    ok &= TcbInfoDocument(tcb_key);
    ok &= QeIdentityDocument(qe_key);
    return ok;
  }

  // Another certificate of an authority than the same bytes: the same name and key, and genuine,
  // too.
  bool SameRoot(const Certificate& copy) const {
    const TrustedRoot* root = FindTrustedRoot(roots_, Tee::kTdx, copy);
    return root != nullptr && RootSpeaksForItself(*root, copy) && Equal(copy.spki, root_.spki) &&
           Equal(copy.subject, root_.subject);
  }
  bool SameCa(const Certificate& copy) const {
    return Equal(copy.spki, ca_.spki) && Equal(copy.subject, ca_.subject) &&
           Equal(copy.issuer, root_.subject) && SignedBy(copy, root_.key);
  }

  // The chain that came with the PCK CRL is not needed; where it is given, it must be this quote's
  // CA and root.
  bool CrlChain() {
    for (const Bytes& der : collateral_.pck_crl_chain) {
      if (der == *root_.der || der == *ca_.der) continue;
      const Result<Certificate> copy = ParseCertificate(der);
      if (!copy || (!SameRoot(*copy) && !SameCa(*copy))) {
        return checks_.Fail(Rule::kPckCrlIssuer, ca_.subject_cn + " and " + root_.subject_cn,
                            copy ? copy->subject_cn : copy.error().message);
      }
    }
    return true;
  }

  // The certificate that signs documents, and (optional) a copy of the same root as the PCK
  // chain's.
  bool SigningChain(const std::vector<Bytes>& chain, PublicKey& key) {
    Certificate signing;
    bool found = false;
    std::string problem;
    bool same_root = true;
    for (const Bytes& der : chain) {
      if (der == *root_.der) continue;
      Result<Certificate> certificate = ParseCertificate(der);
      if (!certificate) {
        problem = certificate.error().message;
      } else if (certificate->ca) {
        same_root = same_root && SameRoot(*certificate);
      } else if (found) {
        problem = "two signing certificates";
      } else {
        signing = std::move(*certificate);
        found = true;
      }
    }
    if (!found && problem.empty()) problem = "no signing certificate";
    if (!checks_.That(problem.empty(), Rule::kSigningForm, "TCB signing certificate, root",
                      problem.empty() ? signing.subject_cn : problem)) {
      return false;
    }
    bool ok = checks_.That(same_root && Equal(signing.issuer, root_.subject), Rule::kSigningRoot,
                           root_.subject_cn, signing.issuer_cn);
    ok &= checks_.That(Contains(signing.subject_cn, tdx::kTcbSigningCn), Rule::kSigningNames,
                       std::string(tdx::kTcbSigningCn), signing.subject_cn);
    const std::string role =
        RoleProblem(signing, {false, kUsageDigitalSignature, KeyKind::kP256, 0});
    ok &= checks_.That(role.empty(), Rule::kSigningConstraints, "a signing leaf, P-256",
                       role.empty() ? "so" : role);
    ok &= checks_.That(SignedBy(signing, root_.key), Rule::kSigningSignature,
                       "a signature by " + root_.subject_cn, "of " + signing.issuer_cn);
    ok &= InForce(Rule::kSigningValidity, signing.not_before, signing.not_after);
    if (root_crl_usable_) ok &= NotRevoked(Rule::kSigningNotRevoked, root_crl_, signing);
    if (ok) key = signing.key;
    return ok;
  }

  bool DocumentSignature(Rule rule, const SignedDocument& document, const PublicKey& key) {
    if (!key) return false;  // the chain's own failure says why
    return checks_.That(key.VerifyRaw(crypto::Sha256(AsBytes(document.body)), document.signature),
                        rule, "a signature by the TCB signing key over the bytes as sent",
                        ToHex(document.signature));
  }

  bool TcbInfoDocument(const PublicKey& key) {
    Result<TcbInfo> info = ParseTcbInfo(collateral_.tcb_info.body);
    if (!info) {
      return checks_.Fail(Rule::kTcbInfoForm, "TCB info of version 3", info.error().message);
    }
    out_.info = std::move(*info);
    checks_.Pass(Rule::kTcbInfoForm, "TCB info of version 3",
                 "evaluation " + std::to_string(out_.info.evaluation_number));
    const bool signed_ok = DocumentSignature(Rule::kTcbInfoSignature, collateral_.tcb_info, key);
    return InForce(Rule::kTcbInfoFresh, out_.info.issue_date, out_.info.next_update) && signed_ok;
  }

  bool QeIdentityDocument(const PublicKey& key) {
    Result<QeIdentity> qe = ParseQeIdentity(collateral_.qe_identity.body);
    if (!qe) {
      return checks_.Fail(Rule::kQeIdentityForm, "QE identity of version 2 or 3",
                          qe.error().message);
    }
    out_.qe = std::move(*qe);
    checks_.Pass(Rule::kQeIdentityForm, "QE identity of version 2 or 3",
                 "evaluation " + std::to_string(out_.qe.evaluation_number));
    const bool signed_ok =
        DocumentSignature(Rule::kQeIdentitySignature, collateral_.qe_identity, key);
    return InForce(Rule::kQeIdentityFresh, out_.qe.issue_date, out_.qe.next_update) && signed_ok;
  }

  bool InForce(Rule rule, UnixSeconds from, UnixSeconds until) {
    out_.window.Narrow(from, until);
    const bool ok = from <= time_ && time_ <= until;
    return checks_.That(ok, rule, WindowText(from, until), ok ? "in force" : FormatTime(time_));
  }

  std::string_view pem_;
  const TdxCollateral& collateral_;
  const std::vector<TrustedRoot>& roots_;
  UnixSeconds time_;
  Checks checks_{Rule::kTdxCollateral};
  TdxTrust out_;
  Certificate leaf_, ca_, root_;
  Crl root_crl_;
  bool root_crl_usable_ = false;
};

}  // namespace

TdxTrust EstablishTdxTrust(ByteView quote_chain_pem, const TdxCollateral* collateral,
                           const std::vector<TrustedRoot>& roots, UnixSeconds time) {
  if (collateral == nullptr) {
    TdxTrust out;
    Checks checks(Rule::kTdxCollateral);
    checks.Fail(Rule::kTdxPresent, "TDX collateral", "none");
    out.group = std::move(checks).Finish();
    return out;
  }
  return Builder(quote_chain_pem, *collateral, roots, time).Build();
}

TrustedDocument EstablishTdxDocument(const CollateralDocument& document,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time,
                                     ByteView root_crl) {
  TdxCollateral holder;
  holder.root_crl = ToBytes(root_crl);
  switch (document.kind) {
    case DocumentKind::kRootCrl:
      holder.root_crl = document.body;
      break;
    case DocumentKind::kPckCrl:
      holder.pck_crl = document.body;
      break;
    case DocumentKind::kTcbInfo:
      holder.tcb_info = {std::string(AsText(document.body)), document.signature};
      break;
    default:
      holder.qe_identity = {std::string(AsText(document.body)), document.signature};
      break;
  }
  return Builder({}, holder, roots, time).BuildDocument(document);
}

Check CheckPckChain(ByteView quote_chain_pem, const std::vector<TrustedRoot>& roots,
                    UnixSeconds time) {
  const TdxCollateral none;
  return Builder(quote_chain_pem, none, roots, time).BuildPckChain();
}

}  // namespace cce::attest
