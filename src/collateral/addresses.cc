#include "collateral/addresses.h"

#include <algorithm>
#include <cctype>

#include "base/bytes.h"

namespace cce::collateral {
namespace {

using attest::DocumentKey;
using attest::DocumentKind;

Unexpected Malformed(std::string what) { return Fail("input.malformed", std::move(what)); }

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// "https://host:port/prefix" to the part before the path and the rest.
std::pair<std::string, std::string> SplitUrl(std::string_view url) {
  const size_t authority = url.find("://");
  const size_t path = url.find('/', authority == std::string_view::npos ? 0 : authority + 3);
  if (path == std::string_view::npos) return {std::string(url), ""};
  return {std::string(url.substr(0, path)), std::string(url.substr(path))};
}

std::string HostOf(std::string_view url) {
  std::string_view rest = url.substr(url.find("://") + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (rest.starts_with('[')) return std::string(rest.substr(0, rest.find(']') + 1));
  return std::string(rest.substr(0, rest.find(':')));
}

std::string Spl(std::string_view name, uint8_t value) {
  return std::string(name) + "SPL=" + (value < 10 ? "0" : "") + std::to_string(value);
}

// "Milan/<fmc bl tee snp ucode>/<hwid>" to KDS's path.
Result<std::string> VekPath(std::string_view subject) {
  const size_t first = subject.find('/');
  const size_t second = first == std::string_view::npos ? first : subject.find('/', first + 1);
  if (second == std::string_view::npos) return Malformed("a VEK's subject");
  const std::string product(subject.substr(0, first));
  const std::string hwid(subject.substr(second + 1));
  const bool turin = product == "Turin";
  ASSIGN_OR_RETURN(const auto versions,
                   ArrayFromHex<5>(subject.substr(first + 1, second - first - 1)));
  if (hwid == "vlek") return Malformed("a VLEK is not served by chip: it comes with the report");
  if (!IsHex(hwid, turin ? 16 : 128)) return Malformed("a chip id");
  std::string path = "/vcek/v1/" + product + "/" + hwid + "?";
  if (turin) path += Spl("fmc", versions[0]) + "&";
  return path + Spl("bl", versions[1]) + "&" + Spl("tee", versions[2]) + "&" +
         Spl("snp", versions[3]) + "&" + Spl("ucode", versions[4]);
}

bool IsProduct(std::string_view name) {
  return name == "Milan" || name == "Genoa" || name == "Turin";
}

Result<std::string> KdsPath(const DocumentKey& key) {
  const std::string product = key.subject.substr(0, key.subject.find('/'));
  if (!IsProduct(product)) return Malformed("an SNP product");
  if (key.kind == DocumentKind::kVek) return VekPath(key.subject);
  if (key.kind == DocumentKind::kSnpCrl) return "/vcek/v1/" + product + "/crl";
  const bool vlek = key.subject.ends_with("/vlek");
  return (vlek ? "/vlek/v1/" : "/vcek/v1/") + product + "/cert_chain";
}

Result<std::string> PcsPath(const DocumentKey& key, const std::string& update) {
  const std::string early = update == "early" ? "update=early" : "";
  switch (key.kind) {
    case DocumentKind::kTcbInfo:
      if (!IsHex(key.subject, 12)) return Malformed("an FMSPC is 12 hex digits");
      return "/tdx/certification/v4/tcb?fmspc=" + key.subject + (early.empty() ? "" : "&" + early);
    case DocumentKind::kQeIdentity:
      return "/tdx/certification/v4/qe/identity" + (early.empty() ? "" : "?" + early);
    case DocumentKind::kPckCrl:
      if (key.subject != "platform" && key.subject != "processor") {
        return Malformed("a PCK CA is platform or processor");
      }
      return "/sgx/certification/v4/pckcrl?ca=" + key.subject + "&encoding=der";
    default:
      return Malformed("no document of Intel's");
  }
}

}  // namespace

std::string_view VendorName(Vendor vendor) { return vendor == Vendor::kIntel ? "intel" : "amd"; }

Vendor VendorOf(DocumentKind kind) {
  return kind == DocumentKind::kSnpChain || kind == DocumentKind::kSnpCrl ||
                 kind == DocumentKind::kVek
             ? Vendor::kAmd
             : Vendor::kIntel;
}

Result<> CheckAddress(std::string_view url) {
  const bool printable = std::ranges::all_of(url, [](unsigned char c) { return std::isgraph(c); });
  const bool https = url.starts_with("https://");
  if (!printable || (!https && !url.starts_with("http://")) || HostOf(url).empty() ||
      url.find('@') != std::string_view::npos) {
    return Fail(MakeError("input.malformed", "the address of a service is not https://HOST[/PATH]")
                    .Found(std::string(url.substr(0, 128))));
  }
  const std::string host = HostOf(url);
  if (!https && !host.starts_with("127.") && host != "localhost" && host != "[::1]") {
    return Fail(MakeError("input.malformed", "plain http is for services on this machine alone")
                    .Expected("https://, or a loopback address")
                    .Found(std::string(url.substr(0, 128))));
  }
  return {};
}

std::string DefaultRootCrlUrl(std::string_view pcs_url) {
  if (pcs_url.starts_with(kIntelPcs)) {
    return "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
  }
  return std::string(pcs_url) + "/sgx/certification/v4/rootcacrl";
}

Result<Location> LocationOf(const Addresses& addresses, const DocumentKey& key) {
  const Vendor vendor = VendorOf(key.kind);
  if (!addresses.Serves(vendor)) {
    return Malformed("no address is set for documents of " + std::string(VendorName(vendor)));
  }
  if (key.kind == DocumentKind::kRootCrl) {
    auto [base, path] =
        SplitUrl(addresses.root_crl_url.empty() ? DefaultRootCrlUrl(addresses.pcs_url)
                                                : addresses.root_crl_url);
    return Location{std::move(base), path.empty() ? "/" : std::move(path)};
  }
  std::string path;
  if (vendor == Vendor::kAmd) {
    ASSIGN_OR_RETURN(path, KdsPath(key));
  } else {
    ASSIGN_OR_RETURN(path, PcsPath(key, addresses.tcb_update));
  }
  auto [base, prefix] = SplitUrl(vendor == Vendor::kIntel ? addresses.pcs_url : addresses.kds_url);
  while (prefix.ends_with('/')) prefix.pop_back();
  return Location{std::move(base), prefix + path};
}

}  // namespace cce::collateral
