#include "sim/collateral_service.h"

#include <gtest/gtest.h>

#include <memory>

#include "attest/collateral.h"
#include "net/http_client.h"
#include "sim/attest_support.h"

namespace cce::sim {
namespace {

// Documents as fetched from a real server, put together and judged by the engine's own code.
class CollateralServiceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TestFolder>();
    chip_ = std::make_unique<Chip>(*Chip::Open(folder_->path(), FixedClock(kTestTime)));
    snp_ = std::make_unique<SnpChip>(OpenTestSnpChip(folder_->path(), "Turin"));
  }
  static void TearDownTestSuite() {
    snp_.reset();
    chip_.reset();
    folder_.reset();
  }
  void SetUp() override { Start(""); }
  void Start(std::string_view defect) {
    server_.reset();
    auto server = net::HttpServer::Start(
        {.worker_threads = 2}, CollateralRoutes(
                                   *chip_, []() -> Result<const SnpChip*> { return snp_.get(); },
                                   clock_, **FindCollateralDefect(defect)));
    ASSERT_TRUE(server) << FormatError(server.error());
    server_ = std::move(*server);
  }
  struct Answer {
    int status = 0;
    std::map<std::string, std::string> headers;
    Bytes body;
    std::string text() const { return std::string(AsText(body)); }
  };
  Answer Get(const std::string& path) {
    const auto client =
        net::HttpClient::New({.base_url = "http://127.0.0.1:" + std::to_string(server_->port())});
    EXPECT_TRUE(client) << FormatError(client.error());
    const auto got = (*client)->Send({.path = path});
    EXPECT_TRUE(got) << FormatError(got.error());
    if (!got) return {};
    return {got->status, got->headers, got->body};
  }
  // A chain header, decoded.
  static std::string Chain(const Answer& answer, const std::string& name) {
    const auto found = answer.headers.find(name);
    if (found == answer.headers.end()) return "";
    std::string out;
    for (size_t i = 0; i < found->second.size(); ++i) {
      if (found->second[i] == '%') {
        out += static_cast<char>((*FromHex(found->second.substr(i + 1, 2), true))[0]);
        i += 2;
      } else {
        out += found->second[i];
      }
    }
    return out;
  }

  static std::unique_ptr<TestFolder> folder_;
  static std::unique_ptr<Chip> chip_;
  static std::unique_ptr<SnpChip> snp_;
  FixedClock clock_{kTestTime};
  std::unique_ptr<net::HttpServer> server_;
};
std::unique_ptr<TestFolder> CollateralServiceTest::folder_;
std::unique_ptr<Chip> CollateralServiceTest::chip_;
std::unique_ptr<SnpChip> CollateralServiceTest::snp_;

