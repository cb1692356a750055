#include "manifest/examiner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/test_bundle.h"

namespace cce::manifest {
namespace {

using testing::ElementsAre;

TEST(Examiner, AcceptsAWholeBundleAndSaysEachStep) {
  TestBundle t;
  t.Make();
  const Report report = t.Examine();
  ASSERT_FALSE(report.error) << FormatError(*report.error);
  std::vector<std::string> names;
  for (const Step& step : report.steps) {
    EXPECT_TRUE(step.passed) << step.name;
    EXPECT_NE(step.says, "") << step.name;
    names.push_back(step.name);
  }
  const std::string one = "policy " + protocol::AddressText(t.spec.datasets[0].dataset);
  const std::string two = "policy " + protocol::AddressText(t.spec.datasets[1].dataset);
  EXPECT_THAT(names, ElementsAre("signature", "cced", "result", "job", one, two, "machine: keys",
                                 "machine: result", "audit log", "development"));
  ASSERT_TRUE(report.statement);
  EXPECT_EQ(EncodeStatement(*report.statement), EncodeStatement(t.statement));
  EXPECT_EQ(report.cced, "test engine");
  EXPECT_TRUE(report.development.empty());
}

TEST(Examiner, AcceptsWhatWasEncodedAndDecoded) {
  TestBundle t;
  t.Make();
  const auto bundle = DecodeBundle(EncodeBundle(t.bundle));
  ASSERT_TRUE(bundle) << FormatError(bundle.error());
  t.bundle = *bundle;
  EXPECT_EQ(t.Code(), "");
}

TEST(Examiner, RefusesTheResultAfterOneChangedByte) {
  TestBundle t;
  t.Make();
  for (size_t i = 0; i < t.tar.size(); i += 97) {
    t.tar[i] ^= 1;
    EXPECT_EQ(t.Code(), "manifest.result_mismatch") << i;
    t.tar[i] ^= 1;
  }
  t.tar.pop_back();
  EXPECT_EQ(t.Code(), "manifest.result_mismatch");
  t.tar.clear();
  EXPECT_EQ(t.Code(), "manifest.result_mismatch");
}

// Every byte of every part of the bundle is bound by something.
class ChangedPart : public testing::Test {
 protected:
  void SetUp() override { t.Make(); }

  template <typename Part>
  void RefusesEachByte(Part& part, size_t stride, std::string_view name) {
    for (size_t i = 0; i < part.size(); i += stride) {
      for (const int mask : {0x01, 0x20, 0x80}) {
        part[i] = static_cast<typename Part::value_type>(part[i] ^ mask);
        EXPECT_NE(t.Code(), "") << name << " byte " << i << " mask " << mask;
        part[i] = static_cast<typename Part::value_type>(part[i] ^ mask);
      }
    }
    EXPECT_EQ(t.Code(), "") << name;
  }

