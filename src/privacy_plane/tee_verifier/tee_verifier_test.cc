// The module's two questions: another machine's evidence, and this one's own.
#include "privacy_plane/tee_verifier/tee_verifier.h"

#include <gtest/gtest.h>

#include "collateral/test_service.h"

namespace cce::privacy_plane {
namespace {

using collateral::testing::kNow;
using collateral::testing::TestService;

class FixedClock : public Clock {
 public:
  int64_t NowMillis() const override { return kNow * 1000; }
};

// Gives the platform's quote, whatever is to be bound.
class FixedAttester : public tsm::Attester {
 public:
  explicit FixedAttester(Bytes quote) : quote_(std::move(quote)) {}
  Result<tsm::TsmEvidence> Attest(const ByteArray<64>&) override {
    if (quote_.empty()) return Fail("tsm.unavailable", "no TEE");
    return tsm::TsmEvidence{"tdx_guest", quote_, {}};
  }

 private:
  const Bytes quote_;
};

class TeeVerifierTest : public testing::Test {
 protected:
  std::unique_ptr<TeeVerifier> Make(Bytes quote, std::chrono::milliseconds max_wait) {
    CollateralOptions options;
    options.addresses = pcs_.addresses();
    options.max_wait = max_wait;
    const attest::TrustedRoot root = pcs_.roots()[0];
    const json::object policy{
        {"name", "operator"},
        {"tees", json::array{"tdx"}},
        {"roots", json::array{}},
        {"any_measurement", true},
        {"own_roots", json::array{json::object{
                          {"name", "test"}, {"tee", "tdx"}, {"sha256", ToHex(root.sha256)}}}}};
    auto made = TeeVerifier::New(std::make_unique<FixedAttester>(std::move(quote)), options, policy,
                                 clock_);
    EXPECT_TRUE(made) << FormatError(made.error());
    return std::move(*made);
  }
  Result<GuestJudgement> Judge(TeeVerifier& verifier, ByteView evidence) {
    attest::Policy owner = attest::StrictPolicy();
    owner.roots = pcs_.roots();
    return verifier.Judge(evidence, {{"owner", owner}}, kNow,
                          attest::ExpectedBinding::WithoutReportData());
  }
  TestService pcs_;
  FixedClock clock_;
};

TEST_F(TeeVerifierTest, JudgesWithWhatItFetched) {
  const auto verifier = Make({}, std::chrono::seconds(20));
  verifier->Start();
  const auto judged = Judge(*verifier, pcs_.tdx.quote);
  ASSERT_TRUE(judged) << FormatError(judged.error());
  EXPECT_TRUE(judged->accepted) << attest::ToText(judged->verdict, false);
  EXPECT_TRUE(attest::ParseBundle(judged->collateral));
}

TEST_F(TeeVerifierTest, AMachinesOwnCollateralIsThereBeforeAnybodyAsks) {
  const auto verifier = Make(pcs_.tdx.quote, std::chrono::seconds(20));
  verifier->Start();
  const auto own = verifier->AttestSelf({});
  ASSERT_TRUE(own) << FormatError(own.error());
  EXPECT_EQ(own->evidence, pcs_.tdx.quote);
  EXPECT_TRUE(attest::ParseBundle(own->collateral));
  EXPECT_TRUE(verifier->CollateralStatus().own_in_force);
}

TEST_F(TeeVerifierTest, NothingIsFetchedForAStrangersEvidence) {
  const auto verifier = Make({}, std::chrono::seconds(20));
  verifier->Start();
  attest::testing::TdxPlatform stranger;
  stranger.Build();
  for (const auto& [evidence, rule] : {std::pair{stranger.quote, "tdx.pck_chain.root"},
                                       std::pair{Bytes(100, 1), "evidence.form"}}) {
    const auto judged = Judge(*verifier, evidence);
    ASSERT_TRUE(judged) << FormatError(judged.error());
    EXPECT_FALSE(judged->accepted);
    EXPECT_EQ(attest::testing::FirstFailure(judged->verdict), rule);
  }
  EXPECT_EQ(pcs_.asked(), 0u);
}

TEST_F(TeeVerifierTest, WithoutCollateralNothingIsAccepted) {
  pcs_.Stop();
  const auto verifier = Make(pcs_.tdx.quote, std::chrono::milliseconds(200));
  verifier->Start();
  const auto judged = Judge(*verifier, pcs_.tdx.quote);
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().code, "collateral.unavailable");
  EXPECT_FALSE(verifier->AttestSelf({}));
  EXPECT_FALSE(verifier->CollateralStatus().own_in_force);
  pcs_.Start();
}

}  // namespace
}  // namespace cce::privacy_plane
