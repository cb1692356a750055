// What is kept: verified, for what was asked, never older; and its file.
#include "collateral/store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "attest/test_platform.h"
#include "base/file.h"

namespace cce::collateral {
namespace {

using attest::DocumentKind;
using attest::testing::kDay;
using attest::testing::kNow;

struct Platform : attest::testing::TdxPlatform {
  Platform() {
    pck_crl.number = 5;
    Make();
  }
  void Make() {
    Build();
    const std::vector<Bytes> pck =
        *attest::ParsePemChain(AsText(attest::ParseTdxQuote(quote)->pck_chain_pem));
    collateral.tdx->pck_crl_chain = {pck[1], pck[2]};
  }
  std::vector<attest::TrustedRoot> roots() const { return StrictPolicyOfTest().roots; }
  attest::CollateralNeed need() const {
    return *attest::GenuineNeedOf(*attest::ParseEvidence(quote), roots(), kNow);
  }
  CollateralDocument Of(DocumentKind kind) const {
    for (const CollateralDocument& document : attest::DocumentsOf(collateral)) {
      if (document.kind == kind) return document;
    }
    return {};
  }
};

void TakeAll(Store& store, const Platform& platform, UnixSeconds now = kNow) {
  for (const CollateralDocument& document : attest::DocumentsOf(platform.collateral)) {
    const auto taken = store.Take(document, now);
    ASSERT_TRUE(taken) << FormatError(taken.error());
  }
}

std::string CodeOf(const Result<Store::Taken>& taken) {
  return taken ? "taken" : taken.error().code;
}

TEST(CollateralStore, GivesWhatIsInForceAndNamesWhatIsMissing) {
  Platform p;
  Store store(p.roots(), 16);
  EXPECT_EQ(store.Compose(p.need(), false, kNow).missing.size(), 4u);
  TakeAll(store, p);
  const Composed whole = store.Compose(p.need(), false, kNow);
  EXPECT_TRUE(whole.missing.empty());
  EXPECT_EQ(attest::ToBundleJson(whole.collateral), attest::ToBundleJson(p.collateral));
  // The CRLs of the test platform end after 29 days, its documents a little later.
  const Composed late = store.Compose(p.need(), false, kNow + 29 * kDay + 1);
  ASSERT_FALSE(late.missing.empty());
  EXPECT_EQ(late.missing[0], (DocumentKey{DocumentKind::kRootCrl, "root"}));
}

TEST(CollateralStore, TheSameAgainIsNoChange) {
  Platform p;
  Store store(p.roots(), 16);
  TakeAll(store, p);
  const uint64_t version = store.version();
  TakeAll(store, p, kNow + 60);
  EXPECT_EQ(store.version(), version);
  EXPECT_EQ(store.Find({DocumentKind::kTcbInfo, "b0c06f000000"})->taken_at, kNow + 60);
}

TEST(CollateralStore, AnOlderOneNeverReplacesANewerOne) {
  Platform p;
  Store store(p.roots(), 16);
  TakeAll(store, p);
  const auto older = [&](auto change, DocumentKind kind) {
    Platform old = p;
    change(old);
    old.Make();
    // Its own root certificate was signed anew; the key is the same, so pin by key.
    CollateralDocument document = old.Of(kind);
    document.chain = p.Of(kind).chain;
    const uint64_t version = store.version();
    const auto taken = store.Take(document, kNow);
    EXPECT_EQ(store.version(), version);
    return CodeOf(taken);
  };
  EXPECT_EQ(older([](Platform& o) { o.Replace(o.tcb_info, "2026-09-20T", "2026-09-19T"); },
                  DocumentKind::kTcbInfo),
            "collateral.older");
  EXPECT_EQ(older([](Platform& o) { o.Replace(o.tcb_info, "Number\":20", "Number\":19"); },
                  DocumentKind::kTcbInfo),
            "collateral.older");
  EXPECT_EQ(older([](Platform& o) { o.Replace(o.qe_identity, "Number\":19", "Number\":18"); },
                  DocumentKind::kQeIdentity),
            "collateral.older");
  EXPECT_EQ(older([](Platform& o) { o.pck_crl.number = 4; }, DocumentKind::kPckCrl),
            "collateral.older");
  EXPECT_EQ(older([](Platform& o) { o.root_crl.this_update -= 1; }, DocumentKind::kRootCrl),
            "collateral.older");
}

TEST(CollateralStore, ANewerOneReplacesTheOldOne) {
  Platform p;
  Store store(p.roots(), 16);
  TakeAll(store, p);
  Platform next = p;
  next.Replace(next.tcb_info, "2026-09-20T", "2026-09-21T");
  next.Make();
  CollateralDocument document = next.Of(DocumentKind::kTcbInfo);
  document.chain = p.Of(DocumentKind::kTcbInfo).chain;
  const auto taken = store.Take(document, kNow);
  ASSERT_TRUE(taken) << FormatError(taken.error());
  EXPECT_TRUE(taken->changed);
  EXPECT_EQ(store.Compose(p.need(), false, kNow).collateral.tdx->tcb_info.body, next.tcb_info);
}

TEST(CollateralStore, NothingUnsignedStaleOrForAnotherComesIn) {
  Platform p, other;
  Store store(p.roots(), 16);
  CollateralDocument forged = p.Of(DocumentKind::kTcbInfo);
  forged.signature[0] ^= 1;
  EXPECT_EQ(CodeOf(store.Take(forged, kNow)), "evidence.signature");
  EXPECT_EQ(CodeOf(store.Take(other.Of(DocumentKind::kTcbInfo), kNow)), "evidence.untrusted_root");
  EXPECT_EQ(CodeOf(store.Take(p.Of(DocumentKind::kTcbInfo), kNow + 60 * kDay)),
            "evidence.collateral_expired");
  const DocumentKey another{DocumentKind::kTcbInfo, "00906ed50000"};
  EXPECT_EQ(CodeOf(store.Take(p.Of(DocumentKind::kTcbInfo), kNow, &another)),
            "collateral.other_subject");
  EXPECT_TRUE(store.All().empty());
}

// A thief of a revoked signing key cannot poison what is kept.
TEST(CollateralStore, WhoIsRevokedReplacesNothing) {
  Platform p;
  p.root_crl.revoked = {p.signing.serial};
  p.Make();
  Store store(p.roots(), 16);
  EXPECT_EQ(CodeOf(store.Take(p.Of(DocumentKind::kTcbInfo), kNow)), "taken");
  EXPECT_EQ(CodeOf(store.Take(p.Of(DocumentKind::kRootCrl), kNow)), "taken");
  EXPECT_EQ(CodeOf(store.Take(p.Of(DocumentKind::kQeIdentity), kNow)), "evidence.revoked");
}

TEST(CollateralStore, IsBoundedAndForgetsTheLeastUsed) {
  attest::testing::SnpPlatform s;
  s.Build();
  std::vector<attest::TrustedRoot> roots = s.StrictPolicyOfTest().roots;
  Store store(roots, 4);
  const Bytes ark = s.ark_der;
  for (uint8_t chip = 1; chip <= 6; ++chip) {
    s.hwid = Bytes(64, chip);
    s.Build();
    CollateralDocument vek{
        DocumentKind::kVek, s.collateral.snp->vek, {}, {s.collateral.snp->ask, ark}};
    ASSERT_EQ(CodeOf(store.Take(vek, kNow)), "taken");
    EXPECT_LE(store.All().size(), 4u);
  }
  const auto subject = [&](uint8_t chip) {
    return DocumentKey{
        DocumentKind::kVek,
        attest::VekSubject(attest::SnpProduct::kMilan, {0, 4, 0, 24, 219}, ToHex(Bytes(64, chip)))};
  };
  EXPECT_FALSE(store.Find(subject(1)));
  EXPECT_TRUE(store.Find(subject(6)));
}

class StoreFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "store-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder + "/collateral.json";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Platform p_;
  std::string folder_, path_;
};

TEST_F(StoreFileTest, ComesBackVerified) {
  Store store(p_.roots(), 16);
  TakeAll(store, p_);
  ASSERT_TRUE(store.Save(path_));
  Store again(p_.roots(), 16);
  const auto refused = again.Load(path_, kNow + 60);
  ASSERT_TRUE(refused) << FormatError(refused.error());
  EXPECT_TRUE(refused->empty());
  EXPECT_TRUE(again.Compose(p_.need(), false, kNow + 60).missing.empty());
  EXPECT_EQ(again.Find({DocumentKind::kRootCrl, "root"})->taken_at, kNow);
}

TEST_F(StoreFileTest, AnEndedDocumentIsNotGivenButKeepsOlderOnesOut) {
  Store store(p_.roots(), 16);
  TakeAll(store, p_);
  ASSERT_TRUE(store.Save(path_));
  Store again(p_.roots(), 16);
  const UnixSeconds late = kNow + 60 * kDay;
  ASSERT_TRUE(again.Load(path_, late)->empty());
  EXPECT_EQ(again.Compose(p_.need(), false, late).missing.size(), 4u);
  Platform old = p_;
  old.Replace(old.tcb_info, "Number\":20", "Number\":19");
  old.Replace(old.tcb_info, "2026-10-20T", "2027-10-20T");
  old.Make();
  CollateralDocument document = old.Of(DocumentKind::kTcbInfo);
  document.chain = p_.Of(DocumentKind::kTcbInfo).chain;
  EXPECT_EQ(CodeOf(again.Take(document, late)), "collateral.older");
}

TEST_F(StoreFileTest, AnEditedFileGivesNothing) {
  Store store(p_.roots(), 16);
  TakeAll(store, p_);
  ASSERT_TRUE(store.Save(path_));
  const std::string text = *ReadTextFile(path_, 1 << 22);
  // Another root than the pinned one: none of it.
  Platform other;
  Store foreign(other.roots(), 16);
  EXPECT_EQ(foreign.Load(path_, kNow)->size(), 4u);
  EXPECT_TRUE(foreign.All().empty());
  // One bit of a body: that document is left out.
  std::string edited = text;
  const std::string body = ToBase64(p_.Of(DocumentKind::kTcbInfo).body);
  const size_t at = edited.find(body);
  ASSERT_NE(at, std::string::npos);
  edited[at + 60] = edited[at + 60] == 'A' ? 'B' : 'A';
  ASSERT_TRUE(WriteFileAtomic(path_, AsBytes(edited)));
  Store partly(p_.roots(), 16);
  EXPECT_EQ(partly.Load(path_, kNow)->size(), 1u);
  EXPECT_EQ(partly.All().size(), 3u);
  for (const char* bad : {"", "{}", "[]", R"({"version":2,"documents":[]})",
                          R"({"version":1,"documents":[{"kind":"x"}]})"}) {
    ASSERT_TRUE(WriteFileAtomic(path_, AsBytes(bad)));
    Store empty(p_.roots(), 16);
    EXPECT_FALSE(empty.Load(path_, kNow)) << bad;
  }
}

}  // namespace
}  // namespace cce::collateral
