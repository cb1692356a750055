// TLS keys and their names. A peer is known by the SHA-256 of its public key (SPKI), never by a
// certificate's chain or subject: certificates here are only the key's wrapping.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::crypto {
class P256PrivateKey;
}

namespace cce::net {

// SHA-256 of the DER SubjectPublicKeyInfo, as in RFC 7469 and curl's pins.
using SpkiHash = ByteArray<32>;

// A self-signed X.509 v3 certificate (DER) over the key, for TLS server and client. Its validity is
// wide open (1970 to 9999): the pin decides, and a wrong clock must not.
Result<Bytes> MakeSelfSignedCertificate(const crypto::P256PrivateKey& key,
                                        std::string_view subject);

// Of the key itself.
Result<SpkiHash> SpkiSha256(const crypto::P256PrivateKey& key);
// Of a P-256 public key, SEC1 uncompressed (65 bytes).
Result<SpkiHash> SpkiSha256(ByteView public_key);
// Of a DER certificate's key, whatever its kind.
Result<SpkiHash> CertificateSpkiSha256(ByteView certificate);

// A TLS key that lives in a file (32-byte scalar in hex, mode 0600), made at first use: for
// programs that have a TLS identity and no other secret.
Result<std::shared_ptr<const crypto::P256PrivateKey>> LoadOrMakeTlsKey(const std::string& path);

}  // namespace cce::net
