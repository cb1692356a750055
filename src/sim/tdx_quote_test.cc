#include "sim/tdx_quote.h"

#include <gtest/gtest.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "base/clock.h"
#include "crypto/hash.h"
#include "sim/test_folder.h"

// Reads quotes back with numbers of its own, taken from Intel's documents and the shape of real
// quotes, and verifies signatures with OpenSSL alone.
namespace cce::sim {
namespace {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

uint32_t Le(ByteView bytes) {
  uint32_t out = 0;
  for (size_t i = bytes.size(); i > 0; --i) out = out << 8 | bytes[i - 1];
  return out;
}

// The parts of a quote by offset; `shift` is where a version 5 body lies further back.
struct Parsed {
  Bytes quote;
  size_t body = 48;
  size_t body_size = 584;
  ByteView At(size_t offset, size_t size) const { return ByteView(quote).subspan(offset, size); }
  ByteView Body(size_t offset, size_t size) const { return At(body + offset, size); }
  size_t SignatureData() const { return body + body_size + 4; }
  ByteView Signature(size_t offset, size_t size) const {
    return At(SignatureData() + offset, size);
  }
  ByteView Signed() const { return At(0, body + body_size); }
};

Parsed ParseQuote(Bytes quote) {
  Parsed out{.quote = std::move(quote)};
  if (Le(out.At(0, 2)) == 5) {
    EXPECT_EQ(Le(out.At(48, 2)), 3u);
    EXPECT_EQ(Le(out.At(50, 4)), 648u);
    out.body = 54;
    out.body_size = 648;
  }
  return out;
}

PkeyPtr KeyFromPoint(ByteView xy) {
  Bytes spki = *FromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
  Append(spki, xy);
  const uint8_t* p = spki.data();
  return PkeyPtr(d2i_PUBKEY(nullptr, &p, static_cast<long>(spki.size())));
}

bool Verifies(EVP_PKEY* key, ByteView message, ByteView rs) {
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(rs.data(), 32, nullptr),
                 BN_bin2bn(rs.data() + 32, 32, nullptr));
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const bool good = EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
                    EVP_DigestVerify(context.get(), der, static_cast<size_t>(size), message.data(),
                                     message.size()) == 1;
  OPENSSL_free(der);
  return good;
}

class TdxQuote : public testing::Test {
 protected:
  TdxQuote() : chip_(*Chip::Open(folder_.path(), SystemClock())) {
    measurement_.mrtd.fill(0x11);
    for (size_t i = 0; i < 4; ++i) measurement_.rtmr[i].fill(static_cast<uint8_t>(0x20 + i));
    measurement_.mrconfigid.fill(0x33);
    for (size_t i = 0; i < 64; ++i) report_data_[i] = static_cast<uint8_t>(i);
  }

  Parsed Quote(std::string_view defect = "") {
    const TdxQuoteSource source(chip_, measurement_, **FindDefect(defect));
    auto quote = source.NewReport(report_data_);
    EXPECT_TRUE(quote);
    return ParseQuote(std::move(*quote));
  }

