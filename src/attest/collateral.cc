#include "attest/collateral.h"

#include <algorithm>
#include <limits>

#include "attest/extensions.h"
#include "attest/tcb_documents.h"
#include "attest/tdx_layout.h"
#include "attest/x509.h"
#include "base/json.h"

namespace cce::attest {
namespace {

constexpr size_t kMaxBundle = 8 << 20;
constexpr size_t kMaxChain = 8;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";

Unexpected Malformed(std::string what) { return Fail("collateral.malformed", std::move(what)); }

// The bytes of the next PEM block of type `label`; advances `text` past it.
Result<Bytes> TakePem(std::string_view& text, std::string_view label) {
  const std::string begin = std::string(kBegin) + std::string(label) + "-----";
  const std::string end = std::string(kEnd) + std::string(label) + "-----";
  if (!text.starts_with(begin)) return Malformed("a PEM text does not begin with " + begin);
  text.remove_prefix(begin.size());
  const size_t stop = text.find(end);
  if (stop == std::string_view::npos) return Malformed("a PEM text lacks " + end);
  std::string base64;
  base64.reserve(stop);
  for (std::string_view rest = text.substr(0, stop); !rest.empty();) {
    const size_t end_of_line = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end_of_line);
    if (line.ends_with('\r')) line.remove_suffix(1);
    base64.append(line);
    rest.remove_prefix(std::min(end_of_line + 1, rest.size()));
  }
  text.remove_prefix(stop + end.size());
  Result<Bytes> bytes = FromBase64(base64);
  if (!bytes) return Malformed("a PEM text is not base64");
  return std::move(*bytes);
}

void SkipBlank(std::string_view& text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
}

// Everything from the first NUL is padding, provided that only NULs follow.
Result<std::string_view> WithoutNul(std::string_view text) {
  const size_t nul = text.find('\0');
  if (nul == std::string_view::npos) return text;
  if (text.find_first_not_of('\0', nul) != std::string_view::npos) {
    return Malformed("a PEM text holds a NUL");
  }
  return text.substr(0, nul);
}

// DER, PEM or hex of one object.
Result<Bytes> ReadObject(ByteView bytes, std::string_view label) {
  std::string_view text = AsText(bytes);
  if (!bytes.empty() && bytes[0] == 0x30 && (bytes.size() < 2 || bytes[1] >= 0x80)) {
    return ToBytes(bytes);
  }
  SkipBlank(text);
  if (text.starts_with(kBegin)) return TakePem(text, label);
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  Result<Bytes> hex = FromHex(text);
  if (!hex || hex->empty()) return Malformed("neither DER, PEM nor hex of a " + std::string(label));
  return std::move(*hex);
}

Result<std::vector<Bytes>> OptionalChain(std::string_view pem) {
  if (pem.empty()) return std::vector<Bytes>{};
  return ParsePemChain(pem);
}

// Pieces of DatesOf.
struct Span {
  CollateralDates dates{std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                        std::numeric_limits<int64_t>::max(), 0};
  void Update(int64_t issued, int64_t next) {
    dates.issued = std::max(dates.issued, issued);
    dates.next_update = std::min(dates.next_update, next);
  }
  Result<> AddCertificate(const Bytes& der) {
    if (der.empty()) return {};
    ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate(der));
    dates.not_after = std::min(dates.not_after, certificate.not_after);
    return {};
  }
  Result<> AddCrl(const Bytes& der) {
    if (der.empty()) return {};
    ASSIGN_OR_RETURN(const Crl crl, ParseCrl(der));
    Update(crl.this_update, crl.next_update);
    return {};
  }
};

}  // namespace

Result<std::vector<Bytes>> ParsePemChain(std::string_view pem) {
  ASSIGN_OR_RETURN(std::string_view text, WithoutNul(pem));
  std::vector<Bytes> out;
  SkipBlank(text);
  while (!text.empty()) {
    if (out.size() >= kMaxChain) return Malformed("a certificate chain is too long");
    ASSIGN_OR_RETURN(Bytes der, TakePem(text, "CERTIFICATE"));
    out.push_back(std::move(der));
    SkipBlank(text);
  }
  if (out.empty()) return Malformed("a certificate chain is empty");
  return out;
}

