// The example configuration is a configuration, and the schema refuses what it does not know.
#include "privacy_plane/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "attest/policy.h"
#include "base/file.h"

namespace cce::privacy_plane {
namespace {

const std::string kExample = std::string(CCE_EXAMPLES_DIR) + "/cced.toml";

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "config-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    example_ = *ReadTextFile(kExample, size_t{1} << 20);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Config> Load(const std::string& text) {
    const std::string path = folder_ + "/cced.toml";
    EXPECT_TRUE(WriteFileAtomic(path, AsBytes(text), 0600));
    return LoadConfig(path);
  }
  // The example with `from` replaced by `to`; `from` stands in it.
  std::string Changed(const std::string& from, const std::string& to) const {
    std::string text = example_;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  }
  void ExpectRefused(const std::string& text, const std::string& mentions) {
    const Result<Config> config = Load(text);
    ASSERT_FALSE(config) << mentions;
    EXPECT_EQ(config.error().code, "config.invalid");
    EXPECT_NE(FormatError(config.error()).find(mentions), std::string::npos)
        << FormatError(config.error());
  }

  static void ExpectSame(const CollateralOptions& a, const CollateralOptions& b) {
    EXPECT_EQ(a.bundle, b.bundle);
    EXPECT_EQ(a.cache_file, b.cache_file);
    EXPECT_EQ(a.addresses.pcs_url, b.addresses.pcs_url);
    EXPECT_EQ(a.addresses.root_crl_url, b.addresses.root_crl_url);
    EXPECT_EQ(a.addresses.kds_url, b.addresses.kds_url);
    EXPECT_EQ(a.addresses.tcb_update, b.addresses.tcb_update);
    EXPECT_EQ(a.addresses.timeout, b.addresses.timeout);
    EXPECT_EQ(a.schedule.refresh_seconds, b.schedule.refresh_seconds);
    EXPECT_EQ(a.schedule.refresh_ahead_seconds, b.schedule.refresh_ahead_seconds);
    EXPECT_EQ(a.schedule.max_backoff_seconds, b.schedule.max_backoff_seconds);
    EXPECT_EQ(a.schedule.max_documents, b.schedule.max_documents);
    EXPECT_EQ(a.warn_seconds, b.warn_seconds);
    EXPECT_EQ(a.max_wait, b.max_wait);
  }
  // The example with the lines that it shows for the distributed store in force.
  std::string WithVolumes() const {
    static const std::regex kShown(
        "\n# (\\[store\\.juicefs[^\n]*|(?:program|metadata|storage|"
        "endpoint|bucket_prefix|region|trash_days|call_seconds|"
        "probe_seconds|kind|access_key|[a-z_]*file) = )");
    const std::string text = Changed("kind = \"directory\"", "kind = \"juicefs\"");
    const size_t begin = text.find("# [store.juicefs]") - 1;
    const size_t end = text.find("# The host that starts CVMs");
    return text.substr(0, begin) +
           std::regex_replace(text.substr(begin, end - begin), kShown, "\n$1") + text.substr(end);
  }

  std::string folder_, example_;
};

TEST_F(ConfigTest, TheExamplesDistributedStoreLoads) {
  const Result<Config> config = Load(WithVolumes());
  ASSERT_TRUE(config) << FormatError(config.error());
  EXPECT_EQ(config->store_kind, "juicefs");
  EXPECT_EQ(config->juicefs.bucket_prefix, "cce-");
  EXPECT_EQ(config->juicefs.admin_access_key, "admin");
  EXPECT_EQ(config->juicefs.trash_days, 8u);
}

TEST_F(ConfigTest, AVolumeBelongsToOneDataset) {
  example_ = WithVolumes();
  ExpectRefused(Changed("/{number}", "/1"), "{dataset} or {number}");
  ExpectRefused(Changed("trash_days = 8", "trash_days = 0"), "trash_days");
  ExpectRefused(Changed("http://127.0.0.1:7070", "127.0.0.1:7070"), "endpoint");
  ExpectRefused(Changed("cce-\"", "CCE/\""), "bucket_prefix");
}

TEST_F(ConfigTest, TheExampleLoads) {
  const Result<Config> config = LoadConfig(kExample);
  ASSERT_TRUE(config) << FormatError(config.error());
  EXPECT_EQ(config->listen_port, 8443);
  EXPECT_EQ(config->chain_endpoints.size(), 2u);
  EXPECT_EQ(config->provider, "process");
  const auto policy = attest::ReadPolicy(config->attestation_policy, "attestation.policy");
  EXPECT_TRUE(policy) << FormatError(policy.error());
}