  TestBundle t;
};

TEST_F(ChangedPart, Envelope) { RefusesEachByte(t.bundle.envelope, 13, "envelope"); }
TEST_F(ChangedPart, Identity) {
  RefusesEachByte(t.bundle.identity.document, 7, "document");
  RefusesEachByte(t.bundle.identity.evidence, 3, "evidence");
  RefusesEachByte(t.bundle.identity.collateral, 1, "collateral");
}
TEST_F(ChangedPart, JobSpec) { RefusesEachByte(t.bundle.job_spec, 3, "job spec"); }
TEST_F(ChangedPart, LaunchDocument) { RefusesEachByte(t.bundle.launch_document, 7, "launch"); }
TEST_F(ChangedPart, Policies) {
  RefusesEachByte(t.bundle.policies[0], 11, "policy 0");
  RefusesEachByte(t.bundle.policies[1], 11, "policy 1");
}
TEST_F(ChangedPart, Keys) {
  KeysProof& keys = t.bundle.keys;
  RefusesEachByte(keys.evidence, 3, "evidence");
  RefusesEachByte(keys.collateral, 1, "collateral");
  RefusesEachByte(keys.challenge, 1, "challenge");
  RefusesEachByte(keys.request_id, 1, "request id");
  RefusesEachByte(keys.public_key, 1, "public key");
  RefusesEachByte(keys.credential, 11, "credential");
  RefusesEachByte(keys.suite, 1, "suite");
}
TEST_F(ChangedPart, Result) {
  ResultProof& result = t.bundle.result;
  RefusesEachByte(result.evidence, 3, "evidence");
  RefusesEachByte(result.collateral, 1, "collateral");
  RefusesEachByte(result.challenge, 1, "challenge");
  RefusesEachByte(result.credential, 11, "credential");
}
TEST_F(ChangedPart, Log) {
  tlog::EntryProof& log = t.bundle.log;
  RefusesEachByte(log.text, 1, "entry");
  RefusesEachByte(log.salt, 1, "salt");
  RefusesEachByte(log.checkpoint, 1, "checkpoint");
  for (tlog::MerkleHash& hash : log.hashes) RefusesEachByte(hash, 1, "hash");
  ++log.index;
  EXPECT_EQ(t.Code(), "manifest.log");
  --log.index;
  ++log.size;
  EXPECT_EQ(t.Code(), "manifest.log");
}

// One change of what is told, and the code that it is refused with.
struct Lie {
  const char* name;
  const char* code;
  std::function<void(TestBundle&)> before;   // before anything is made
  std::function<void(TestBundle&)> signing;  // when all but the statement's signature is made
};
void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

class Lies : public testing::TestWithParam<Lie> {};

TEST_P(Lies, AreRefused) {
  TestBundle t;
  if (GetParam().before) GetParam().before(t);
  if (GetParam().signing) t.before_signing = GetParam().signing;
  t.Make();
  const Report report = t.Examine();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code, GetParam().code) << FormatError(*report.error);
  EXPECT_FALSE(report.steps.back().passed);
  EXPECT_NE(FindErrorInfo(report.error->code), nullptr);
  // People see what was expected and what was found instead.
  EXPECT_TRUE(report.error->expected.empty() || report.error->expected != report.error->found)
      << FormatError(*report.error);
}

const Lie kLies[] = {
    {"StatementNamesAFileLess", "manifest.result_mismatch", nullptr,
     [](TestBundle& t) { t.statement.files.pop_back(); }},
    {"StatementNamesAFileMore", "manifest.result_mismatch", nullptr,
     [](TestBundle& t) { t.statement.files.push_back({"b", Filled<32>(1)}); }},
    {"StatementNamesAnotherDigest", "manifest.result_mismatch", nullptr,
     [](TestBundle& t) { t.statement.files[1].sha256[0] ^= 1; }},
    {"OtherJob", "manifest.job", nullptr, [](TestBundle& t) { t.statement.job[0] ^= 1; }},
    {"OtherAttempt", "manifest.job", nullptr, [](TestBundle& t) { ++t.statement.attempt; }},
    {"OtherJobSpec", "manifest.job", nullptr, [](TestBundle& t) { t.statement.job_spec[0] ^= 1; }},
    {"OtherWallet", "manifest.job", nullptr, [](TestBundle& t) { t.statement.wallet[0] ^= 1; }},
    {"OtherChain", "manifest.job", nullptr, [](TestBundle& t) { ++t.statement.chain_id; }},
    {"OtherRepository", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.image_repository = "demo/other"; }},
    {"OtherImage", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.image_digest.back() = '8'; }},
    {"OtherSource", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.source_digest = t.statement.image_digest; }},
    {"OtherCommand", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.command = {"python3 /app/run.py"}; }},
    {"OtherSnapshot", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.datasets[1].snapshot[5] ^= 1; }},
    {"DatasetLeftOut", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.datasets.pop_back(); }},
    {"MomentsOutOfOrder", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.result_at = t.statement.keys_at - 1; }},
    {"ApprovedByNobody", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.decision = "approved"; }},
    {"ApprovedForOneDatasetOnly", "manifest.job", nullptr,
     [](TestBundle& t) {
       t.statement.decision = "approved";
       t.statement.decided_by = {Filled<20>(7)};
     }},
    {"DecidedByTheGateAndByPeople", "manifest.job", nullptr,
     [](TestBundle& t) { t.statement.decided_by = {Filled<20>(7)}; }},
    {"CredentialOfAnotherWallet", "manifest.job", nullptr,
     [](TestBundle& t) {
       t.credential.wallet[0] ^= 1;
       t.bundle.keys.credential = protocol::SignCredential(t.credential, t.key).value();
     }},
    {"SubmitCredentialOfAnotherKey", "manifest.job", nullptr,
     [](TestBundle& t) {
       t.credential.purpose = protocol::CredentialPurpose::kSubmit;
       t.credential.release_key = Filled<32>(9);
       t.bundle.result.credential = protocol::SignCredential(t.credential, t.key).value();
     }},
    {"SubmitCredentialForKeys", "manifest.job", nullptr,
     [](TestBundle& t) { t.bundle.result.credential = t.bundle.keys.credential; }},
    {"CredentialByAnotherKey", "manifest.job", nullptr,
     [](TestBundle& t) {
       const auto other = crypto::P256PrivateKey::Derive(Filled<32>(77)).value();
       t.bundle.keys.credential = protocol::SignCredential(t.credential, other).value();
       t.launch.credential = t.bundle.keys.credential;
       t.bundle.launch_document = protocol::EncodeLaunchDocument(t.launch);
     }},
    {"LaunchDocumentOfAnotherEngine", "manifest.job", nullptr,
     [](TestBundle& t) {
       t.launch.identity_key[0] ^= 1;
       t.bundle.launch_document = protocol::EncodeLaunchDocument(t.launch);
     }},
    {"LaunchDocumentWithOtherLimits", "manifest.job", nullptr,
     [](TestBundle& t) {
       t.launch.limits.seconds += 1;
       t.bundle.launch_document = protocol::EncodeLaunchDocument(t.launch);
     }},
    {"LaunchDocumentNotTheMeasuredOne", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) {
       t.launch.names.push_back("elsewhere");
       t.bundle.launch_document = protocol::EncodeLaunchDocument(t.launch);
     }},
    {"OtherPolicy", "manifest.policy", nullptr,
     [](TestBundle& t) { t.statement.datasets[0].policy[0] ^= 1; }},
    {"OtherPolicyVersion", "manifest.policy", nullptr,
     [](TestBundle& t) { ++t.statement.datasets[1].policy_version; }},
    {"OtherAccessMode", "manifest.policy", nullptr,
     [](TestBundle& t) { t.statement.datasets[0].access_mode = "demand"; }},
    {"PolicyOfAnotherDataset", "manifest.policy",
     [](TestBundle& t) { t.policies[0].dataset = t.policies[1].dataset; }, nullptr},
    {"PolicyOfAnotherChain", "manifest.policy", [](TestBundle& t) { t.policies[1].chain_id = 1; },
     nullptr},
    {"PolicyWithoutThisImage", "manifest.policy",
     [](TestBundle& t) { t.policies[1].images = {"sha256:" + std::string(64, '9')}; }, nullptr},
    {"PolicyForAnyGuest", "manifest.policy",
     [](TestBundle& t) {
       t.policies[0].attestation = attest::ToJsonObject(attest::StrictPolicy());
     },
     nullptr},
    {"PolicyLeftOut", "manifest.policy", nullptr,
     [](TestBundle& t) { t.bundle.policies.pop_back(); }},
    {"PolicyMore", "manifest.policy", nullptr,
     [](TestBundle& t) { t.bundle.policies.push_back(t.bundle.policies[0]); }},
    {"PoliciesSwapped", "manifest.policy", nullptr,
     [](TestBundle& t) { std::swap(t.bundle.policies[0], t.bundle.policies[1]); }},
    {"GuestThatTheSecondOwnerDoesNotList", "manifest.machine_evidence",
     [](TestBundle& t) {
       attest::Policy other;
       other.measurements = {TestBundle::Listed("guest image 1", Filled<48>(0xaa))};
       t.policies[1].attestation = attest::ToJsonObject(other);
     },
     nullptr},
    {"GuestListedNoLonger", "manifest.machine_evidence",
     [](TestBundle& t) {
       attest::Policy ended;
       ended.measurements = {TestBundle::Listed("guest image 1", t.guest_mrtd)};
       ended.measurements[0].not_after = TestBundle::kNow + 9;
       t.policies[0].attestation = attest::ToJsonObject(ended);
     },
     nullptr},
    {"OtherKeysEvidence", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) { t.statement.keys_evidence[0] ^= 1; }},
    {"OtherResultEvidence", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) { t.statement.result_evidence[0] ^= 1; }},
    {"ResultWithTheEvidenceForKeys", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) {
       t.bundle.result.evidence = t.bundle.keys.evidence;
       t.statement.result_evidence = t.statement.keys_evidence;
     }},
    {"ResultFromAnotherListedGuest", "manifest.machine_evidence",
     [](TestBundle& t) {
       for (protocol::DatasetPolicy& policy : t.policies) {
         attest::Policy two;
         two.measurements = {TestBundle::Listed("guest image 1", t.guest_mrtd),
                             TestBundle::Listed("guest image 2", Filled<48>(0xc2))};
         policy.attestation = attest::ToJsonObject(two);
       }
     },
     [](TestBundle& t) {
       ToyEvidence other = ToyEvidence::Decode(t.bundle.result.evidence).value();
       other.mrtd = Filled<48>(0xc2);
       t.bundle.result.evidence = other.Encode();
       t.statement.result_evidence = crypto::Sha256(t.bundle.result.evidence);
     }},
    {"OtherSealedOutput", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) { t.statement.sealed_output[0] ^= 1; }},
    {"OtherMeasurementName", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) { t.statement.measurement = "guest image 2"; }},
    {"OtherMachineFields", "manifest.machine_evidence", nullptr,
     [](TestBundle& t) { t.statement.machine["version"] = 5; }},
    {"LogHoldsAnotherType", "manifest.log", [](TestBundle& t) { t.entry_type = "job.released"; },
     nullptr},
    {"LogHoldsAnotherDecision", "manifest.log", nullptr,
     [](TestBundle& t) {
       t.entry = {{"job", ToHex(t.statement.job)},
                  {"attempt", t.statement.attempt},
                  {"output", ToHex(t.statement.sealed_output)},
                  {"result", ToHex(t.statement.output)},
                  {"decision", "approved"}};
     }},
    {"LogHoldsAnotherResult", "manifest.log", nullptr,
     [](TestBundle& t) {
       t.entry = {{"job", ToHex(t.statement.job)},
                  {"attempt", t.statement.attempt},
                  {"output", ToHex(t.statement.sealed_output)},
                  {"result", ToHex(t.statement.sealed_output)},
                  {"decision", t.statement.decision}};
     }},
    {"LogEntryOlderThanTheResult", "manifest.log",
     [](TestBundle& t) { t.entry_millis = (TestBundle::kNow + 299) * 1000; }, nullptr},
    {"LogOfAnotherKey", "manifest.log", nullptr,
     [](TestBundle& t) { t.log_seed = Filled<32>(99); }},
    {"DevelopmentPartsHidden", "manifest.development",
     [](TestBundle& t) { t.identity.development = {"root key: file"}; }, nullptr},
    {"DevelopmentPartsInvented", "manifest.development",
     [](TestBundle& t) { t.statement.development = {"root key: file"}; }, nullptr},
};
INSTANTIATE_TEST_SUITE_P(All, Lies, testing::ValuesIn(kLies),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Trusted, RefusesAnEngineThatTheTrustFileDoesNotName) {
  TestBundle t;
  t.Make();
  Trust trust = t.trust;
  t.trust.engines[0].identity[0] ^= 1;
  EXPECT_EQ(t.Code(), "manifest.unknown_cced");
  t.trust = trust;
  t.trust.engines[0].identity_key = crypto::P256PrivateKey::Generate().value().public_key();
  EXPECT_EQ(t.Code(), "manifest.unknown_cced");
  t.trust.engines.clear();
  EXPECT_EQ(t.Code(), "manifest.unknown_cced");
}