std::string ToPem(const std::vector<Bytes>& chain) {
  std::string out;
  for (const Bytes& der : chain) {
    const std::string base64 = ToBase64(der);
    out += "-----BEGIN CERTIFICATE-----\n";
    for (size_t i = 0; i < base64.size(); i += 64) out += base64.substr(i, 64) + "\n";
    out += "-----END CERTIFICATE-----\n";
  }
  return out;
}

Result<Bytes> ReadCertificate(ByteView bytes) { return ReadObject(bytes, "CERTIFICATE"); }
Result<Bytes> ReadCrl(ByteView bytes) { return ReadObject(bytes, "X509 CRL"); }

Result<SignedDocument> SplitTcbInfo(std::string_view response) {
  ASSIGN_OR_RETURN(auto parts, SplitSigned(response, "tcbInfo"));
  return SignedDocument{std::move(parts.first), std::move(parts.second)};
}
Result<SignedDocument> SplitQeIdentity(std::string_view response) {
  ASSIGN_OR_RETURN(auto parts, SplitSigned(response, "enclaveIdentity"));
  return SignedDocument{std::move(parts.first), std::move(parts.second)};
}

Result<TdxCollateral> MakeTdxCollateral(const TdxParts& parts) {
  TdxCollateral out;
  ASSIGN_OR_RETURN(out.tcb_info, SplitTcbInfo(parts.tcb_info));
  ASSIGN_OR_RETURN(out.qe_identity, SplitQeIdentity(parts.qe_identity));
  ASSIGN_OR_RETURN(out.pck_crl, ReadCrl(parts.pck_crl));
  ASSIGN_OR_RETURN(out.root_crl, ReadCrl(parts.root_crl));
  ASSIGN_OR_RETURN(out.tcb_info_chain, ParsePemChain(parts.tcb_info_chain));
  if (parts.qe_identity_chain.empty()) {
    out.qe_identity_chain = out.tcb_info_chain;
  } else {
    ASSIGN_OR_RETURN(out.qe_identity_chain, ParsePemChain(parts.qe_identity_chain));
  }
  ASSIGN_OR_RETURN(out.pck_crl_chain, OptionalChain(parts.pck_crl_chain));
  ASSIGN_OR_RETURN(out.pck_chain, OptionalChain(parts.pck_chain));
  return out;
}

Result<Collateral> ParseBundle(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "collateral bundle", {.max_bytes = kMaxBundle}));
  Fields f(document);
  Collateral out;
  const bool tdx = f.Has("tcb_info");
  const bool snp = f.Has("snp_vek") || f.Has("snp_ask") || f.Has("snp_ark") || f.Has("snp_crl");
  const Fields::StringRule pem{.max = 64 << 10, .fallback = ""};
  std::string tcb_chain, qe_chain, crl_chain, pck_chain;
  if (tdx) {
    TdxCollateral& c = out.tdx.emplace();
    c.tcb_info.body = f.String("tcb_info", {.min = 2, .max = 1 << 20});
    c.tcb_info.signature = f.Hex("tcb_info_signature", 64);
    c.qe_identity.body = f.String("qe_identity", {.min = 2, .max = 1 << 20});
    c.qe_identity.signature = f.Hex("qe_identity_signature", 64);
    c.pck_crl = f.Hex("pck_crl", 0);
    c.root_crl = f.Hex("root_ca_crl", 0);
    tcb_chain = f.String("tcb_info_issuer_chain", {.min = 1, .max = 64 << 10});
    qe_chain = f.String("qe_identity_issuer_chain", {.min = 1, .max = 64 << 10});
    crl_chain = f.String("pck_crl_issuer_chain", pem);
    pck_chain = f.String("pck_certificate_chain", pem);
  }
  if (snp) {
    SnpCollateral& c = out.snp.emplace();
    c.vek = f.Hex("snp_vek", 0, /*optional=*/true);
    c.ask = f.Hex("snp_ask", 0, /*optional=*/true);
    c.ark = f.Hex("snp_ark", 0, /*optional=*/true);
    c.crl = f.Hex("snp_crl", 0, /*optional=*/true);
  }
  if (!tdx && !snp) f.Reject("tcb_info", "neither TDX nor SNP collateral is given");
  TRY(f.Finish());
  if (tdx) {
    ASSIGN_OR_RETURN(out.tdx->tcb_info_chain, ParsePemChain(tcb_chain));
    ASSIGN_OR_RETURN(out.tdx->qe_identity_chain, ParsePemChain(qe_chain));
    ASSIGN_OR_RETURN(out.tdx->pck_crl_chain, OptionalChain(crl_chain));
    ASSIGN_OR_RETURN(out.tdx->pck_chain, OptionalChain(pck_chain));
  }
  return out;
}

