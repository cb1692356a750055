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

// A record of 16 KiB on the wire: header, bytes, their type, tag (RFC 8446, 5.2).
inline constexpr size_t kTlsRecord = 5 + (size_t{16} << 10) + 1 + 16;
// How much a server's connection takes off its socket at once: whole records, and some bytes that
// OpenSSL leaves out to align them. For each record OpenSSL moves all that follow to the front, so
// much more than this costs more than the reads it saves. The buffer is there only while something
// is in it (SSL_MODE_RELEASE_BUFFERS).
inline constexpr size_t kTlsReadAhead = 4 * kTlsRecord + 8;

// TLS 1.3 only, no tickets, no session cache, no early data. `allowed_clients` not empty: a client
// certificate is demanded and its key must be one of them; the vector must outlive the context.
Result<SslCtx> MakeServerContext(const TlsIdentity& identity,
                                 const std::vector<SpkiHash>& allowed_clients);

// Of the peer's certificate; empty where it showed none.
std::optional<SpkiHash> PeerSpki(SSL* ssl);
std::optional<SpkiHash> SpkiOf(X509* certificate);

}  // namespace cce::net
