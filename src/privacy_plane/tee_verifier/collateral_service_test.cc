// The collateral service against a real local HTTP server that goes wrong in every way it must
// survive. Time is the test's own.
#include "privacy_plane/tee_verifier/collateral_service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "collateral/test_service.h"

namespace cce::privacy_plane {
namespace {

using attest::DocumentKind;
using collateral::Vendor;
using collateral::testing::kDay;
using collateral::testing::kNow;
using collateral::testing::TestService;

class TestClock : public Clock {
 public:
  int64_t NowMillis() const override { return millis.load(); }
  void Pass(int64_t seconds) { millis += seconds * 1000; }
  std::atomic<int64_t> millis = kNow * 1000;
};

class CollateralServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "collateral-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    options_.addresses = pcs_.addresses();
    options_.cache_file = folder_ + "/collateral.json";
    options_.max_wait = std::chrono::milliseconds(0);
    Make();
  }
  void TearDown() override {
    service_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Make() {
    service_.reset();
    service_ =
        std::make_unique<CollateralService>(options_, pcs_.roots(), clock_, [] { return 0.0; });
    service_->Load();
  }
  attest::CollateralNeed Need() const { return NeedOf(pcs_.tdx.quote); }
  attest::CollateralNeed NeedOf(ByteView evidence) const {
    return *attest::GenuineNeedOf(*attest::ParseEvidence(evidence), pcs_.roots(), kNow);
  }
  // "" where a set is served, and it makes the verifier accept; else the error.
  std::string Ask() { return AskFor(pcs_.tdx.quote, false); }
  std::string AskFor(ByteView evidence, bool with_vek) {
    const UnixSeconds now = clock_.Now();
    const auto set = service_->For(NeedOf(evidence), with_vek, now);
    if (!set) return set.error().code + ": " + set.error().found;
    attest::Policy policy = attest::StrictPolicy();
    policy.roots = pcs_.roots();
    const attest::Verdict verdict = attest::VerifyBytes(
        evidence, (*set)->collateral, policy, now, attest::ExpectedBinding::WithoutReportData());
    EXPECT_EQ(attest::testing::FirstFailure(verdict), "accepted");
    EXPECT_EQ(attest::ToBundleJson(*attest::ParseBundle((*set)->bundle)), (*set)->bundle);
    return "";
  }
  void Step() { service_->Step(Vendor::kIntel); }
  // Asks in vain, which plans the fetches, and makes them.
  void Fill() {
    EXPECT_NE(Ask(), "");
    Step();
    ASSERT_EQ(Ask(), "");
  }
  std::string TcbInfoServed() {
    return (*service_->For(Need(), false, clock_.Now()))->collateral.tdx->tcb_info.body;
  }
  void ReplaceEverywhere(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
  }
  // The source's next issue, a day later, under the same PKI.
  void PublishNextDay() {
    const std::string day = FormatTime(clock_.Now()).substr(0, 10);
    ReplaceEverywhere(pcs_.tdx.tcb_info, "\"issueDate\":\"2026-09-20", "\"issueDate\":\"" + day);
    ReplaceEverywhere(pcs_.tdx.tcb_info, "\"nextUpdate\":\"2026-10-20",
                      "\"nextUpdate\":\"2026-12-20");
    ReplaceEverywhere(pcs_.tdx.qe_identity, "\"nextUpdate\":\"2026-10-20",
                      "\"nextUpdate\":\"2026-12-20");
    for (auto* crl : {&pcs_.tdx.pck_crl, &pcs_.tdx.root_crl}) {
      crl->this_update = clock_.Now() - 60;
      crl->next_update = clock_.Now() + 60 * kDay;
      crl->number = *crl->number + 1;
    }
    pcs_.Publish();
  }

  TestService pcs_;
  TestClock clock_;
  CollateralOptions options_;
  std::string folder_;
  std::unique_ptr<CollateralService> service_;
};

TEST_F(CollateralServiceTest, FetchesWhatEvidenceNeedsOnceAndServesIt) {
  Fill();
  EXPECT_EQ(pcs_.asked(), 4u);
  Step();
  EXPECT_EQ(Ask(), "");
  EXPECT_EQ(pcs_.asked(), 4u) << "kept, not fetched again";
  const std::vector<std::string> asked = pcs_.Asked();
  EXPECT_EQ(std::ranges::count(asked, "/tdx/certification/v4/tcb?fmspc=b0c06f000000"), 1);
}

TEST_F(CollateralServiceTest, FetchesChainCrlAndVekOfAChip) {
  EXPECT_NE(AskFor(pcs_.snp.signed_report, true), "");
  service_->Step(Vendor::kAmd);
  EXPECT_EQ(AskFor(pcs_.snp.signed_report, true), "");
  EXPECT_EQ(pcs_.Asked().back(), "/vcek/v1/Milan/" + ToHex(pcs_.snp.hwid) +
                                     "?blSPL=04&snpSPL=24&teeSPL=00&ucodeSPL=219");
  EXPECT_EQ(pcs_.asked(), 3u);
}

TEST_F(CollateralServiceTest, ServesWhatIsInForceWhileTheSourceIsDownAndNeverAfterItsEnd) {
  Fill();
  pcs_.Stop();
  clock_.Pass(28 * kDay);
  Step();
  EXPECT_EQ(Ask(), "");
  EXPECT_EQ(service_->Report().sources[0].failed, 1u);
  clock_.Pass(2 * kDay);  // the CRLs end
  const std::string refused = Ask();
  EXPECT_TRUE(refused.starts_with("collateral.unavailable")) << refused;
  EXPECT_NE(refused.find("root_crl root: ended"), std::string::npos) << refused;
  // It comes back: the next attempt mends it.
  pcs_.Start();
  PublishNextDay();
  clock_.Pass(4000);
  Step();
  EXPECT_EQ(Ask(), "");
}

TEST_F(CollateralServiceTest, RefreshesAheadOfTheEnd) {
  Fill();
  pcs_.ForgetAsked();
  clock_.Pass(kDay / 2);
  Step();
  EXPECT_EQ(pcs_.asked(), 0u);
  clock_.Pass(kDay / 2);
  PublishNextDay();
  Step();
  EXPECT_EQ(pcs_.asked(), 4u);
  EXPECT_EQ(TcbInfoServed(), pcs_.tdx.tcb_info);
  // Long after the first documents' end the newer ones serve.
  clock_.Pass(45 * kDay);
  EXPECT_EQ(Ask(), "");
}

TEST_F(CollateralServiceTest, HonoursRetryAfterUpToItsCap) {
  options_.schedule.max_backoff_seconds = 600;
  Make();
  std::atomic<int> wish = 120;
  pcs_.SetHook([&](const std::string&) {
    net::Response busy = net::Response::Text("later", "text/plain", 429);
    busy.headers["Retry-After"] = std::to_string(wish.load());
    return std::optional(busy);
  });
  EXPECT_NE(Ask(), "");
  Step();
  EXPECT_EQ(pcs_.asked(), 1u) << "a source that says 429 is not asked for the rest";
  clock_.Pass(119);
  Step();
  EXPECT_NE(Ask(), "");
  Step();
  EXPECT_EQ(pcs_.asked(), 1u);
  wish = 100'000;
  clock_.Pass(2);
  Step();
  EXPECT_EQ(pcs_.asked(), 2u);
  EXPECT_EQ(service_->Report().sources[0].blocked_seconds, 600);
  pcs_.SetHook(nullptr);
  clock_.Pass(600);
  Step();
  EXPECT_EQ(Ask(), "");
}

TEST_F(CollateralServiceTest, AWrongSignatureReplacesNothing) {
  Fill();
  const std::string before = TcbInfoServed();
  clock_.Pass(kDay);
  PublishNextDay();
  pcs_.Edit("/tdx/certification/v4/tcb", [](net::Response& r) {
    std::string body(AsText(r.body));
    const size_t at = body.find("\"signature\":\"") + 13;
    body[at] = body[at] == '0' ? '1' : '0';
    r.body = ToBytes(body);
  });
  Step();
  EXPECT_EQ(TcbInfoServed(), before);
  EXPECT_EQ(Ask(), "");
  EXPECT_EQ(service_->Report().sources[0].failed, 1u);
  EXPECT_EQ(service_->Report().sources[0].blocked_seconds, 0) << "the others are still asked for";
}

TEST_F(CollateralServiceTest, AnotherFmspcIsNotTaken) {
  pcs_.tdx.Replace(pcs_.tdx.tcb_info, "B0C06F000000", "00906ED50000");
  pcs_.Publish();
  EXPECT_NE(Ask(), "");
  Step();
  const std::string refused = Ask();
  EXPECT_NE(refused.find("tcb_info b0c06f000000"), std::string::npos) << refused;
  EXPECT_NE(refused.find("for something else"), std::string::npos) << refused;
}

TEST_F(CollateralServiceTest, AnOlderDocumentIsNotTaken) {
  clock_.Pass(kDay);
  const std::string old_info = pcs_.tdx.tcb_info;
  const auto old_crl = pcs_.tdx.pck_crl;
  PublishNextDay();
  Fill();
  const std::string newer = TcbInfoServed();
  EXPECT_NE(newer, old_info);
  pcs_.tdx.tcb_info = old_info;
  pcs_.tdx.pck_crl = old_crl;
  pcs_.Publish();
  clock_.Pass(kDay);
  Step();
  EXPECT_EQ(TcbInfoServed(), newer);
  EXPECT_EQ(service_->Report().sources[0].failed, 2u);
}

TEST_F(CollateralServiceTest, ATruncatedChainHeaderOrATooLargeBodyReplacesNothing) {
  Fill();
  const std::string before = TcbInfoServed();
  for (const auto& spoil : std::vector<std::function<void(net::Response&)>>{
           [](net::Response& r) {
             std::string& chain = r.headers.at("TCB-Info-Issuer-Chain");
             chain.resize(chain.size() / 2);
           },
           [](net::Response& r) { r.body.resize(size_t{4} << 20, ' '); }}) {
    PublishNextDay();
    pcs_.Edit("/tdx/certification/v4/tcb", spoil);
    clock_.Pass(kDay);
    Step();
    EXPECT_EQ(TcbInfoServed(), before);
    EXPECT_EQ(Ask(), "");
  }
}

TEST_F(CollateralServiceTest, NobodyWaitsLongerThanTheLimit) {
  options_.max_wait = std::chrono::milliseconds(150);
  Make();
  service_->Start();
  // A slow drip: the request itself would take for ever.
  pcs_.SetHook([this](const std::string&) {
    return std::optional(pcs_.Drip(1 << 16, std::chrono::milliseconds(50)));
  });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(Ask().starts_with("collateral.unavailable"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  pcs_.LetGo();
}

TEST_F(CollateralServiceTest, WhoAsksFirstWaitsUntilItIsThere) {
  options_.max_wait = std::chrono::milliseconds(20'000);
  Make();
  service_->Start();
  EXPECT_EQ(Ask(), "");
  EXPECT_EQ(AskFor(pcs_.snp.signed_report, true), "");
}

TEST_F(CollateralServiceTest, WaitingInVainIsNotWaiting) {
  options_.max_wait = std::chrono::milliseconds(60'000);
  pcs_.Stop();
  Make();
  service_->Start();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(Ask().starts_with("collateral.unavailable"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  pcs_.Start();
}

TEST_F(CollateralServiceTest, OutlivesARestart) {
  Fill();
  pcs_.Stop();
  Make();
  EXPECT_EQ(Ask(), "");
  // A damaged file is no reason not to start: it is fetched again.
  ASSERT_TRUE(WriteFileAtomic(options_.cache_file, AsBytes("{")));
  pcs_.Start();
  Make();
  Fill();
}

TEST_F(CollateralServiceTest, WarnsBeforeTheEndAndTellsOfThisMachine) {
  service_->Expect(Need(), false);
  EXPECT_FALSE(service_->Report().own_in_force);
  Step();
  EXPECT_TRUE(service_->Report().own_in_force);
  EXPECT_TRUE(service_->Report().ending.empty());
  EXPECT_EQ(service_->Report().documents, 4u);
  pcs_.Stop();
  clock_.Pass(27 * kDay);
  EXPECT_FALSE(service_->Report().ending.empty());
  EXPECT_EQ(service_->Report().earliest_end, *ParseTime("2026-10-20T00:00:00Z"));
  clock_.Pass(3 * kDay);
  EXPECT_FALSE(service_->Report().own_in_force);
  pcs_.Start();
}

TEST_F(CollateralServiceTest, TakesBundlesWithoutAnySource) {
  attest::Collateral set = pcs_.tdx.collateral;
  const std::vector<Bytes> pck =
      *attest::ParsePemChain(AsText(attest::ParseTdxQuote(pcs_.tdx.quote)->pck_chain_pem));
  set.tdx->pck_crl_chain = {pck[1], pck[2]};
  options_.bundle = folder_ + "/bundle.json";
  options_.addresses.pcs_url = options_.addresses.kds_url = "";
  Make();
  std::string refused = Ask();
  EXPECT_NE(refused.find("no service is configured"), std::string::npos) << refused;
  EXPECT_NE(refused.find("the bundle: "), std::string::npos) << refused;
  ASSERT_TRUE(WriteFileAtomic(options_.bundle, AsBytes(attest::ToBundleJson(set))));
  EXPECT_EQ(Ask(), "");
  EXPECT_EQ(pcs_.asked(), 0u);
  // What is in a bundle is verified like everything else.
  set.tdx->tcb_info.signature[5] ^= 1;
  ASSERT_TRUE(WriteFileAtomic(options_.bundle, AsBytes(attest::ToBundleJson(set))));
  EXPECT_EQ(Ask(), "") << "the good one stays";
  clock_.Pass(40 * kDay);
  refused = Ask();
  EXPECT_TRUE(refused.starts_with("collateral.unavailable")) << refused;
}

TEST_F(CollateralServiceTest, AFolderHoldsABundleAPlatform) {
  options_.bundle = folder_ + "/bundles";
  options_.addresses.pcs_url = options_.addresses.kds_url = "";
  ASSERT_TRUE(MakeFolders(options_.bundle));
  attest::Collateral tdx = pcs_.tdx.collateral;
  const std::vector<Bytes> pck =
      *attest::ParsePemChain(AsText(attest::ParseTdxQuote(pcs_.tdx.quote)->pck_chain_pem));
  tdx.tdx->pck_crl_chain = {pck[1], pck[2]};
  ASSERT_TRUE(WriteFileAtomic(options_.bundle + "/tdx.json", AsBytes(attest::ToBundleJson(tdx))));
  ASSERT_TRUE(WriteFileAtomic(options_.bundle + "/snp.json",
                              AsBytes(attest::ToBundleJson(pcs_.snp.collateral))));
  Make();
  EXPECT_EQ(Ask(), "");
  EXPECT_EQ(AskFor(pcs_.snp.signed_report, true), "");
}

}  // namespace
}  // namespace cce::privacy_plane
