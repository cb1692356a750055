// The wire forms, against a real local HTTP server.
#include "collateral/fetcher.h"

#include <gtest/gtest.h>

#include "collateral/store.h"
#include "collateral/test_service.h"

namespace cce::collateral {
namespace {

using attest::DocumentKind;
using testing::kNow;
using testing::TestService;

const DocumentKey kInfo{DocumentKind::kTcbInfo, "b0c06f000000"};
const DocumentKey kQe{DocumentKind::kQeIdentity, "td_qe"};
const DocumentKey kPckCrl{DocumentKind::kPckCrl, "platform"};
const DocumentKey kRootCrl{DocumentKind::kRootCrl, "root"};

std::string PathOf(const DocumentKey& key, const Addresses& addresses) {
  const auto location = LocationOf(addresses, key);
  return location ? location->base_url + location->path : location.error().code;
}

TEST(Addresses, AreTheVendorsOwn) {
  Addresses a;
  a.pcs_url = kIntelPcs;
  a.kds_url = std::string(kAmdKds) + "/";
  const std::string pcs(kIntelPcs);
  EXPECT_EQ(PathOf(kInfo, a), pcs + "/tdx/certification/v4/tcb?fmspc=b0c06f000000");
  EXPECT_EQ(PathOf(kQe, a), pcs + "/tdx/certification/v4/qe/identity");
  EXPECT_EQ(PathOf(kPckCrl, a), pcs + "/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
  EXPECT_EQ(PathOf(kRootCrl, a),
            "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der");
  a.tcb_update = "early";
  EXPECT_EQ(PathOf(kInfo, a), pcs + "/tdx/certification/v4/tcb?fmspc=b0c06f000000&update=early");
  EXPECT_EQ(PathOf(kQe, a), pcs + "/tdx/certification/v4/qe/identity?update=early");
  a.pcs_url = "https://pccs.example:8081/cache";
  EXPECT_EQ(PathOf(kRootCrl, a), "https://pccs.example:8081/cache/sgx/certification/v4/rootcacrl");
  a.root_crl_url = "https://crl.example/root.der?x=1";
  EXPECT_EQ(PathOf(kRootCrl, a), "https://crl.example/root.der?x=1");

  const std::string kds(kAmdKds);
  EXPECT_EQ(PathOf({DocumentKind::kSnpChain, "Milan/vcek"}, a), kds + "/vcek/v1/Milan/cert_chain");
  EXPECT_EQ(PathOf({DocumentKind::kSnpChain, "Genoa/vlek"}, a), kds + "/vlek/v1/Genoa/cert_chain");
  EXPECT_EQ(PathOf({DocumentKind::kSnpCrl, "Turin"}, a), kds + "/vcek/v1/Turin/crl");
  const std::string chip(128, 'a');
  EXPECT_EQ(PathOf({DocumentKind::kVek,
                    attest::VekSubject(attest::SnpProduct::kMilan, {0, 4, 0, 24, 219}, chip)},
                   a),
            kds + "/vcek/v1/Milan/" + chip + "?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219");
  EXPECT_EQ(
      PathOf({DocumentKind::kVek,
              attest::VekSubject(attest::SnpProduct::kTurin, {1, 2, 3, 4, 5}, "4242424242424242")},
             a),
      kds + "/vcek/v1/Turin/4242424242424242?fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=05");
}

TEST(Addresses, TakeNoForeignText) {
  Addresses a;
  a.pcs_url = kIntelPcs;
  a.kds_url = kAmdKds;
  for (const DocumentKey& key :
       {DocumentKey{DocumentKind::kTcbInfo, "b0c06f00000/"},
        {DocumentKind::kTcbInfo, ""},
        {DocumentKind::kPckCrl, "other"},
        {DocumentKind::kSnpCrl, "../x"},
        {DocumentKind::kVek, "Milan/0004001800/../../x"},
        {DocumentKind::kVek, "Milan"},
        {DocumentKind::kVek,
         attest::VekSubject(attest::SnpProduct::kMilan, {0, 4, 0, 24, 219}, "")}}) {
    EXPECT_EQ(PathOf(key, a), "input.malformed") << ToString(key);
  }
  a.pcs_url = "";
  EXPECT_EQ(PathOf(kInfo, a), "input.malformed");
}

TEST(Addresses, PlainHttpIsForThisMachine) {
  for (const char* good : {"https://pccs.example", "https://pccs.example:8081/x/",
                           "http://127.0.0.1:80", "http://localhost:1/p", "http://[::1]:9"}) {
    EXPECT_TRUE(CheckAddress(good)) << good;
  }
  for (const char* bad : {"http://pccs.example", "ftp://x", "https://", "pccs.example", "",
                          "http://127.0.0.1@evil.example", "https://a b", "http://10.0.0.1"}) {
    EXPECT_FALSE(CheckAddress(bad)) << bad;
  }
}

TEST(Fetcher, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(ReadRetryAfter("120", kNow), 120);
  EXPECT_EQ(ReadRetryAfter("Mon, 21 Sep 2026 14:13:30 GMT", 1790000000), 10);
  EXPECT_EQ(ReadRetryAfter("Mon, 21 Sep 2020 14:13:30 GMT", 1790000000), 0);
  EXPECT_FALSE(ReadRetryAfter("", kNow));
  EXPECT_FALSE(ReadRetryAfter("-1", kNow));
  EXPECT_FALSE(ReadRetryAfter("99999999999999999999", kNow));
  EXPECT_FALSE(ReadRetryAfter("soon", kNow));
}

class FetcherTest : public ::testing::Test {
 protected:
  auto Fetch(const DocumentKey& key, const std::vector<Bytes>& issuers = {}) {
    Fetcher fetcher(service_.addresses());
    return fetcher.Fetch(key, issuers, kNow);
  }
  std::string FailureOf(const DocumentKey& key) {
    const auto fetched = Fetch(key);
    return fetched ? "fetched" : fetched.error().error.code;
  }
  TestService service_;
};

TEST_F(FetcherTest, EveryDocumentComesAndVerifies) {
  Fetcher fetcher(service_.addresses());
  Store store(service_.roots(), 64);
  const attest::Evidence quote = *attest::ParseEvidence(service_.tdx.quote);
  const attest::Evidence report = *attest::ParseEvidence(service_.snp.signed_report);
  const attest::SnpCollateral& snp = *service_.snp.collateral.snp;
  for (const auto& [evidence, issuers] :
       {std::pair{quote, std::vector<Bytes>{service_.tdx.root_der}},
        std::pair{report, std::vector<Bytes>{snp.ask, snp.ark}}}) {
    const auto need = attest::GenuineNeedOf(evidence, service_.roots(), kNow);
    ASSERT_TRUE(need) << FormatError(need.error());
    for (const DocumentKey& key : attest::KeysOf(*need, true)) {
      auto fetched = fetcher.Fetch(key, issuers, kNow);
      ASSERT_TRUE(fetched) << ToString(key) << " " << FormatError(fetched.error().error);
      const auto taken = store.Take(std::move(*fetched), kNow, &key);
      ASSERT_TRUE(taken) << FormatError(taken.error());
    }
    const Composed composed = store.Compose(*need, true, kNow);
    EXPECT_TRUE(composed.missing.empty());
    attest::Policy policy = attest::StrictPolicy();
    policy.roots = service_.roots();
    const attest::Verdict verdict = attest::Verify(evidence, composed.collateral, policy, kNow,
                                                   attest::ExpectedBinding::WithoutReportData());
    EXPECT_EQ(attest::testing::FirstFailure(verdict), "accepted");
  }
}

TEST_F(FetcherTest, TheOlderNameOfAHeaderWillDo) {
  service_.tcb_info_header = "SGX-TCB-Info-Issuer-Chain";
  service_.Publish();
  EXPECT_EQ(FailureOf(kInfo), "fetched");
}

TEST_F(FetcherTest, ACrlMayBePemOrHex) {
  const Bytes der = service_.tdx.collateral.tdx->pck_crl;
  const std::string pem =
      "-----BEGIN X509 CRL-----\n" + ToBase64(der) + "\n-----END X509 CRL-----\n";
  for (const std::string& form : {pem, ToHex(der), std::string(AsText(der))}) {
    service_.Edit("/sgx/certification/v4/pckcrl",
                  [&](net::Response& r) { r.body = ToBytes(form); });
    const auto fetched = Fetch(kPckCrl);
    ASSERT_TRUE(fetched) << FormatError(fetched.error().error);
    EXPECT_EQ(fetched->body, der);
  }
}

TEST_F(FetcherTest, ATruncatedChainHeaderIsRefused) {
  const auto with_chain = [&](const std::function<std::string(std::string)>& change) {
    service_.Publish();
    service_.Edit("/tdx/certification/v4/tcb", [&](net::Response& r) {
      std::string& chain = r.headers.at("TCB-Info-Issuer-Chain");
      chain = change(chain);
    });
    return FailureOf(kInfo);
  };
  const auto cut = [](size_t bytes) {
    return [bytes](std::string chain) { return chain.substr(0, chain.size() - bytes); };
  };
  EXPECT_EQ(with_chain(cut(40)), "collateral.malformed");
  EXPECT_EQ(with_chain([](const std::string& c) { return c + "%2"; }), "collateral.malformed");
  EXPECT_EQ(with_chain([](const std::string&) { return "%00"; }), "collateral.malformed");
  // Cut between two certificates it parses; verification then misses the root.
  EXPECT_EQ(
      with_chain([&](const std::string&) {
        return net::EncodeSegment(attest::ToPem({service_.tdx.collateral.tdx->tcb_info_chain[0]}));
      }),
      "fetched");
  Store store(service_.roots(), 8);
  const auto taken = store.Take(*Fetch(kInfo), kNow, &kInfo);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, "evidence.collateral");
  service_.Publish();
  service_.Edit("/tdx/certification/v4/tcb", [](net::Response& r) { r.headers.clear(); });
  EXPECT_EQ(FailureOf(kInfo), "collateral.malformed");
}

TEST_F(FetcherTest, BodiesAreBounded) {
  service_.Edit("/tdx/certification/v4/tcb",
                [](net::Response& r) { r.body.resize(size_t{1} << 20, ' '); });
  const auto fetched = Fetch(kInfo);
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().error.code, "input.too_large");
  EXPECT_FALSE(fetched.error().source);
}

TEST_F(FetcherTest, StatusesTellWhoIsToBlame) {
  for (const auto& [status, source] :
       {std::pair{404, false}, std::pair{400, false}, std::pair{429, true}, std::pair{503, true}}) {
    service_.SetHook([answer = status](const std::string&) {
      net::Response r = net::Response::Text("no", "text/plain", answer);
      r.headers["Retry-After"] = "7";
      return std::optional(r);
    });
    const auto fetched = Fetch(kInfo);
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().error.code, "net.http_status");
    EXPECT_EQ(fetched.error().source, source) << status;
    EXPECT_EQ(fetched.error().retry_after, 7);
  }
}

TEST_F(FetcherTest, NobodyThereAndASlowDripEndInTime) {
  Addresses addresses = service_.addresses();
  addresses.timeout = std::chrono::milliseconds(200);
  service_.SetHook([&](const std::string&) {
    return std::optional(service_.Drip(1 << 16, std::chrono::milliseconds(20)));
  });
  Fetcher fetcher(addresses);
  const auto began = std::chrono::steady_clock::now();
  const auto dripped = fetcher.Fetch(kInfo, {}, kNow);
  ASSERT_FALSE(dripped);
  EXPECT_EQ(dripped.error().error.code, "net.timeout");
  EXPECT_TRUE(dripped.error().source);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
  service_.LetGo();
  service_.Stop();
  const auto nobody = fetcher.Fetch(kInfo, {}, kNow);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().error.code, "net.unreachable");
  EXPECT_TRUE(nobody.error().source);
  service_.Start();
}

}  // namespace
}  // namespace cce::collateral