TEST(Trusted, RefusesASignatureByAnotherKey) {
  TestBundle t;
  t.Make();
  const auto other = crypto::P256PrivateKey::Generate().value();
  t.bundle.envelope =
      crypto::DsseSign(other, kPayloadType, AsBytes(EncodeStatement(t.statement))).value();
  EXPECT_EQ(t.Code(), "manifest.bad_signature");
  t.bundle.envelope =
      crypto::DsseSign(t.key, "application/json", AsBytes(EncodeStatement(t.statement))).value();
  EXPECT_EQ(t.Code(), "manifest.malformed");
}

TEST(Trusted, RefusesAnEngineWhoseMachineIsNotTheOneTrusted) {
  TestBundle t;
  t.Make();
  t.trust.engines[0].attestation.measurements = {
      TestBundle::Listed("engine image", Filled<48>(0xee))};
  EXPECT_EQ(t.Code(), "manifest.cced_evidence");
}

TEST(Trusted, RefusesTheEnginesEvidenceForAnotherManifest) {
  TestBundle t;
  t.Make();
  const IdentityProof before = t.bundle.identity;
  ++t.statement.decided_at;
  t.Sign();
  EXPECT_EQ(t.Code(), "");
  t.bundle.identity = before;
  EXPECT_EQ(t.Code(), "manifest.cced_evidence");
}