  static bool QuoteSignatureGood(const Parsed& q) {
    return Verifies(KeyFromPoint(q.Signature(64, 64)).get(), q.Signed(), q.Signature(0, 64));
  }
  static bool QeSignatureGood(const Parsed& q) {
    const std::string pem(AsText(q.Signature(134 + 384 + 64 + 2 + 32 + 6, 2000)));
    const std::unique_ptr<BIO, FreeWith<BIO_free_all>> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const std::unique_ptr<X509, FreeWith<X509_free>> leaf(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    return leaf &&
           Verifies(X509_get0_pubkey(leaf.get()), q.Signature(134, 384), q.Signature(518, 64));
  }

  TestFolder folder_;
  Chip chip_;
  protocol::ChipMeasurement measurement_;
  ByteArray<64> report_data_{};
};

TEST_F(TdxQuote, Version4Layout) {
  const Parsed q = Quote();
  EXPECT_EQ(ToHex(q.At(0, 28)),
            "04000200810000000000000"  // version, key type, TEE, 4 zeros
            "0939a7233f79c4ca9940a0db3957f0607");
  EXPECT_TRUE(Equal(q.Body(0, 16), *FromHex("06010500000000000000000000000000")));
  EXPECT_EQ(ToHex(q.Body(64, 56)), std::string(112, '0'));
  EXPECT_EQ(ToHex(q.Body(120, 16)), "0000001000000000e702060000000000");
  EXPECT_TRUE(Equal(q.Body(136, 48), measurement_.mrtd));
  EXPECT_TRUE(Equal(q.Body(184, 48), measurement_.mrconfigid));
  EXPECT_EQ(ToHex(q.Body(232, 96)), std::string(192, '0'));
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(Equal(q.Body(328 + 48 * i, 48), measurement_.rtmr[i]));
  EXPECT_TRUE(Equal(q.Body(520, 64), report_data_));
  EXPECT_TRUE(QuoteSignatureGood(q));
  EXPECT_TRUE(QeSignatureGood(q));
}

TEST_F(TdxQuote, SignatureDataLayout) {
  const Parsed q = Quote();
  const size_t size = Le(q.At(632, 4));
  EXPECT_EQ(Le(q.Signature(128, 2)), 6u);
  EXPECT_EQ(Le(q.Signature(130, 4)), size - 134);
  EXPECT_EQ(Le(q.Signature(582, 2)), 32u);
  EXPECT_EQ(Le(q.Signature(616, 2)), 5u);
  const size_t chain = Le(q.Signature(618, 4));
  EXPECT_EQ(622 + chain, size);
  EXPECT_EQ(AsText(q.Signature(622, chain)), chip_.PckChain(Pck::kCurrent) + '\0');
  // The QE report binds the attestation key.
  Bytes bound = ToBytes(q.Signature(64, 64));
  Append(bound, q.Signature(584, 32));
  EXPECT_TRUE(Equal(q.Signature(134 + 320, 32), crypto::Sha256(bound)));
  EXPECT_EQ(ToHex(q.Signature(134 + 352, 32)), std::string(64, '0'));
  EXPECT_EQ(Le(q.Signature(134 + 256, 2)), 2u);
  // Zeros to 8000 bytes.
  EXPECT_EQ(q.quote.size(), 8000u);
  EXPECT_TRUE(std::all_of(q.quote.begin() + static_cast<long>(636 + size), q.quote.end(),
                          [](uint8_t b) { return b == 0; }));
}

TEST_F(TdxQuote, Version5Layout) {
  const Parsed q = Quote("v5");
  EXPECT_EQ(Le(q.At(0, 2)), 5u);
  EXPECT_TRUE(Equal(q.Body(136, 48), measurement_.mrtd));
  EXPECT_TRUE(Equal(q.Body(520, 64), report_data_));
  EXPECT_TRUE(Equal(q.Body(584, 16), q.Body(0, 16)));
  EXPECT_EQ(ToHex(q.Body(600, 48)), std::string(96, '0'));
  EXPECT_TRUE(QuoteSignatureGood(q));
  EXPECT_TRUE(QeSignatureGood(q));
}

TEST_F(TdxQuote, RefusesOtherSizesThan64) {
  const TdxQuoteSource source(chip_, measurement_, **FindDefect(""));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{65}}) {
    const auto quote = source.NewReport(Bytes(size));
    ASSERT_FALSE(quote) << size;
    EXPECT_EQ(quote.error().code, "input.malformed");
  }
}

TEST_F(TdxQuote, SignaturesBreakOnlyWhereTheDefectSaysSo) {
  for (const Defect& defect : AllDefects()) {
    const Parsed q = Quote(defect.name);
    EXPECT_EQ(QuoteSignatureGood(q), defect.name != "bad-quote-signature") << defect.name;
    EXPECT_EQ(QeSignatureGood(q), defect.name != "bad-qe-signature") << defect.name;
  }
}

TEST_F(TdxQuote, DefectsAreWhereTheyShouldBe) {
  EXPECT_EQ(Quote("debug-td").Body(120, 1)[0], 1);
  EXPECT_EQ(Quote("no-sept-ve-disable").Body(123, 1)[0], 0);
  EXPECT_FALSE(Equal(Quote("other-mrconfigid").Body(184, 48), measurement_.mrconfigid));
  EXPECT_FALSE(Equal(Quote("other-mrtd").Body(136, 48), measurement_.mrtd));
  EXPECT_FALSE(Equal(Quote("wrong-report-data").Body(520, 64), report_data_));
  EXPECT_EQ(Quote("out-of-date-module").Body(0, 1)[0], 4);
  EXPECT_NE(ToHex(Quote("service-td").Body(600, 48)), std::string(96, '0'));
  const auto chain = [](const Parsed& q) {
    return std::string(AsText(q.Signature(622, Le(q.Signature(618, 4)) - 1)));
  };
  EXPECT_EQ(chain(Quote("out-of-date-tcb")), chip_.PckChain(Pck::kOld));
  EXPECT_EQ(chain(Quote("revoked-pck")), chip_.PckChain(Pck::kRevoked));
}

TEST(Defects, UnknownNamesAreRefused) {
  EXPECT_FALSE(FindDefect("no-such-defect"));
  EXPECT_TRUE(FindDefect(""));
}

}  // namespace
}  // namespace cce::sim
