#include <gtest/gtest.h>

#include "crypto/hpke.h"
#include "protocol/credential.h"
#include "protocol/dataset_policy.h"
#include "protocol/identity.h"
#include "protocol/job_api.h"
#include "protocol/key_release.h"
#include "protocol/launch_document.h"
#include "protocol/machine.h"
#include "protocol/result_submission.h"
#include "protocol/sign_in.h"

namespace cce::protocol {
namespace {

JobSpec SampleSpec() {
  JobSpec spec;
  spec.wallet.fill(0x11);
  spec.chain_id = 31337;
  spec.datasets = {{.dataset = {}, .snapshot = {}, .files = {"ACTG175.csv"}}};
  spec.image_repository = "demo/survival";
  spec.image_digest = "sha256:" + std::string(64, 'a');
  spec.command = {"python3", "/app/fit.py"};
  spec.consumer_key.fill(0x04);
  return spec;
}

TEST(JobSpec, RoundTrips) {
  const Bytes bytes = EncodeJobSpec(SampleSpec());
  const Result<JobSpec> spec = DecodeJobSpec(bytes);
  ASSERT_TRUE(spec) << FormatError(spec.error());
  EXPECT_EQ(EncodeJobSpec(*spec), bytes);
}

TEST(JobSpec, RefusesHostileMembers) {
  const auto refuse = [](auto change) {
    JobSpec spec = SampleSpec();
    change(spec);
    EXPECT_FALSE(DecodeJobSpec(EncodeJobSpec(spec)));
  };
  refuse([](JobSpec& s) { s.datasets.push_back(s.datasets[0]); });
  refuse([](JobSpec& s) { s.datasets.clear(); });
  refuse([](JobSpec& s) { s.image_digest[3] = 'x'; });
  refuse([](JobSpec& s) { s.image_digest = "latest"; });
  refuse([](JobSpec& s) { s.image_repository = "../etc"; });
  refuse([](JobSpec& s) { s.image_repository = "a b"; });
  refuse([](JobSpec& s) { s.limits.memory_mib = 1; });
  refuse([](JobSpec& s) { s.chain_id = 0; });
  std::string text(AsText(EncodeJobSpec(SampleSpec())));
  text.insert(1, R"("extra":1,)");
  EXPECT_EQ(DecodeJobSpec(AsBytes(text)).error().code, "input.unknown_member");
}

TEST(ReportData, MatchesItsDefinition) {
  const Challenge challenge{};
  EXPECT_EQ(IdentityReportData(challenge, AsBytes("doc")),
            crypto::Sha512(Frame("cce4long/v1/report-data/identity", {challenge, AsBytes("doc")})));
  const RequestId request{};
  EXPECT_NE(KeysReportData(challenge, request, AsBytes("k"), "c", "s"),
            KeysReportData(challenge, request, AsBytes("k"), "d", "s"));
  EXPECT_NE(KeysReportData(challenge, request, AsBytes("k"), "c", "s"),
            KeysReportData(challenge, request, AsBytes("k"), "c", "t"));
}

TEST(Credential, SignsAndRefuses) {
  const auto key = *crypto::P256PrivateKey::Generate();
  const auto other = *crypto::P256PrivateKey::Generate();
  JobCredential credential;
  credential.issued_at = 1000;
  credential.expires_at = 1300;
  credential.image_digest = "sha256:" + std::string(64, 'a');
  credential.inputs = {{}};
  const std::string token = *SignCredential(credential, key);
  const auto read = VerifyCredential(token, key.public_key(), CredentialPurpose::kKeys);
  ASSERT_TRUE(read) << FormatError(read.error());
  EXPECT_EQ(read->expires_at, 1300);
  EXPECT_TRUE(ReadCredential(token));
  EXPECT_EQ(VerifyCredential(token, other.public_key(), CredentialPurpose::kKeys).error().code,
            "credential.invalid");
  EXPECT_EQ(VerifyCredential(token, key.public_key(), CredentialPurpose::kSubmit).error().code,
            "credential.purpose");
  std::string changed = token;
  changed[token.size() / 2] ^= 1;
  EXPECT_FALSE(VerifyCredential(changed, key.public_key(), CredentialPurpose::kKeys));
}

KeyBundle SampleBundle() {
  KeyBundle bundle;
  bundle.job_spec = EncodeJobSpec(SampleSpec());
  bundle.rek = crypto::RandomSecret(32);
  ReleasedDataset dataset{.access_mode = "prefetch"};
  dataset.keys.push_back({1, crypto::RandomSecret(32)});
  dataset.keys.push_back({2, crypto::RandomSecret(32)});
  bundle.datasets.push_back(std::move(dataset));
  bundle.storage_token = "t";
  bundle.submit_credential = "c";
  return bundle;
}

TEST(KeyBundle, TravelsOnlyToItsKeyUnderItsReportData) {
  const auto identity = *crypto::P256PrivateKey::Generate();
  const auto cvm = *crypto::P256PrivateKey::Generate();
  ReportData report_data{};
  const KeyBundle bundle = SampleBundle();
  const KeysReply reply = *SealKeyBundle(bundle, cvm.public_key(), report_data, identity);
  const Digest32 id = crypto::KeyId(identity.public_key());
  const Result<KeyBundle> opened = OpenKeyBundle(reply, cvm, report_data, id);
  ASSERT_TRUE(opened) << FormatError(opened.error());
  EXPECT_TRUE(ConstantTimeEqual(opened->rek.Expose(), bundle.rek.Expose()));
  EXPECT_TRUE(ConstantTimeEqual(opened->datasets[0].keys[1].dek.Expose(),
                                bundle.datasets[0].keys[1].dek.Expose()));
  EXPECT_EQ(OpenKeyBundle(reply, cvm, report_data, {}).error().code, "keys.wrong_cced");
  ReportData other = report_data;
  other[63] = 1;
  EXPECT_FALSE(OpenKeyBundle(reply, cvm, other, id));
  KeysReply changed = reply;
  changed.envelope.back() ^= 1;
  EXPECT_FALSE(OpenKeyBundle(changed, cvm, report_data, id));
  EXPECT_FALSE(OpenKeyBundle(reply, *crypto::P256PrivateKey::Generate(), report_data, id));
}

TEST(KeyBundle, RefusesTruncation) {
  const SecretBytes bytes = EncodeKeyBundle(SampleBundle());
  ASSERT_TRUE(DecodeKeyBundle(bytes.Expose()));
  for (size_t n = 0; n < bytes.size(); n += 7) {
    EXPECT_FALSE(DecodeKeyBundle(bytes.Expose().first(n))) << n;
  }
}

TEST(Messages, RoundTrip) {
  LaunchDocument launch{
      .suite = std::string(crypto::kHpkeSuite), .credential = "c", .names = {"cced", "registry"}};
  const Bytes bytes = EncodeLaunchDocument(launch);
  EXPECT_EQ(EncodeLaunchDocument(*DecodeLaunchDocument(bytes)), bytes);
  EXPECT_EQ(LaunchDocumentMrConfigId(bytes), crypto::Sha384(bytes));

  IdentityDocument identity{.log_origin = "o",
                            .root_key_source = "file",
                            .chain_id = 1,
                            .chain_endpoints = {"e"},
                            .finality = "finalized",
                            .development = {"root key: file"}};
  EXPECT_EQ(EncodeIdentity(*DecodeIdentity(EncodeIdentity(identity))), EncodeIdentity(identity));

  const ResultHeader header{
      .credential = "c", .evidence = {1}, .output_size = 1, .stages = {{"run", 12}}};
  EXPECT_EQ(ToJsonObject(*ReadResultHeader(ToJson(ToJsonObject(header)))), ToJsonObject(header));
  const MachineRequest machine{.provider = "process", .launch_document = bytes, .names = {"cced"}};
  EXPECT_EQ(ToJsonObject(*ReadMachineRequest(ToJson(ToJsonObject(machine)))),
            ToJsonObject(machine));
  const Delivery delivery{.rek_envelope = {1, 2}, .manifest = "{}"};
  EXPECT_EQ(ToJsonObject(*ReadDelivery(ToJson(ToJsonObject(delivery)))), ToJsonObject(delivery));
  const JobStatus status{.state = JobState::kFailed, .outcome = Outcome::kLimitExceeded};
  EXPECT_EQ(ToJsonObject(*ReadJobStatus(ToJson(ToJsonObject(status)))), ToJsonObject(status));
}

TEST(DatasetPolicy, ReadsTomlAndJsonAlike) {
  const std::string toml =
      "dataset = \"0x" + std::string(40, '2') +
      "\"\nchain_id = 31337\naccess_mode = \"prefetch\"\n"
      "images = []\nreviewers = []\n[attestation]\nroots = [\"intel\"]\n[gate]\nthreshold = 0.5\n";
  const Result<DatasetPolicy> policy = ReadPolicy(*ParseToml(toml, "policy.toml"));
  ASSERT_TRUE(policy) << FormatError(policy.error());
  const Bytes bytes = EncodePolicy(*policy);
  EXPECT_EQ(EncodePolicy(*DecodePolicy(bytes)), bytes);
  EXPECT_FALSE(policy->allow_development);
}

}  // namespace
}  // namespace cce::protocol