class Development : public testing::Test {
 protected:
  void Allow(bool owners) {
    for (protocol::DatasetPolicy& policy : t.policies) policy.allow_development = owners;
  }
  TestBundle t;
};

TEST_F(Development, IsRefusedUnlessAllowedAndThenNamed) {
  Allow(true);
  t.identity.development = {"root key: file", "chain: a single endpoint"};
  t.statement.development = t.identity.development;
  t.Make();
  const Report refused = t.Examine();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, "manifest.development");
  EXPECT_EQ(refused.error->found, "root key: file; chain: a single endpoint");
  const Report allowed = t.Examine(/*allow_development=*/true);
  ASSERT_FALSE(allowed.error);
  EXPECT_EQ(allowed.development, t.identity.development);
  EXPECT_NE(allowed.steps.back().says.find("root key: file"), std::string::npos);
}

TEST_F(Development, RootsThatEvidenceShowsCountWhateverTheListsSay) {
  Allow(true);
  t.guest_vendor = false;
  t.Make();
  EXPECT_EQ(t.Code(), "manifest.development");
  EXPECT_THAT(t.Examine(true).development,
              ElementsAre("machine: the attestation root 'toy root' is no vendor's"));
}

TEST_F(Development, TheEnginesOwnRootCounts) {
  Allow(true);
  t.engine_vendor = false;
  t.Make();
  EXPECT_EQ(t.Code(), "manifest.development");
  EXPECT_EQ(t.Code(true), "");
}

TEST_F(Development, NeedsTheOwnersLeave) {
  Allow(false);
  t.identity.development = {"root key: file"};
  t.statement.development = t.identity.development;
  t.Make();
  EXPECT_EQ(t.Code(/*allow_development=*/true), "manifest.policy");
}

TEST(Verify, JudgesWithTheRealVerifier) {
  TestBundle t;
  t.Make();
  const auto verified = Verify(t.tar, t.bundle, t.trust, true);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, "manifest.cced_evidence");
  EXPECT_EQ(verified.error().detail, "input.malformed");  // the toy collateral is no bundle
}

}  // namespace
}  // namespace cce::manifest
