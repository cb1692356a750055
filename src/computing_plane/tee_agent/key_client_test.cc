#include "computing_plane/tee_agent/key_client.h"

#include "channel/tunnel_client.h"
#include "computing_plane/tee_agent/result_client.h"
#include "computing_plane/tee_agent/test_world.h"

namespace cce::tee_agent {
namespace {

using protocol::Outcome;

constexpr RetryRule kQuick{.attempts = 4, .first_pause = std::chrono::milliseconds(1)};

class KeyClientTest : public testing::Test {
 protected:
  Result<ReleasedKeys> Obtain() { return Obtain(cced_.Launch()); }
  Result<ReleasedKeys> Obtain(const protocol::LaunchDocument& launch) {
    relay_.Serve();
    channel_ = Must(channel::TunnelClient::Start(std::move(relay_.guest)));
    const std::string socket =
        testing::TempDir() + "key-client-" + std::to_string(::getpid()) + ".sock";
    EXPECT_TRUE(channel_->Listen("cced", socket));
    client_ = Must(CcedClient::New(socket, launch.tls_key, kQuick));
    return ObtainKeys(*client_, attester_, launch, stages_);
  }

  EchoAttester attester_;
  FakeCced cced_{FakeJob()};
  FakeRelay relay_{cced_};
  std::unique_ptr<channel::TunnelClient> channel_;
  std::unique_ptr<CcedClient> client_;
  Stages stages_;
};

TEST_F(KeyClientTest, GetsTheKeysThroughTheChannel) {
  const auto keys = Obtain();
  ASSERT_TRUE(keys) << FormatError(keys.error());
  EXPECT_EQ(keys->bundle.rek.size(), 32u);
  EXPECT_EQ(keys->bundle.datasets.size(), 1u);
  EXPECT_EQ(keys->spec.image_repository, "test/probe");
  ASSERT_EQ(stages_.list().size(), 2u);
  EXPECT_EQ(stages_.list()[0].name, "attest");
  EXPECT_EQ(stages_.list()[1].name, "keys");
  EXPECT_FALSE(client_->refused());
}

TEST_F(KeyClientTest, RefusesAnotherCcedsBundle) {
  cced_.faults.other_identity = true;
  EXPECT_EQ(CodeOf(Obtain()), "keys.wrong_cced");
  EXPECT_FALSE(client_->refused());
}

TEST_F(KeyClientTest, RefusesAnotherJobSpec) {
  cced_.faults.other_spec = true;
  EXPECT_EQ(CodeOf(Obtain()), "keys.mismatch");
}

TEST_F(KeyClientTest, SendsNothingToAnotherTlsKey) {
  auto launch = cced_.Launch();
  launch.tls_key[0] ^= 1;
  EXPECT_EQ(CodeOf(Obtain(launch)), "net.wrong_key");
  EXPECT_EQ(cced_.challenges, 0);
}

TEST_F(KeyClientTest, RefusesAnotherSuite) {
  auto launch = cced_.Launch();
  launch.suite = "hpke-null";
  EXPECT_EQ(CodeOf(Obtain(launch)), "keys.suite");
  EXPECT_EQ(cced_.challenges, 0);
}

TEST_F(KeyClientTest, RepeatsTheSameRequestWhereTheAnswerWasLost) {
  cced_.faults.lost_keys = 2;
  EXPECT_TRUE(Obtain());
  ASSERT_EQ(cced_.keys_requests.size(), 3u);
  EXPECT_EQ(cced_.keys_requests[0], cced_.keys_requests[1]);
  EXPECT_EQ(cced_.keys_requests[0], cced_.keys_requests[2]);
  EXPECT_EQ(cced_.challenges, 1);
}

TEST_F(KeyClientTest, AsksForAnotherChallengeWhereOneRanOut) {
  cced_.faults.stale_challenges = 1;
  EXPECT_TRUE(Obtain());
  EXPECT_EQ(cced_.challenges, 2);
  ASSERT_EQ(cced_.keys_requests.size(), 2u);
  EXPECT_NE(cced_.keys_requests[0], cced_.keys_requests[1]);
}

TEST_F(KeyClientTest, TakesARefusalAsFinal) {
  cced_.faults.refuse_keys = true;
  EXPECT_EQ(CodeOf(Obtain()), "evidence.measurement");
  EXPECT_TRUE(client_->refused());
  EXPECT_EQ(cced_.keys_requests.size(), 1u);
}

// A bundle that agrees with its credential, to be spoilt in one member.
struct Case {
  Case() {
    bundle.job = credential.job = {1};
    spec.wallet = credential.wallet = {2};
    credential.image_digest = spec.image_digest;
    credential.inputs = {{spec.datasets[0].dataset, spec.datasets[0].snapshot}};
    auto& dataset = bundle.datasets.emplace_back();
    dataset.dataset = spec.datasets[0].dataset;
    dataset.snapshot = spec.datasets[0].snapshot;
    dataset.keys.push_back({1, SecretBytes(32)});
    limits = spec.limits;
  }
  std::string Check() {
    bundle.job_spec = protocol::EncodeJobSpec(spec);
    if (same_hash) credential.job_spec = protocol::JobSpecHash(bundle.job_spec);
    return CodeOf(CheckBundle(bundle, credential, limits));
  }
  protocol::JobSpec spec = FakeJob().spec;
  protocol::KeyBundle bundle;
  protocol::JobCredential credential;
  protocol::JobLimits limits;
  bool same_hash = true;
};

TEST(CheckBundle, WantsEveryMemberToAgree) {
  EXPECT_EQ(Case().Check(), "ok");
  const std::vector<std::function<void(Case&)>> spoils = {
      [](Case& c) { c.bundle.job[3] ^= 1; },
      [](Case& c) { c.bundle.attempt = 2; },
      [](Case& c) { c.same_hash = false; },
      [](Case& c) { c.spec.image_digest.back() = 'b'; },
      [](Case& c) { c.spec.wallet[7] = 1; },
      [](Case& c) { c.limits.memory_mib *= 2; },
      [](Case& c) { c.bundle.datasets[0].dataset[9] ^= 1; },
      [](Case& c) { c.bundle.datasets[0].snapshot[9] ^= 1; },
      [](Case& c) { c.bundle.datasets[0].keys.clear(); },
      [](Case& c) { c.bundle.datasets.clear(); },
      [](Case& c) { c.credential.inputs[0].snapshot[0] ^= 1; },
      [](Case& c) { c.credential.inputs.clear(); },
  };
  for (size_t i = 0; i < spoils.size(); ++i) {
    Case c;
    spoils[i](c);
    EXPECT_EQ(c.Check(), "keys.mismatch") << "case " << i;
  }
}

TEST(Outcomes, AreAClosedList) {
  using executor::EndReason;
  EXPECT_EQ(OutcomeOf(EndReason::kExited, 0), Outcome::kSucceeded);
  EXPECT_EQ(OutcomeOf(EndReason::kExited, 3), Outcome::kContainerFailed);
  EXPECT_EQ(OutcomeOf(EndReason::kSignalled, 139), Outcome::kContainerFailed);
  EXPECT_EQ(OutcomeOf(EndReason::kTimeLimit, 137), Outcome::kLimitExceeded);
  EXPECT_EQ(OutcomeOf(EndReason::kMemoryLimit, 137), Outcome::kLimitExceeded);
  EXPECT_EQ(OutcomeOf(EndReason::kStopped, 137), Outcome::kInternal);

  EXPECT_EQ(OutcomeOfFailure("image.digest_mismatch"), Outcome::kImageUnusable);
  EXPECT_EQ(OutcomeOfFailure("container.bad_spec"), Outcome::kImageUnusable);
  EXPECT_EQ(OutcomeOfFailure("container.start_failed"), Outcome::kContainerFailed);
  EXPECT_EQ(OutcomeOfFailure("output.too_large"), Outcome::kLimitExceeded);
  EXPECT_EQ(OutcomeOfFailure("dataset.corrupt"), Outcome::kDataUnusable);
  EXPECT_EQ(OutcomeOfFailure("mount.failed"), Outcome::kDataUnusable);
  EXPECT_EQ(OutcomeOfFailure("mount.crashed"), Outcome::kDataUnusable);
  EXPECT_EQ(OutcomeOfFailure("tsm.failed"), Outcome::kInternal);
  EXPECT_EQ(OutcomeOfFailure("io.failed"), Outcome::kInternal);
}

}  // namespace
}  // namespace cce::tee_agent
