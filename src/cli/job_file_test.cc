#include "cli/job_file.h"

#include "attest/policy.h"
#include "cli/example_files.h"
#include "cli/job_state.h"
#include "cli/test_support.h"
#include "protocol/dataset_policy.h"

namespace cce::cli {
namespace {

const std::string kImage =
    "[image]\nrepository = \"a/b\"\ndigest = \"sha256:" + std::string(64, 'a') + "\"\n";
const std::string kDataset =
    "[[datasets]]\ndataset = \"0xd8da6bf26964af9d7eed9e03e53415d37aa96045\"\n";

Result<JobFile> Read(const std::string& text) {
  return ReadJobFile(Must(ParseToml(text, "job.toml")));
}

TEST(Examples, Job) {
  const JobFile job = Must(ReadJobFile(Must(LoadToml(Example("job.toml")))));
  EXPECT_EQ(job.image_repository, "demo/survival");
  EXPECT_EQ(job.limits.seconds, 600U);
  ASSERT_EQ(job.datasets.size(), 1U);
  EXPECT_FALSE(job.datasets[0].snapshot.has_value());
  // What `init` writes is that very file, and reads as well with members set.
  EXPECT_EQ(kExampleJob, Must(ReadTextFile(Example("job.toml"), 1 << 20)));
  const std::string id = "0x" + std::string(40, '1');
  const JobFile filled = Must(Read(FillExample(kExampleJob, {{"dataset", "\"" + id + "\""}})));
  EXPECT_EQ(protocol::AddressText(filled.datasets.at(0).dataset), id);
}

TEST(Examples, Policy) {
  const std::string id = "0x" + std::string(40, '2');
  const std::string text =
      FillExample(kExamplePolicy, {{"dataset", "\"" + id + "\""}, {"chain_id", "5"}});
  const auto policy = Must(protocol::ReadPolicy(Must(ParseToml(text, "policy.toml"))));
  EXPECT_EQ(protocol::AddressText(policy.dataset), id);
  EXPECT_EQ(policy.chain_id, 5U);
  EXPECT_FALSE(policy.allow_development);
  const auto attestation = Must(attest::ReadPolicy(policy.attestation, "attestation"));
  ASSERT_EQ(attestation.measurements.size(), 1U);
  EXPECT_TRUE(attestation.roots.at(0).vendor);
  // It goes through the wire form unchanged.
  const Bytes bytes = protocol::EncodePolicy(policy);
  EXPECT_EQ(protocol::EncodePolicy(Must(protocol::DecodePolicy(bytes))), bytes);
}

TEST(Examples, FillKeepsComments) {
  EXPECT_EQ(FillExample("a = 1\nb = 2  # two\nb = 3\n", {{"b", "7"}, {"absent", "1"}}),
            "a = 1\nb = 7  # two\nb = 3\n");
}

TEST(JobFile, Defaults) {
  const JobFile job = Must(Read(kImage + kDataset));
  EXPECT_EQ(job.limits.memory_mib, protocol::JobLimits{}.memory_mib);
  EXPECT_TRUE(job.command.empty());
}

TEST(JobFile, NamesASnapshot) {
  const JobFile job = Must(Read(kImage + kDataset + "snapshot = \"" + std::string(64, 'b') + "\""));
  ASSERT_TRUE(job.datasets[0].snapshot.has_value());
  EXPECT_EQ(ToHex(*job.datasets[0].snapshot), std::string(64, 'b'));
}

TEST(JobFile, Refuses) {
  const auto code = [](const std::string& text) { return CodeOf(Read(text)); };
  EXPECT_EQ(code(kImage), "config.invalid");    // no dataset
  EXPECT_EQ(code(kDataset), "config.invalid");  // no image
  EXPECT_EQ(code("comand = []\n" + kImage + kDataset), "config.invalid");
  EXPECT_EQ(code(kImage + kDataset + "snapshot = \"newest\""), "config.invalid");
  EXPECT_EQ(code("[image]\nrepository = \"a\"\ndigest = \"latest\"\n" + kDataset),
            "config.invalid");
  EXPECT_EQ(code("source_digest = \"x\"\n" + kImage + kDataset), "config.invalid");
  EXPECT_EQ(code(kImage + kDataset + "[limits]\nmemory_mib = 1\n"), "config.invalid");
}

TEST(JobFile, LatestSnapshot) {
  protocol::DatasetInfo info;
  EXPECT_EQ(CodeOf(LatestSnapshot(info)), "dataset.unknown_snapshot");
  info.snapshots = {{.id = {1}, .time = 10}, {.id = {3}, .time = 30}, {.id = {2}, .time = 20}};
  EXPECT_EQ(Must(LatestSnapshot(info))[0], 3);
}

TEST(JobState, IsFoundByItsBeginning) {
  const TempFolder folder;
  Settings settings;
  settings.folder = folder.path() + "/config";
  EXPECT_EQ(CodeOf(FindJob(settings, "")), "cli.unknown_job");
  JobState a{.job = {0xaa, 1},
             .server = "https://a",
             .token = "cce_0123456789abcdef",
             .submitted_at = 5,
             .job_spec = {1, 2, 3}};
  JobState b = a;
  b.job = {0xaa, 2};
  b.submitted_at = 9;
  ASSERT_TRUE(SaveJob(settings, a).has_value());
  ASSERT_TRUE(SaveJob(settings, b).has_value());
  EXPECT_EQ(Must(FindJob(settings, "")).job, b.job);  // the newest
  EXPECT_EQ(Must(FindJob(settings, "aa01")).job, a.job);
  EXPECT_EQ(Must(FindJob(settings, ToHex(a.job))).job_spec, a.job_spec);
  EXPECT_EQ(CodeOf(FindJob(settings, "aa")), "cli.unknown_job");
  EXPECT_EQ(CodeOf(FindJob(settings, "bb")), "cli.unknown_job");
}

TEST(ConsumerKey, IsKeptPrivately) {
  const TempFolder folder;
  Settings settings;
  settings.folder = folder.path() + "/config";
  const auto key = Must(crypto::P256PrivateKey::Generate());
  const protocol::Digest32 spec{7};
  ASSERT_TRUE(SaveConsumerKey(settings, spec, key).has_value());
  EXPECT_EQ(Must(LoadConsumerKey(settings, spec)).public_key(), key.public_key());
  EXPECT_EQ(CodeOf(LoadConsumerKey(settings, {8})), "io.not_found");
  using std::filesystem::perms;
  const auto path = settings.folder + "/keys/" + ToHex(spec) + ".key";
  EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_read | perms::owner_write);
}

}  // namespace
}  // namespace cce::cli
