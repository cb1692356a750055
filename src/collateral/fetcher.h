// Asks Intel's and AMD's services for one document and reads the answer: body (DER, PEM or hex
// CRLs; documents whose bytes stay as signed) and issuer chain (a URL-encoded header at Intel's).
// Nothing is believed: attest::VerifyDocument, or Store::Take, decides.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "collateral/addresses.h"
#include "net/http_client.h"

namespace cce::collateral {

struct FetchFailure {
  Error error;
  // The source itself fails or asks to be left alone (no answer, 429, 5xx), so that asking it for
  // something else is vain, too.
  bool source = false;
  std::optional<int64_t> retry_after;  // seconds, as the source asks
};

class Fetcher {
 public:
  // `go_on`: asked a few times a second while a request runs; false ends it (net.cancelled). May be
  // empty.
  explicit Fetcher(Addresses addresses, std::function<bool()> go_on = nullptr)
      : addresses_(std::move(addresses)), go_on_(std::move(go_on)) {}

  // Blocks for at most the addresses' timeout. `issuers`: the chain for documents that come
  // without one (root CRL, SNP CRL, VEK), in DER. Bodies are bounded. Not thread-safe.
  tl::expected<attest::CollateralDocument, FetchFailure> Fetch(const attest::DocumentKey& key,
                                                               const std::vector<Bytes>& issuers,
                                                               UnixSeconds now);

 private:
  Result<net::HttpClient*> Client(const std::string& base_url);

  const Addresses addresses_;
  const std::function<bool()> go_on_;
  std::map<std::string, std::unique_ptr<net::HttpClient>> clients_;
};

// Retry-After of RFC 9110: seconds, or a date (then from `now`). Empty for anything else.
std::optional<int64_t> ReadRetryAfter(std::string_view text, UnixSeconds now);

// The document in an answer's body and headers (names in lower case). Errors: collateral.malformed.
Result<attest::CollateralDocument> ReadAnswer(const attest::DocumentKey& key, ByteView body,
                                              const std::map<std::string, std::string>& headers,
                                              const std::vector<Bytes>& issuers);

}  // namespace cce::collateral