// So the example's comments may call them defaults.
TEST_F(ConfigTest, WhatTheExampleCallsADefaultIsOne) {
  const Result<Config> given = LoadConfig(kExample);
  ASSERT_TRUE(given);
  std::string text = example_;
  text.erase(text.find("[jobs]"), text.find("[gate]") - text.find("[jobs]"));
  const size_t collateral_at = text.find("[collateral]");
  text.erase(collateral_at, text.find("[chain]") - collateral_at);
  text.erase(text.find("[datasets]"), text.find("[launcher]") - text.find("[datasets]"));
  for (const char* key : {"address =", "tsm_path =", "finality =", "max_unanchored_", "max_clock_",
                          "dataset_quota_", "tick_millis =", "max_output_bytes ="}) {
    for (size_t at; (at = text.find(std::string("\n") + key)) != std::string::npos;) {
      text.erase(at, text.find('\n', at + 1) - at);
    }
  }
  const Result<Config> fallen_back = Load(text);
  ASSERT_TRUE(fallen_back) << FormatError(fallen_back.error());
  EXPECT_EQ(fallen_back->listen_address, given->listen_address);
  EXPECT_EQ(fallen_back->monitor_address, given->monitor_address);
  EXPECT_EQ(fallen_back->tsm_path, given->tsm_path);
  ExpectSame(fallen_back->collateral, given->collateral);
  EXPECT_EQ(fallen_back->finality, given->finality);
  EXPECT_EQ(fallen_back->max_unanchored_entries, given->max_unanchored_entries);
  EXPECT_EQ(fallen_back->max_unanchored_seconds, given->max_unanchored_seconds);
  EXPECT_EQ(fallen_back->max_clock_distance, given->max_clock_distance);
  EXPECT_EQ(fallen_back->quota.bytes, given->quota.bytes);
  EXPECT_EQ(fallen_back->quota.files, given->quota.files);
  EXPECT_EQ(fallen_back->quota.snapshots, given->quota.snapshots);
  EXPECT_EQ(fallen_back->verify_rate, given->verify_rate);
  EXPECT_EQ(fallen_back->rotate_rate, given->rotate_rate);
  EXPECT_EQ(fallen_back->draft_seconds, given->draft_seconds);
  EXPECT_EQ(fallen_back->collect_seconds, given->collect_seconds);
  EXPECT_EQ(fallen_back->credential_seconds, given->credential_seconds);
  EXPECT_EQ(fallen_back->challenge_seconds, given->challenge_seconds);
  EXPECT_EQ(fallen_back->max_jobs_per_wallet_and_dataset, given->max_jobs_per_wallet_and_dataset);
  EXPECT_EQ(fallen_back->max_running, given->max_running);
  EXPECT_EQ(fallen_back->lease_seconds, given->lease_seconds);
  EXPECT_EQ(fallen_back->machine_memory_mib, given->machine_memory_mib);
  EXPECT_EQ(fallen_back->tick_millis, given->tick_millis);
  EXPECT_EQ(fallen_back->max_output_bytes, given->max_output_bytes);
}

TEST_F(ConfigTest, RefusesAWrongKeyWithItsLineAndTheNearestKnown) {
  ExpectRefused(Changed("lease_seconds", "lease_secondes"), "lease_seconds");
  ExpectRefused(Changed("[monitor]", "[monitors]"), "monitor");
  ExpectRefused("simulated = true\n" + example_, "simulated");
}

TEST_F(ConfigTest, RefusesWhatIsMissingOrOutOfRange) {
  ExpectRefused(Changed("public_domain =", "# public_domain ="), "public_domain");
  ExpectRefused(Changed("port = 8443", "port = 65536"), "port");
  ExpectRefused(Changed("challenge_seconds = 60", "challenge_seconds = 61"), "challenge_seconds");
  ExpectRefused(Changed("max_clock_distance_seconds = 1200", "max_clock_distance_seconds = 1201"),
                "max_clock_distance_seconds");
  ExpectRefused(Changed("source = \"file\"", "source = \"none\""), "source");
  ExpectRefused(Changed("provider = \"process\"", "provider = \"docker\""), "provider");
}

TEST_F(ConfigTest, CollateralComesOverTlsOrFromThisMachineOrFromBundles) {
  const std::string pcs = "pcs_url = \"https://api.trustedservices.intel.com\"";
  ExpectRefused(Changed(pcs, "pcs_url = \"http://pccs.example\""), "plain http");
  ExpectRefused(Changed(pcs, "pcs_url = \"pccs.example\""), "pcs_url");
  ExpectRefused(Changed("root_crl_url = \"\"", "root_crl_url = \"http://x.example/\""),
                "root_crl_url");
  ExpectRefused(Changed("tcb_update = \"standard\"", "tcb_update = \"late\""), "tcb_update");
  ExpectRefused(Changed("max_wait_millis = 5000", "max_wait_millis = 30001"), "max_wait_millis");
  EXPECT_TRUE(Load(Changed(pcs, "pcs_url = \"http://127.0.0.1:8081\"")));
  std::string text = example_;
  const size_t at = text.find("[collateral]");
  const size_t size = text.find("[chain]") - at;
  const auto bundles = Load(std::string(text).replace(at, size, "[collateral]\nbundle = \"b\"\n"));
  ASSERT_TRUE(bundles) << FormatError(bundles.error());
  EXPECT_EQ(bundles->collateral.addresses.pcs_url, "") << "with bundles alone nobody is asked";
  ExpectRefused(text.replace(at, size, "[collateral]\npcs_url = \"\"\nkds_url = \"\"\n"),
                "neither a service nor a bundle");
}

TEST_F(ConfigTest, TheDigestFollowsTheValuesAlone) {
  const protocol::Digest32 digest = LoadConfig(kExample)->digest;
  EXPECT_EQ(Load("# a comment\n" + example_)->digest, digest);
  EXPECT_NE(Load(Changed("max_running = 64", "max_running = 65"))->digest, digest);
}

}  // namespace
}  // namespace cce::privacy_plane