TEST_F(CollateralServiceTest, TdxCollateralAsIntelsServiceGivesIt) {
  const Answer tcb = Get("/tdx/certification/v4/tcb?fmspc=C0CE4C000000");
  const Answer qe = Get("/tdx/certification/v4/qe/identity");
  const Answer pck = Get("/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
  const Answer root = Get("/sgx/certification/v4/rootcacrl");
  const std::string tcb_chain = Chain(tcb, "tcb-info-issuer-chain");
  const std::string qe_chain = Chain(qe, "sgx-enclave-identity-issuer-chain");
  const std::string pck_chain = Chain(pck, "sgx-pck-crl-issuer-chain");
  const std::string tcb_text = tcb.text(), qe_text = qe.text();
  const auto collateral = attest::MakeTdxCollateral({.tcb_info = tcb_text,
                                                     .qe_identity = qe_text,
                                                     .pck_crl = pck.body,
                                                     .root_crl = root.body,
                                                     .tcb_info_chain = tcb_chain,
                                                     .qe_identity_chain = qe_chain,
                                                     .pck_crl_chain = pck_chain});
  ASSERT_TRUE(collateral) << FormatError(collateral.error());
  const TdxQuoteSource source(*chip_, TestMeasurement(), **FindDefect(""));
  const attest::Verdict verdict = attest::VerifyBytes(
      EvidenceOf(source), {.tdx = *collateral},
      TestPolicy(attest::Tee::kTdx, chip_->root_certificate()), kTestTime, TestBinding());
  EXPECT_EQ(FirstFailure(verdict), "accepted");
}

TEST_F(CollateralServiceTest, EncodingsOfTheCrls) {
  const Answer der = Get("/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
  const Answer pem = Get("/sgx/certification/v4/pckcrl?ca=platform");
  EXPECT_EQ(pem.text().substr(0, 24), "-----BEGIN X509 CRL-----");
  EXPECT_EQ(*attest::ReadCrl(pem.body), der.body);
  EXPECT_EQ(*FromHex(Get("/sgx/certification/v4/rootcacrl").text()),
            Get("/IntelSGXRootCA.der").body);
  const Answer processor = Get("/sgx/certification/v4/pckcrl?ca=processor&encoding=der");
  EXPECT_NE(processor.body, der.body);
  EXPECT_EQ(Chain(processor, "sgx-pck-crl-issuer-chain"), chip_->ProcessorCaChain());
}

TEST_F(CollateralServiceTest, OthersDocumentsAreNotThere) {
  EXPECT_EQ(Get("/tdx/certification/v4/tcb?fmspc=B0C06F000000").status, 404);
  EXPECT_EQ(Get("/tdx/certification/v4/tcb?fmspc=B0C0").status, 400);
  EXPECT_EQ(Get("/tdx/certification/v4/tcb").status, 400);
  EXPECT_EQ(Get("/sgx/certification/v4/pckcrl?ca=root").status, 400);
  EXPECT_EQ(Get("/sgx/certification/v4/tcb?fmspc=C0CE4C000000").status, 404);
  EXPECT_EQ(Get("/vcek/v1/Milan/cert_chain").status, 404);
  EXPECT_EQ(Get("/vcek/v1/Turin/" + std::string(16, '0') + "?blSPL=9").status, 404);
  const std::string own = "/vcek/v1/Turin/" + ToHex(snp_->chip_id());
  EXPECT_EQ(Get(own + "?fmcSPL=1&blSPL=9&teeSPL=2&snpSPL=24&ucodeSPL=219").status, 404);
  EXPECT_EQ(Get(own + "?fmcSPL=1&blSPL=x").status, 400);
}

TEST_F(CollateralServiceTest, SnpCollateralAsAmdsServiceGivesIt) {
  for (const std::string defect : {"no-certificates", "vlek"}) {
    const SnpReportSource source(*snp_, TestMeasurement(), **FindSnpDefect(defect));
    const auto evidence = attest::ParseEvidence(EvidenceOf(source));
    ASSERT_TRUE(evidence) << FormatError(evidence.error());
    const bool vlek = defect == "vlek";
    const auto chain = attest::ParsePemChain(
        Get(std::string(vlek ? "/vlek" : "/vcek") + "/v1/Turin/cert_chain").text());
    ASSERT_TRUE(chain) << FormatError(chain.error());
    ASSERT_EQ(chain->size(), 2u);
    attest::SnpCollateral collateral{
        .vek = {}, .ask = (*chain)[0], .ark = (*chain)[1], .crl = Get("/vcek/v1/Turin/crl").body};
    if (!vlek) {
      const auto need = attest::NeedOf(*evidence);
      ASSERT_TRUE(need) << FormatError(need.error());
      const auto number = [](uint8_t value) { return std::to_string(value); };
      collateral.vek =
          Get("/vcek/v1/Turin/" + need->hwid + "?fmcSPL=" + number(need->tcb.fmc) +
              "&blSPL=" + number(need->tcb.bootloader) + "&teeSPL=0" + number(need->tcb.tee) +
              "&snpSPL=" + number(need->tcb.snp) + "&ucodeSPL=" + number(need->tcb.microcode))
              .body;
    }
    const attest::Verdict verdict =
        attest::Verify(*evidence, {.snp = collateral}, TestPolicy(attest::Tee::kSnp, snp_->ark()),
                       kTestTime, TestBinding());
    EXPECT_EQ(FirstFailure(verdict), "accepted") << defect;
  }
}

TEST_F(CollateralServiceTest, DocumentsStayForADayAndCanBeDefective) {
  const Answer first = Get("/tdx/certification/v4/tcb?fmspc=c0ce4c000000");
  EXPECT_EQ(Get("/tdx/certification/v4/tcb?fmspc=C0CE4C000000").body, first.body);
  clock_ = FixedClock(kTestTime + kCollateralAge);
  EXPECT_NE(Get("/tdx/certification/v4/tcb?fmspc=C0CE4C000000").body, first.body);
  Start("expired-tcb-info");
  const auto split =
      attest::SplitTcbInfo(Get("/tdx/certification/v4/tcb?fmspc=C0CE4C000000").text());
  ASSERT_TRUE(split);
  EXPECT_NE(
      split->body.find("\"nextUpdate\":\"" + FormatTime(kTestTime + kCollateralAge - kSkew - kDay)),
      std::string::npos);
}

}  // namespace
}  // namespace cce::sim
