#include "sim/collateral_service.h"

#include <charconv>
#include <mutex>
#include <optional>

#include "sim/certificates.h"
#include "sim/tcb_documents.h"

namespace cce::sim {
namespace {

using net::Request;
using net::Response;

// As the services do: everything but unreserved characters is escaped.
std::string UrlEncode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
        c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Response Refusal(int status, std::string_view text) {
  return Response::Text(text, "text/plain", status);
}
Response NotFound() { return Refusal(404, "no such document\n"); }
Response BadRequest(std::string_view text) { return Refusal(400, text); }

Response Der(const Bytes& bytes, std::string_view type) {
  Response out;
  out.headers["Content-Type"] = std::string(type);
  out.body = bytes;
  return out;
}

std::string QueryOf(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

// A security patch level; absent means 0, as the KDS has it.
std::optional<uint8_t> Level(const Request& request, const std::string& name) {
  const std::string text = QueryOf(request, name);
  if (text.empty()) return 0;
  uint8_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Service {
 public:
  Service(const Chip& chip, SnpChipSource snp, const Clock& clock, const CollateralDefect& defect)
      : chip_(chip), snp_source_(std::move(snp)), clock_(clock), defect_(defect) {}

  // -- Intel's PCS

  Response PckCrl(const Request& request) {
    const std::string ca = QueryOf(request, "ca");
    const std::string encoding = QueryOf(request, "encoding");
    if (ca != "platform" && ca != "processor") return BadRequest("ca is platform or processor\n");
    if (!encoding.empty() && encoding != "der" && encoding != "pem") {
      return BadRequest("encoding is pem or der\n");
    }
    const Result<TdxDocuments> documents = Documents();
    if (!documents) return Response::Problem(documents.error());
    const bool platform = ca == "platform";
    const Bytes& crl = platform ? documents->pck_crl : documents->processor_crl;
    Response out = encoding == "der" ? Der(crl, "application/pkix-crl")
                                     : Response::Text(CrlToPem(crl), "application/x-pem-file");
    out.headers["SGX-PCK-CRL-Issuer-Chain"] =
        UrlEncode(platform ? chip_.PlatformCaChain() : chip_.ProcessorCaChain());
    return out;
  }

  Response TcbInfo(const Request& request) {
    const std::string fmspc = QueryOf(request, "fmspc");
    const Result<ByteArray<6>> wanted = ArrayFromHex<6>(fmspc, true);
    if (!wanted) return BadRequest("fmspc is 12 hex digits\n");
    if (*wanted != kFmspc) return NotFound();
    const Result<TdxDocuments> documents = Documents();
    if (!documents) return Response::Problem(documents.error());
    return Signed("tcbInfo", documents->tcb_info, documents->tcb_info_signature,
                  "TCB-Info-Issuer-Chain");
  }

  Response QeIdentity(const Request&) {
    const Result<TdxDocuments> documents = Documents();
    if (!documents) return Response::Problem(documents.error());
    return Signed("enclaveIdentity", documents->qe_identity, documents->qe_identity_signature,
                  "SGX-Enclave-Identity-Issuer-Chain");
  }

  Response RootCrl(bool hex) {
    const Result<TdxDocuments> documents = Documents();
    if (!documents) return Response::Problem(documents.error());
    return hex ? Response::Text(ToHex(documents->root_crl), "text/plain")
               : Der(documents->root_crl, "application/pkix-crl");
  }

  // -- AMD's KDS

  Response CertificateChain(const Request& request, bool vlek) {
    const Result<const SnpChip*> snp = Product(request);
    if (!snp) return Response::Problem(snp.error());
    if (*snp == nullptr) return NotFound();
    return Response::Text(
        CertificateToPem(vlek ? (*snp)->asvk() : (*snp)->ask()) + CertificateToPem((*snp)->ark()),
        "application/x-pem-file");
  }

  Response SnpCrl(const Request& request) {
    const Result<const SnpChip*> snp = Product(request);
    if (!snp) return Response::Problem(snp.error());
    if (*snp == nullptr) return NotFound();
    const std::scoped_lock lock(mutex_);
    if (snp_crl_.empty() || clock_.Now() - snp_crl_at_ >= kCollateralAge) {
      Result<Bytes> crl = (*snp)->NewCrl(Spec());
      if (!crl) return Response::Problem(crl.error());
      snp_crl_ = std::move(*crl);
      snp_crl_at_ = clock_.Now();
    }
    return Der(snp_crl_, "application/pkix-crl");
  }

  Response Vcek(const Request& request) {
    const Result<const SnpChip*> snp = Product(request);
    if (!snp) return Response::Problem(snp.error());
    const auto chip = request.params.find("chip");
    if (*snp == nullptr || chip == request.params.end()) return NotFound();
    const Result<Bytes> id = FromHex(chip->second, true);
    if (!id) return BadRequest("a chip id is hex\n");
    if (*id != (*snp)->chip_id()) return NotFound();
    const bool turin = (*snp)->product().turin;
    if (!turin && request.query.contains("fmcSPL")) return BadRequest("fmcSPL is Turin's\n");
    const auto fmc = Level(request, "fmcSPL"), bootloader = Level(request, "blSPL"),
               tee = Level(request, "teeSPL"), firmware = Level(request, "snpSPL"),
               microcode = Level(request, "ucodeSPL");
    if (!fmc || !bootloader || !tee || !firmware || !microcode) {
      return BadRequest("an SPL is a number up to 255\n");
    }
    const SnpVersions wanted{*fmc, *bootloader, *tee, *firmware, *microcode};
    for (const auto& [vek, versions] :
         {std::pair{Vek::kCurrent, kSnpCurrent}, std::pair{Vek::kOld, kSnpOld}}) {
      SnpVersions own = versions;
      if (!turin) own.fmc = 0;
      if (own == wanted) return Der((*snp)->Certificate(vek), "application/octet-stream");
    }
    return NotFound();
  }

 private:
  // The SNP half where the request is for its product, else null.
  Result<const SnpChip*> Product(const Request& request) const {
    ASSIGN_OR_RETURN(const SnpChip* snp, snp_source_());
    const auto product = request.params.find("product");
    const bool own = product != request.params.end() && product->second == snp->product().name;
    return own ? snp : nullptr;
  }

  CollateralSpec Spec() const {
    CollateralSpec out = CollateralSpec::At(clock_.Now());
    if (defect_.change != nullptr) defect_.change(out);
    return out;
  }

  Result<TdxDocuments> Documents() {
    const std::scoped_lock lock(mutex_);
    if (!documents_ || clock_.Now() - documents_at_ >= kCollateralAge) {
      ASSIGN_OR_RETURN(documents_, chip_.NewDocuments(Spec()));
      documents_at_ = clock_.Now();
    }
    return *documents_;
  }

  Response Signed(std::string_view member, const std::string& document, const Bytes& signature,
                  const std::string& chain_header) const {
    Response out = Response::Text("{\"" + std::string(member) + "\":" + document +
                                      ",\"signature\":\"" + ToHex(signature) + "\"}",
                                  "application/json");
    out.headers[chain_header] = UrlEncode(chip_.TcbSigningChain());
    return out;
  }

  const Chip& chip_;
  const SnpChipSource snp_source_;
  const Clock& clock_;
  const CollateralDefect& defect_;
  std::mutex mutex_;
  std::optional<TdxDocuments> documents_;
  UnixSeconds documents_at_ = 0;
  Bytes snp_crl_;
  UnixSeconds snp_crl_at_ = 0;
};

}  // namespace

net::Router CollateralRoutes(const Chip& chip, SnpChipSource snp, const Clock& clock,
                             const CollateralDefect& defect) {
  const auto service = std::make_shared<Service>(chip, std::move(snp), clock, defect);
  net::Router out;
  const auto add = [&](std::string_view pattern, auto handler) {
    out.Add("GET", pattern,
            [service, handler](Request& request) { return handler(*service, request); });
  };
  add("/sgx/certification/v4/pckcrl", [](Service& s, Request& r) { return s.PckCrl(r); });
  add("/tdx/certification/v4/tcb", [](Service& s, Request& r) { return s.TcbInfo(r); });
  add("/tdx/certification/v4/qe/identity", [](Service& s, Request& r) { return s.QeIdentity(r); });
  add("/sgx/certification/v4/rootcacrl", [](Service& s, Request&) { return s.RootCrl(true); });
  add("/IntelSGXRootCA.der", [](Service& s, Request&) { return s.RootCrl(false); });
  for (const bool vlek : {false, true}) {
    const std::string folder = vlek ? "/vlek/v1/{product}/" : "/vcek/v1/{product}/";
    add(folder + "cert_chain",
        [vlek](Service& s, Request& r) { return s.CertificateChain(r, vlek); });
    add(folder + "crl", [](Service& s, Request& r) { return s.SnpCrl(r); });
  }
  add("/vcek/v1/{product}/{chip}", [](Service& s, Request& r) { return s.Vcek(r); });
  return out;
}

}  // namespace cce::sim