std::string ToBundleJson(const Collateral& collateral) {
  json::object out;
  if (collateral.tdx) {
    const TdxCollateral& c = *collateral.tdx;
    if (!c.pck_crl_chain.empty()) out["pck_crl_issuer_chain"] = ToPem(c.pck_crl_chain);
    out["root_ca_crl"] = ToHex(c.root_crl);
    out["pck_crl"] = ToHex(c.pck_crl);
    out["tcb_info_issuer_chain"] = ToPem(c.tcb_info_chain);
    out["tcb_info"] = c.tcb_info.body;
    out["tcb_info_signature"] = ToHex(c.tcb_info.signature);
    out["qe_identity_issuer_chain"] = ToPem(c.qe_identity_chain);
    out["qe_identity"] = c.qe_identity.body;
    out["qe_identity_signature"] = ToHex(c.qe_identity.signature);
    if (!c.pck_chain.empty()) out["pck_certificate_chain"] = ToPem(c.pck_chain);
  }
  if (collateral.snp) {
    const SnpCollateral& c = *collateral.snp;
    if (!c.vek.empty()) out["snp_vek"] = ToHex(c.vek);
    if (!c.ask.empty()) out["snp_ask"] = ToHex(c.ask);
    if (!c.ark.empty()) out["snp_ark"] = ToHex(c.ark);
    if (!c.crl.empty()) out["snp_crl"] = ToHex(c.crl);
  }
  return ToJson(out);
}

Result<CollateralNeed> NeedOf(const Evidence& evidence) {
  CollateralNeed out;
  out.tee = evidence.tee;
  if (evidence.tdx) {
    ASSIGN_OR_RETURN(const std::vector<Bytes> chain,
                     ParsePemChain(AsText(evidence.tdx->pck_chain_pem)));
    ASSIGN_OR_RETURN(const Certificate leaf, ParseCertificate(chain.front()));
    ASSIGN_OR_RETURN(const PckExtension extension, ReadPckExtension(leaf));
    out.fmspc = ToHex(extension.fmspc);
    out.pck_ca =
        leaf.issuer_cn.find(tdx::kProcessorCaCn) != std::string::npos ? "processor" : "platform";
    return out;
  }
  if (!evidence.snp) return Malformed("the evidence is empty");
  const SnpReport& report = *evidence.snp;
  out.product = report.product();
  out.vlek = report.signing_key() == 1;
  out.tcb = DecodeTcb(report.reported_tcb, out.product);
  const size_t id_size = out.product == SnpProduct::kTurin ? 8 : 64;
  out.hwid = ToHex(ByteView(report.chip_id).first(id_size));
  return out;
}

Result<CollateralDates> DatesOf(const Collateral& collateral) {
  Span span;
  if (collateral.tdx) {
    const TdxCollateral& c = *collateral.tdx;
    ASSIGN_OR_RETURN(const TcbInfo info, ParseTcbInfo(c.tcb_info.body));
    ASSIGN_OR_RETURN(const QeIdentity qe, ParseQeIdentity(c.qe_identity.body));
    span.Update(info.issue_date, info.next_update);
    span.Update(qe.issue_date, qe.next_update);
    span.dates.tcb_evaluation_number =
        static_cast<int64_t>(std::min(info.evaluation_number, qe.evaluation_number));
    TRY(span.AddCrl(c.pck_crl));
    TRY(span.AddCrl(c.root_crl));
    for (const auto* chain : {&c.tcb_info_chain, &c.qe_identity_chain, &c.pck_crl_chain}) {
      for (const Bytes& der : *chain) TRY(span.AddCertificate(der));
    }
  }
  if (collateral.snp) {
    const SnpCollateral& c = *collateral.snp;
    for (const Bytes* der : {&c.vek, &c.ask, &c.ark}) TRY(span.AddCertificate(*der));
    TRY(span.AddCrl(c.crl));
  }
  return span.dates;
}

}  // namespace cce::attest
