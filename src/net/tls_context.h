// Private to src/net: OpenSSL contexts for server and client.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/tls.h"

namespace cce::net {

struct SslCtxFree {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using SslCtx = std::unique_ptr<SSL_CTX, SslCtxFree>;

// A key and its self-signed certificate, ready for a context. Holds references of its own.
class TlsIdentity {
 public:
  static Result<TlsIdentity> Make(const crypto::P256PrivateKey& key, std::string_view subject);
  // False where OpenSSL refuses.
  bool InstallIn(SSL_CTX* ctx) const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> certificate_;
};

// TLS 1.3 only, no tickets, no session cache, no early data. `allowed_clients` not empty: a client
// certificate is demanded and its key must be one of them; the vector must outlive the context.
Result<SslCtx> MakeServerContext(const TlsIdentity& identity,
                                 const std::vector<SpkiHash>& allowed_clients);

// Of the peer's certificate; empty where it showed none.
std::optional<SpkiHash> PeerSpki(SSL* ssl);
std::optional<SpkiHash> SpkiOf(X509* certificate);

}  // namespace cce::net
