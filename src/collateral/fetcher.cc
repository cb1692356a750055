#include "collateral/fetcher.h"

#include <ctime>

#include "net/uri.h"

namespace cce::collateral {
namespace {

using attest::CollateralDocument;
using attest::DocumentKey;
using attest::DocumentKind;

// Far above what the vendors send, and such that a whole set stays below 2 MiB as a bundle.
size_t MaxBody(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::kTcbInfo:
    case DocumentKind::kPckCrl:
    case DocumentKind::kRootCrl:
    case DocumentKind::kSnpCrl:
      return size_t{256} << 10;
    case DocumentKind::kQeIdentity:
    case DocumentKind::kSnpChain:
      return size_t{64} << 10;
    case DocumentKind::kVek:
      return size_t{16} << 10;
  }
  return 0;
}

std::vector<std::string_view> ChainHeaders(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::kTcbInfo:
      return {"tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"};
    case DocumentKind::kQeIdentity:
      return {"sgx-enclave-identity-issuer-chain"};
    case DocumentKind::kPckCrl:
      return {"sgx-pck-crl-issuer-chain"};
    default:
      return {};
  }
}

Result<std::vector<Bytes>> IssuerChain(DocumentKind kind,
                                       const std::map<std::string, std::string>& headers) {
  const std::vector<std::string_view> names = ChainHeaders(kind);
  for (const std::string_view name : names) {
    const auto header = headers.find(std::string(name));
    if (header == headers.end()) continue;
    const Result<std::string> pem = net::PercentDecode(header->second);
    if (!pem) return Fail("collateral.malformed", std::string(name) + " is not URL-encoded");
    Result<std::vector<Bytes>> chain = attest::ParsePemChain(*pem);
    if (!chain) {
      chain.error().message = std::string(name) + ": " + chain.error().message;
      return Unexpected(chain.error());
    }
    return chain;
  }
  return Fail("collateral.malformed", "the answer lacks the header " + std::string(names.front()));
}

Result<CollateralDocument> ReadSigned(DocumentKind kind, ByteView body) {
  ASSIGN_OR_RETURN(attest::SignedDocument split, kind == DocumentKind::kTcbInfo
                                                     ? attest::SplitTcbInfo(AsText(body))
                                                     : attest::SplitQeIdentity(AsText(body)));
  return CollateralDocument{kind, ToBytes(split.body), std::move(split.signature), {}};
}

FetchFailure OfStatus(const net::ClientResponse& response, const std::string& where,
                      UnixSeconds now) {
  FetchFailure out;
  out.error = MakeError("net.http_status", where + " answered " + std::to_string(response.status));
  out.source = response.status == 429 || response.status >= 500;
  if (const auto header = response.headers.find("retry-after"); header != response.headers.end()) {
    out.retry_after = ReadRetryAfter(header->second, now);
  }
  return out;
}

}  // namespace

std::optional<int64_t> ReadRetryAfter(std::string_view text, UnixSeconds now) {
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    if (text.size() > 9) return std::nullopt;
    return std::stoll(std::string(text));
  }
  std::tm parts{};
  const std::string copy(text);
  const char* end = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::max<int64_t>(timegm(&parts) - now, 0);
}

Result<CollateralDocument> ReadAnswer(const DocumentKey& key, ByteView body,
                                      const std::map<std::string, std::string>& headers,
                                      const std::vector<Bytes>& issuers) {
  CollateralDocument out{key.kind, {}, {}, issuers};
  switch (key.kind) {
    case DocumentKind::kTcbInfo:
    case DocumentKind::kQeIdentity: {
      ASSIGN_OR_RETURN(out, ReadSigned(key.kind, body));
      ASSIGN_OR_RETURN(out.chain, IssuerChain(key.kind, headers));
      return out;
    }
    case DocumentKind::kPckCrl: {
      ASSIGN_OR_RETURN(out.body, attest::ReadCrl(body));
      ASSIGN_OR_RETURN(out.chain, IssuerChain(key.kind, headers));
      return out;
    }
    case DocumentKind::kRootCrl:
    case DocumentKind::kSnpCrl: {
      ASSIGN_OR_RETURN(out.body, attest::ReadCrl(body));
      return out;
    }
    case DocumentKind::kSnpChain: {
      ASSIGN_OR_RETURN(out.chain, attest::ParsePemChain(AsText(body)));
      return out;
    }
    case DocumentKind::kVek: {
      ASSIGN_OR_RETURN(out.body, attest::ReadCertificate(body));
      return out;
    }
  }
  return Fail("collateral.malformed", "no such document");
}

Result<net::HttpClient*> Fetcher::Client(const std::string& base_url) {
  std::unique_ptr<net::HttpClient>& client = clients_[base_url];
  if (client == nullptr) {
    TRY(CheckAddress(base_url));
    net::ClientOptions options;
    options.base_url = base_url;
    options.connect_timeout = std::min(addresses_.timeout, options.connect_timeout);
    options.total_timeout = addresses_.timeout;
    ASSIGN_OR_RETURN(client, net::HttpClient::New(options));
  }
  return client.get();
}

tl::expected<CollateralDocument, FetchFailure> Fetcher::Fetch(const DocumentKey& key,
                                                              const std::vector<Bytes>& issuers,
                                                              UnixSeconds now) {
  const auto failed = [](Error error, bool source) {
    return tl::unexpected(FetchFailure{std::move(error), source, std::nullopt});
  };
  const Result<Location> location = LocationOf(addresses_, key);
  if (!location) return failed(location.error(), false);
  const Result<net::HttpClient*> client = Client(location->base_url);
  if (!client) return failed(client.error(), true);
  net::ClientRequest request;
  request.path = location->path;
  request.max_response = MaxBody(key.kind);
  if (go_on_) request.progress = [this](uint64_t, uint64_t) { return go_on_(); };
  const Result<net::ClientResponse> response = (*client)->Send(request);
  if (!response) {
    const bool oversized = response.error().code == "input.too_large";
    return failed(response.error(), !oversized);
  }
  if (response->status != 200) {
    return tl::unexpected(OfStatus(*response, location->base_url + location->path, now));
  }
  Result<CollateralDocument> document = ReadAnswer(key, response->body, response->headers, issuers);
  if (!document) return failed(document.error(), false);
  return std::move(*document);
}

}  // namespace cce::collateral
