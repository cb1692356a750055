#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "net/tls_context.h"

namespace cce::net {
namespace {

// Empties OpenSSL's error queue into one line.
std::string OpenSslReason() {
  std::string reason;
  while (const unsigned long e = ERR_get_error()) {
    char text[256];
    ERR_error_string_n(e, text, sizeof text);
    if (reason.empty()) reason = text;
  }
  return reason;
}

Unexpected FailTls(std::string_view what) {
  std::string message(what);
  if (const std::string reason = OpenSslReason(); !reason.empty()) message += ": " + reason;
  return Fail("net.tls", std::move(message));
}

struct X509Free {
  void operator()(X509* c) const { X509_free(c); }
};
using X509Ptr = std::unique_ptr<X509, X509Free>;

bool AddExtension(X509* certificate, int nid, const char* value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value);
  if (extension == nullptr) return false;
  const bool ok = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return ok;
}

bool SetSubject(X509* certificate, std::string_view subject) {
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(subject.data()),
                                    static_cast<int>(subject.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

// RFC 5280, appendix A.1: ub-common-name.
constexpr size_t kMaxSubject = 64;

Result<X509Ptr> MakeX509(const crypto::P256PrivateKey& key, std::string_view subject) {
  if (subject.empty() || subject.size() > kMaxSubject) {
    return Fail("input.malformed", "a certificate's subject has 1 to 64 bytes");
  }
  X509Ptr certificate(X509_new());
  // The serial comes from the key, so that one key always has one certificate up to its signature.
  const auto serial = crypto::Sha256(key.public_key());
  X509* c = certificate.get();
  const bool ok =
      c != nullptr && X509_set_version(c, X509_VERSION_3) == 1 &&
      ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), ReadU64(serial.data()) >> 1) == 1 &&
      ASN1_TIME_set_string_X509(X509_getm_notBefore(c), "19700101000000Z") == 1 &&
      ASN1_TIME_set_string_X509(X509_getm_notAfter(c), "99991231235959Z") == 1 &&
      SetSubject(c, subject) && X509_set_pubkey(c, key.evp()) == 1 &&
      AddExtension(c, NID_basic_constraints, "critical,CA:FALSE") &&
      AddExtension(c, NID_key_usage, "critical,digitalSignature") &&
      AddExtension(c, NID_ext_key_usage, "serverAuth,clientAuth") &&
      X509_sign(c, key.evp(), EVP_sha256()) > 0;
  if (!ok) return FailTls("cannot make a certificate");
  return certificate;
}

// Replaces OpenSSL's chain building: the key alone decides. Possession of the key is proven by the
// handshake's CertificateVerify, which OpenSSL checks in any case.
int VerifyClientKey(X509_STORE_CTX* store, void* arg) {
  const auto& allowed = *static_cast<const std::vector<SpkiHash>*>(arg);
  const auto hash = SpkiOf(X509_STORE_CTX_get0_cert(store));
  for (const SpkiHash& one : allowed) {
    if (hash == one) return 1;
  }
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

// SubjectPublicKeyInfo of id-ecPublicKey on prime256v1 up to the point itself (RFC 5480).
constexpr uint8_t kP256SpkiPrefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                       0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                       0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

}  // namespace

Result<TlsIdentity> TlsIdentity::Make(const crypto::P256PrivateKey& key, std::string_view subject) {
  ASSIGN_OR_RETURN(X509Ptr certificate, MakeX509(key, subject));
  TlsIdentity identity;
  EVP_PKEY_up_ref(key.evp());
  identity.key_ = std::shared_ptr<EVP_PKEY>(key.evp(), EVP_PKEY_free);
  identity.certificate_ = std::shared_ptr<X509>(certificate.release(), X509_free);
  return identity;
}

bool TlsIdentity::InstallIn(SSL_CTX* ctx) const {
  return SSL_CTX_use_certificate(ctx, certificate_.get()) == 1 &&
         SSL_CTX_use_PrivateKey(ctx, key_.get()) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

Result<SslCtx> MakeServerContext(const TlsIdentity& identity,
                                 const std::vector<SpkiHash>& allowed_clients) {
  SslCtx ctx(SSL_CTX_new(TLS_server_method()));
  if (!ctx || SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION) != 1 ||
      !identity.InstallIn(ctx.get())) {
    return FailTls("cannot make a TLS context");
  }
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(ctx.get(), 0);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(ctx.get(), 0);
  SSL_CTX_set_read_ahead(ctx.get(), 1);
  SSL_CTX_set_default_read_buffer_len(ctx.get(), kTlsReadAhead);
  if (!allowed_clients.empty()) {
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(ctx.get(), VerifyClientKey,
                                     const_cast<std::vector<SpkiHash>*>(&allowed_clients));
  }
  return ctx;
}

std::optional<SpkiHash> SpkiOf(X509* certificate) {
  unsigned char* der = nullptr;
  const int size =
      certificate == nullptr ? -1 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return std::nullopt;
  const SpkiHash hash = crypto::Sha256({der, static_cast<size_t>(size)});
  OPENSSL_free(der);
  return hash;
}

std::optional<SpkiHash> PeerSpki(SSL* ssl) { return SpkiOf(SSL_get0_peer_certificate(ssl)); }

Result<Bytes> MakeSelfSignedCertificate(const crypto::P256PrivateKey& key,
                                        std::string_view subject) {
  ASSIGN_OR_RETURN(X509Ptr certificate, MakeX509(key, subject));
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (size <= 0) return FailTls("cannot encode a certificate");
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Result<SpkiHash> SpkiSha256(const crypto::P256PrivateKey& key) {
  return SpkiSha256(key.public_key());
}

Result<SpkiHash> SpkiSha256(ByteView public_key) {
  TRY(crypto::P256CheckPublicKey(public_key));
  Bytes spki(std::begin(kP256SpkiPrefix), std::end(kP256SpkiPrefix));
  Append(spki, public_key);
  return crypto::Sha256(spki);
}

Result<SpkiHash> CertificateSpkiSha256(ByteView certificate) {
  const unsigned char* at = certificate.data();
  X509Ptr parsed(d2i_X509(nullptr, &at, static_cast<long>(certificate.size())));
  if (!parsed || at != certificate.data() + certificate.size()) {
    ERR_clear_error();
    return Fail("input.malformed", "not an X.509 certificate");
  }
  const auto hash = SpkiOf(parsed.get());
  if (!hash) return Fail("input.malformed", "a certificate without a key");
  return *hash;
}

Result<std::shared_ptr<const crypto::P256PrivateKey>> LoadOrMakeTlsKey(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) {
    ASSIGN_OR_RETURN(auto made, crypto::P256PrivateKey::Generate());
    const SecretBytes scalar = made.ExposeScalar();
    std::string text = ToHex(scalar.Expose()) + "\n";
    const auto written = WriteFileAtomic(path, AsBytes(text), 0600);
    Wipe(text);
    TRY(written);
  }
  ASSIGN_OR_RETURN(const SecretBytes text, ReadSecretFile(path, 128));
  std::string_view hex = AsText(text.Expose());
  while (!hex.empty() && (hex.back() == '\n' || hex.back() == '\r')) hex.remove_suffix(1);
  auto scalar = FromHex(hex);
  if (!scalar) return Fail("crypto.bad_key", path + " does not hold a key in hex");
  const SecretBytes secret = SecretBytes::Adopt(std::move(*scalar));
  ASSIGN_OR_RETURN(auto key, crypto::P256PrivateKey::FromScalar(secret.Expose()));
  return std::make_shared<const crypto::P256PrivateKey>(std::move(key));
}

}  // namespace cce::net
