#include "attest/document.h"

#include <array>
#include <utility>

#include "attest/extensions.h"
#include "attest/snp_trust.h"
#include "attest/tdx_trust.h"

namespace cce::attest {
namespace {

constexpr std::array kNames = {
    std::pair{DocumentKind::kTcbInfo, std::string_view("tcb_info")},
    std::pair{DocumentKind::kQeIdentity, std::string_view("qe_identity")},
    std::pair{DocumentKind::kPckCrl, std::string_view("pck_crl")},
    std::pair{DocumentKind::kRootCrl, std::string_view("root_crl")},
    std::pair{DocumentKind::kSnpChain, std::string_view("snp_chain")},
    std::pair{DocumentKind::kSnpCrl, std::string_view("snp_crl")},
    std::pair{DocumentKind::kVek, std::string_view("vek")},
};

bool IsSnp(DocumentKind kind) {
  return kind == DocumentKind::kSnpChain || kind == DocumentKind::kSnpCrl ||
         kind == DocumentKind::kVek;
}

Error FirstError(Check group, std::string_view what) {
  Verdict verdict;
  verdict.checks.push_back(std::move(group));
  std::vector<Failure> failures = Failures(verdict);
  if (failures.empty()) {
    return MakeError("evidence.collateral", std::string(what) + " could not be verified");
  }
  verdict.first_failure = std::move(failures.front());
  Error error = ToError(verdict);
  error.message = std::string(what) + " is refused: not so that " + verdict.first_failure->title +
                  " (" + verdict.first_failure->rule + ")";
  return error;
}

bool IsRoot(const Bytes& der) {
  const Result<Certificate> certificate = ParseCertificate(der);
  return certificate && Equal(certificate->issuer, certificate->subject);
}

std::vector<Bytes> RootsIn(const std::vector<Bytes>& chain) {
  std::vector<Bytes> out;
  for (const Bytes& der : chain) {
    if (IsRoot(der)) out.push_back(der);
  }
  return out;
}

void AddTdx(const TdxCollateral& c, std::vector<CollateralDocument>& out) {
  std::vector<Bytes> crl_chain = c.pck_crl_chain;
  if (crl_chain.empty() && c.pck_chain.size() == 3) crl_chain = {c.pck_chain[1], c.pck_chain[2]};
  out.push_back({DocumentKind::kRootCrl, c.root_crl, {}, RootsIn(c.tcb_info_chain)});
  if (!crl_chain.empty()) out.push_back({DocumentKind::kPckCrl, c.pck_crl, {}, crl_chain});
  out.push_back(
      {DocumentKind::kTcbInfo, ToBytes(c.tcb_info.body), c.tcb_info.signature, c.tcb_info_chain});
  out.push_back({DocumentKind::kQeIdentity, ToBytes(c.qe_identity.body), c.qe_identity.signature,
                 c.qe_identity_chain});
}

void AddSnp(const SnpCollateral& c, std::vector<CollateralDocument>& out) {
  if (c.ark.empty()) return;
  if (!c.crl.empty()) out.push_back({DocumentKind::kSnpCrl, c.crl, {}, {c.ark}});
  if (c.ask.empty()) return;
  out.push_back({DocumentKind::kSnpChain, {}, {}, {c.ask, c.ark}});
  if (!c.vek.empty()) out.push_back({DocumentKind::kVek, c.vek, {}, {c.ask, c.ark}});
}

// As numbers: both are magnitudes without leading zeros.
bool NumberBelow(const Bytes& a, const Bytes& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace

std::string_view KindName(DocumentKind kind) {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "";
}

std::optional<DocumentKind> KindFromName(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

Result<DocumentFacts> VerifyDocument(const CollateralDocument& document,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time,
                                     ByteView authority_crl) {
  TrustedDocument trusted = IsSnp(document.kind)
                                ? EstablishSnpDocument(document, roots, time, authority_crl)
                                : EstablishTdxDocument(document, roots, time, authority_crl);
  if (!trusted.ok) return Fail(FirstError(std::move(trusted.group), KindName(document.kind)));
  return std::move(trusted.facts);
}

std::string OlderThan(const DocumentFacts& next, const DocumentFacts& kept) {
  if (next.evaluation_number < kept.evaluation_number) {
    return "evaluation " + std::to_string(next.evaluation_number) + " after " +
           std::to_string(kept.evaluation_number);
  }
  if (!kept.crl_number.empty() && NumberBelow(next.crl_number, kept.crl_number)) {
    return "CRL number " + ToHex(next.crl_number) + " after " + ToHex(kept.crl_number);
  }
  if (next.issued < kept.issued) {
    return "issued " + FormatTime(next.issued) + ", after one of " + FormatTime(kept.issued);
  }
  return {};
}

std::vector<CollateralDocument> DocumentsOf(const Collateral& collateral) {
  std::vector<CollateralDocument> out;
  if (collateral.tdx) AddTdx(*collateral.tdx, out);
  if (collateral.snp) AddSnp(*collateral.snp, out);
  return out;
}

void AddTo(Collateral& collateral, const CollateralDocument& document) {
  if (IsSnp(document.kind)) {
    if (!collateral.snp) collateral.snp.emplace();
    SnpCollateral& c = *collateral.snp;
    if (document.kind == DocumentKind::kSnpCrl) c.crl = document.body;
    if (document.kind == DocumentKind::kVek) c.vek = document.body;
    if (document.kind != DocumentKind::kSnpChain) return;
    for (const Bytes& der : document.chain) (IsRoot(der) ? c.ark : c.ask) = der;
    return;
  }
  if (!collateral.tdx) collateral.tdx.emplace();
  TdxCollateral& c = *collateral.tdx;
  switch (document.kind) {
    case DocumentKind::kRootCrl:
      c.root_crl = document.body;
      break;
    case DocumentKind::kPckCrl:
      c.pck_crl = document.body;
      c.pck_crl_chain = document.chain;
      break;
    case DocumentKind::kTcbInfo:
      c.tcb_info = {std::string(AsText(document.body)), document.signature};
      c.tcb_info_chain = document.chain;
      break;
    default:
      c.qe_identity = {std::string(AsText(document.body)), document.signature};
      c.qe_identity_chain = document.chain;
      break;
  }
}

std::string ToString(const DocumentKey& key) {
  return std::string(KindName(key.kind)) + " " + key.subject;
}

std::string VekSubject(SnpProduct product, const SnpTcb& tcb, std::string_view hwid) {
  const ByteArray<5> versions = {tcb.fmc, tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode};
  return std::string(ProductName(product)) + "/" + ToHex(versions) + "/" +
         (hwid.empty() ? "vlek" : std::string(hwid));
}

std::vector<DocumentKey> KeysOf(const CollateralNeed& need, bool with_vek) {
  if (need.tee == Tee::kTdx) {
    return {{DocumentKind::kRootCrl, "root"},
            {DocumentKind::kPckCrl, need.pck_ca},
            {DocumentKind::kTcbInfo, need.fmspc},
            {DocumentKind::kQeIdentity, "td_qe"}};
  }
  const std::string product(ProductName(need.product));
  std::vector<DocumentKey> out = {
      {DocumentKind::kSnpChain, product + (need.vlek ? "/vlek" : "/vcek")},
      {DocumentKind::kSnpCrl, product}};
  if (with_vek) {
    out.push_back(
        {DocumentKind::kVek, VekSubject(need.product, need.tcb, need.vlek ? "" : need.hwid)});
  }
  return out;
}

Result<CollateralNeed> GenuineNeedOf(const Evidence& evidence,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time) {
  if (evidence.tdx) {
    Check group = CheckPckChain(evidence.tdx->pck_chain_pem, roots, time);
    if (group.state != CheckState::kPass) return Fail(FirstError(std::move(group), "PCK chain"));
  }
  ASSIGN_OR_RETURN(CollateralNeed need, NeedOf(evidence));
  if (need.tee == Tee::kTdx) {
    ASSIGN_OR_RETURN(const std::vector<Bytes> chain,
                     ParsePemChain(AsText(evidence.tdx->pck_chain_pem)));
    need.root = chain.back();
    return need;
  }
  if (need.product == SnpProduct::kUnknown && !evidence.certificates.vek.empty()) {
    // A report of version 2 does not say its product; the certificate that came with it does.
    ASSIGN_OR_RETURN(const Certificate vek, ParseCertificate(evidence.certificates.vek));
    ASSIGN_OR_RETURN(const VekExtension extension, ReadVekExtension(vek));
    need.product = extension.product;
    need.tcb = DecodeTcb(evidence.snp->reported_tcb, need.product);
  }
  if (need.product == SnpProduct::kUnknown) {
    return Fail("collateral.malformed",
                "neither the report nor a certificate with it says which product it is of");
  }
  return need;
}

}  // namespace cce::attest
