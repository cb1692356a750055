#include "sim/chip.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "sim/attest_support.h"
#include "sim/certificates.h"

namespace cce::sim {
namespace {

constexpr UnixSeconds kNow = kTestTime;

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;

std::vector<X509Ptr> ReadChain(const std::string& pem) {
  std::vector<X509Ptr> out;
  const std::unique_ptr<BIO, FreeWith<BIO_free_all>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) out.emplace_back(one);
  return out;
}

json::object Bundle(const Chip& chip) { return chip.Bundle(chip.documents()); }

std::string Text(const json::object& object, std::string_view name) {
  return std::string(object.at(name).as_string());
}

CrlPtr ReadCrl(const json::object& bundle, std::string_view name) {
  const Bytes der = *FromHex(Text(bundle, name));
  const uint8_t* p = der.data();
  return CrlPtr(d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size())));
}

// OpenSSL's own opinion of a chain with both CRLs: X509_V_OK or the error.
int VerifyChain(const Chip& chip, const std::string& pem, UnixSeconds when) {
  const json::object bundle = Bundle(chip);
  std::vector<X509Ptr> chain = ReadChain(pem);
  const std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), chain.back().get());
  X509_STORE_add_crl(store.get(), ReadCrl(bundle, "root_ca_crl").get());
  X509_STORE_add_crl(store.get(), ReadCrl(bundle, "pck_crl").get());
  X509_STORE_set_flags(store.get(),
                       X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_X509_STRICT);
  const std::unique_ptr<STACK_OF(X509), FreeStack> middle(sk_X509_new_null());
  for (size_t i = 1; i + 1 < chain.size(); ++i) sk_X509_push(middle.get(), chain[i].get());
  const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> context(
      X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), middle.get());
  X509_STORE_CTX_set_time(context.get(), 0, when);
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

TEST(Chip, ChainsVerifyAndTheRevokedOneDoesNot) {
  const TestFolder folder;
  const auto chip = Chip::Open(folder.path(), FixedClock(kNow));
  ASSERT_TRUE(chip) << FormatError(chip.error());
  EXPECT_EQ(VerifyChain(*chip, chip->PckChain(Pck::kCurrent), kNow), X509_V_OK);
  EXPECT_EQ(VerifyChain(*chip, chip->PckChain(Pck::kOld), kNow), X509_V_OK);
  EXPECT_EQ(VerifyChain(*chip, chip->PckChain(Pck::kRevoked), kNow), X509_V_ERR_CERT_REVOKED);
  EXPECT_EQ(VerifyChain(*chip, Text(Bundle(*chip), "tcb_info_issuer_chain"), kNow), X509_V_OK);
  EXPECT_EQ(VerifyChain(*chip, chip->PckChain(Pck::kCurrent), kNow + 31 * 86400),
            X509_V_ERR_CRL_HAS_EXPIRED);
}

TEST(Chip, KeysArePrivateAndStay) {
  const TestFolder folder;
  const auto first = Chip::Open(folder.path(), FixedClock(kNow));
  ASSERT_TRUE(first) << FormatError(first.error());
  for (const char* name : {"root.key", "platform-ca.key", "processor-ca.key", "tcb-signing.key",
                           "pck.key", "pck-old.key", "pck-revoked.key"}) {
    struct stat info{};
    ASSERT_EQ(stat((folder.path() + "/" + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
    EXPECT_EQ(info.st_size, 32) << name;
  }
  const auto second = Chip::Open(folder.path(), FixedClock(kNow + 3600));
  ASSERT_TRUE(second) << FormatError(second.error());
  EXPECT_EQ(second->root_certificate(), first->root_certificate());
  EXPECT_EQ(Bundle(*second), Bundle(*first));
  EXPECT_EQ(second->PckChain(Pck::kCurrent), first->PckChain(Pck::kCurrent));
}

TEST(Chip, CollateralOlderThanADayIsRenewed) {
  const TestFolder folder;
  const auto first = Chip::Open(folder.path(), FixedClock(kNow));
  const auto second = Chip::Open(folder.path(), FixedClock(kNow + 86400));
  ASSERT_TRUE(first && second);
  EXPECT_NE(Bundle(*second), Bundle(*first));
  EXPECT_EQ(second->root_certificate(), first->root_certificate());
  const auto info = ParseJson(Text(Bundle(*second), "tcb_info"));
  ASSERT_TRUE(info);
  EXPECT_EQ(Text(info->as_object(), "issueDate"), FormatTime(kNow + 86400 - 60));
  EXPECT_EQ(VerifyChain(*second, second->PckChain(Pck::kCurrent), kNow + 30 * 86400), X509_V_OK);
}

TEST(Chip, DocumentsAreSignedByteForByte) {
  const TestFolder folder;
  const auto chip = Chip::Open(folder.path(), FixedClock(kNow));
  ASSERT_TRUE(chip);
  const json::object bundle = Bundle(*chip);
  const X509Ptr signer = std::move(ReadChain(Text(bundle, "tcb_info_issuer_chain"))[0]);
  Bytes point(65);
  size_t size = 0;
  ASSERT_EQ(EVP_PKEY_get_octet_string_param(X509_get0_pubkey(signer.get()), "pub", point.data(),
                                            point.size(), &size),
            1);
  for (const std::string name : {"tcb_info", "qe_identity"}) {
    std::string document = Text(bundle, name);
    const Bytes signature = *FromHex(Text(bundle, name + "_signature"));
    EXPECT_TRUE(crypto::P256Verify(point, AsBytes(document), signature)) << name;
    document.back() = ' ';
    EXPECT_FALSE(crypto::P256Verify(point, AsBytes(document), signature)) << name;
  }
}

TEST(Chip, ForeignKeyIsRefused) {
  const TestFolder folder;
  ASSERT_TRUE(Chip::Open(folder.path(), FixedClock(kNow)));
  std::filesystem::rename(folder.path() + "/pck.key", folder.path() + "/platform-ca.key");
  const auto damaged = Chip::Open(folder.path(), FixedClock(kNow));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, "chip.state_invalid");
}

TEST(Chip, SgxExtensionHasTheBytesOfARealOne) {
  PlatformTcb tcb{{4, 4, 2, 2, 4, 1, 0, 5}, 11, {}};
  const auto ppid = ArrayFromHex<16>("d208dfb1002346ae1bb4ef2a3c055292");
  const auto extension = SgxExtension(tcb, *ppid);
  ASSERT_TRUE(extension);
  // Up to FMSPC, which differs, as in the extension of a certificate of Intel's with these values.
  const std::string expected =
      "30820226301e060a2a864886f84d010d01010410d208dfb1002346ae1bb4ef2a3c055292"
      "30820163060a2a864886f84d010d0102308201533010060b2a864886f84d010d01020102010430"
      "10060b2a864886f84d010d0102020201043010060b2a864886f84d010d010203020102";
  EXPECT_EQ(ToHex(*extension).substr(0, expected.size()), expected);
  EXPECT_EQ(extension->size(), 0x226u + 4);
}

}  // namespace
}  // namespace cce::sim
