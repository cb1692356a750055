#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "net/test_support.h"

namespace cce::net {
namespace {

crypto::P256PrivateKey NewKey() { return Must(crypto::P256PrivateKey::Generate()); }

TEST(Certificate, CarriesTheKey) {
  const auto key = NewKey();
  const Bytes der = Must(MakeSelfSignedCertificate(key, "cced"));
  const SpkiHash hash = Must(SpkiSha256(key));
  EXPECT_EQ(Must(CertificateSpkiSha256(der)), hash);
  EXPECT_EQ(Must(SpkiSha256(ByteView(key.public_key()))), hash);
  EXPECT_NE(Must(SpkiSha256(NewKey())), hash);
  const unsigned char* at = der.data();
  X509* certificate = d2i_X509(nullptr, &at, static_cast<long>(der.size()));
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate, key.evp()), 1);
  X509_free(certificate);
}

TEST(Certificate, RefusesNonsense) {
  EXPECT_EQ(CodeOf(CertificateSpkiSha256(AsBytes("nonsense"))), "input.malformed");
  Bytes der = Must(MakeSelfSignedCertificate(NewKey(), "cced"));
  der.push_back(0);
  EXPECT_EQ(CodeOf(CertificateSpkiSha256(der)), "input.malformed");
  EXPECT_EQ(CodeOf(MakeSelfSignedCertificate(NewKey(), "")), "input.malformed");
  EXPECT_EQ(CodeOf(MakeSelfSignedCertificate(NewKey(), std::string(65, 'a'))), "input.malformed");
  EXPECT_EQ(CodeOf(SpkiSha256(Bytes(65))), "crypto.bad_key");
}

TEST(TlsKeyFile, IsMadeOnceAndChecked) {
  char folder[] = "/tmp/tls_test.XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/key";
  const auto first = Must(LoadOrMakeTlsKey(path));
  const auto second = Must(LoadOrMakeTlsKey(path));
  EXPECT_EQ(first->public_key(), second->public_key());
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_TRUE(WriteFileAtomic(path, AsBytes("no key\n")));
  EXPECT_EQ(CodeOf(LoadOrMakeTlsKey(path)), "crypto.bad_key");
  ::unlink(path.c_str());
  ::rmdir(folder);
}

// What OpenSSL's own client sees of our server.
struct Handshake {
  bool ok = false;
  int version = 0;
  bool resumable = false;
};
Handshake Connect(uint16_t port, int max_version) {
  Handshake out;
  const RawSocket socket(port);
  SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(ctx, max_version);
  SSL* ssl = SSL_new(ctx);
  SSL_set_fd(ssl, socket.fd());
  out.ok = SSL_connect(ssl) == 1;
  if (out.ok) {
    out.version = SSL_version(ssl);
    const std::string_view request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    SSL_write(ssl, request.data(), static_cast<int>(request.size()));
    char buffer[4096];
    while (SSL_read(ssl, buffer, sizeof buffer) > 0) {
    }
    out.resumable = SSL_SESSION_is_resumable(SSL_get_session(ssl)) == 1;
    SSL_shutdown(ssl);
  }
  SSL_free(ssl);
  SSL_CTX_free(ctx);
  return out;
}

TEST(TlsServer, SpeaksOnly13WithoutTickets) {
  const auto key = NewKey();
  ServerOptions options;
  options.tls_key = &key;
  const auto server = Serve({}, options);
  const Handshake now = Connect(server->port(), TLS1_3_VERSION);
  EXPECT_TRUE(now.ok);
  EXPECT_EQ(now.version, TLS1_3_VERSION);
  EXPECT_FALSE(now.resumable);
  EXPECT_FALSE(Connect(server->port(), TLS1_2_VERSION).ok);
}

TEST(TlsServer, PlainBytesAreNoHandshake) {
  const auto key = NewKey();
  ServerOptions options;
  options.tls_key = &key;
  const auto server = Serve({}, options);
  const std::string answer = RawSocket(server->port()).Ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.find("HTTP/"), std::string::npos);
  EXPECT_EQ(answer.find("<timeout>"), std::string::npos);
}

TEST(TlsServer, SilentHandshakeTimesOut) {
  const auto key = NewKey();
  ServerOptions options;
  options.tls_key = &key;
  options.header_timeout = std::chrono::milliseconds(100);
  const auto server = Serve({}, options);
  EXPECT_EQ(RawSocket(server->port()).ReadToEnd(), "");
}

TEST(TlsServer, ClientKeysNeedTls) {
  ServerOptions options;
  options.allowed_clients.push_back({});
  EXPECT_EQ(CodeOf(HttpServer::Start(options, {})), "net.tls");
}

}  // namespace
}  // namespace cce::net
