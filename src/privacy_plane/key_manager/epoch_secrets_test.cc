#include "privacy_plane/key_manager/epoch_secrets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace cce::privacy_plane {
namespace {

constexpr protocol::DatasetId kDataset = {0xda, 1};

class EpochSecretsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "epochs-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder + "/epochs";
    secrets_ = OpenWith(7);
  }
  void TearDown() override {
    std::filesystem::remove_all(std::filesystem::path(folder_).parent_path());
  }
  std::unique_ptr<EpochSecrets> OpenWith(uint8_t key) const {
    return EpochSecrets::Open(folder_, SecretBytes::CopyOf(Bytes(32, key))).value();
  }
  std::string PathOf(const protocol::Digest32& commitment) const {
    return folder_ + "/" + ToHex(commitment);
  }
  std::string folder_;
  std::unique_ptr<EpochSecrets> secrets_;
};

std::string CodeOf(const Result<SecretBytes>& result) { return result ? "" : result.error().code; }

TEST_F(EpochSecretsTest, ASecretComesBackAfterARestart) {
  const auto commitment = secrets_->Create(kDataset, 3).value();
  const SecretBytes first = secrets_->Load(kDataset, 3, commitment).value();
  EXPECT_EQ(first.size(), 32U);
  EXPECT_EQ(EpochCommitment(kDataset, 3, first.Expose()), commitment);
  EXPECT_TRUE(ConstantTimeEqual(first.Expose(),
                                OpenWith(7)->Load(kDataset, 3, commitment).value().Expose()));
  struct stat info{};
  ASSERT_EQ(stat(PathOf(commitment).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(EpochSecretsTest, WhatAKilledWriterLeftIsRemoved) {
  const auto commitment = secrets_->Create(kDataset, 3).value();
  const std::string unfinished = PathOf(commitment) + ".tmp-12345";
  ASSERT_TRUE(WriteFileAtomic(unfinished, AsBytes("part of a secret")));
  const auto again = OpenWith(7);
  EXPECT_EQ(ReadFile(unfinished, 1000).error().code, "io.not_found");
  EXPECT_TRUE(again->Load(kDataset, 3, commitment));
}

TEST_F(EpochSecretsTest, NothingOfASecretLiesOpenOnDisk) {
  const auto commitment = secrets_->Create(kDataset, 3).value();
  const SecretBytes secret = secrets_->Load(kDataset, 3, commitment).value();
  const Bytes file = ReadFile(PathOf(commitment), 1000).value();
  EXPECT_EQ(AsText(file).find(AsText(secret.Expose())), std::string_view::npos);
}

TEST_F(EpochSecretsTest, BelongsToOneDatasetOneEpochAndOneRootKey) {
  const auto commitment = secrets_->Create(kDataset, 3).value();
  EXPECT_EQ(CodeOf(secrets_->Load(kDataset, 4, commitment)), "dataset.epoch_lost");
  EXPECT_EQ(CodeOf(secrets_->Load({}, 3, commitment)), "dataset.epoch_lost");
  EXPECT_EQ(CodeOf(OpenWith(8)->Load(kDataset, 3, commitment)), "dataset.epoch_lost");
}

TEST_F(EpochSecretsTest, AChangedOrSwappedFileIsLost) {
  const auto one = secrets_->Create(kDataset, 3).value();
  const auto other = secrets_->Create(kDataset, 3).value();
  const Bytes good = ReadFile(PathOf(one), 1000).value();
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes changed = good;
    changed[i] ^= 1;
    ASSERT_TRUE(WriteFileAtomic(PathOf(one), changed, 0600));
    EXPECT_EQ(CodeOf(secrets_->Load(kDataset, 3, one)), "dataset.epoch_lost") << i;
  }
  ASSERT_TRUE(WriteFileAtomic(PathOf(one), ReadFile(PathOf(other), 1000).value(), 0600));
  EXPECT_EQ(CodeOf(secrets_->Load(kDataset, 3, one)), "dataset.epoch_lost");
  ASSERT_TRUE(WriteFileAtomic(PathOf(one), {}, 0600));
  EXPECT_EQ(CodeOf(secrets_->Load(kDataset, 3, one)), "dataset.epoch_lost");
}

TEST_F(EpochSecretsTest, DestroyingOverwritesTheFileItself) {
  const auto commitment = secrets_->Create(kDataset, 3).value();
  const Bytes before = ReadFile(PathOf(commitment), 1000).value();
  // Another name of the same file shows what its blocks hold afterwards.
  const std::string kept = folder_ + "/kept";
  std::filesystem::create_hard_link(PathOf(commitment), kept);
  ASSERT_TRUE(secrets_->Destroy(commitment));
  EXPECT_FALSE(std::filesystem::exists(PathOf(commitment)));
  const Bytes after = ReadFile(kept, 1000).value();
  ASSERT_EQ(after.size(), before.size());
  size_t same = 0;
  for (size_t i = 0; i < after.size(); ++i) same += after[i] == before[i] ? 1 : 0;
  EXPECT_LT(same, before.size() / 4);
  std::filesystem::rename(kept, PathOf(commitment));
  EXPECT_EQ(CodeOf(secrets_->Load(kDataset, 3, commitment)), "dataset.epoch_lost");
}

TEST_F(EpochSecretsTest, DestroyingTwiceIsDestroyed) {
  const auto one = secrets_->Create(kDataset, 3).value();
  const auto other = secrets_->Create(kDataset, 4).value();
  ASSERT_TRUE(secrets_->Destroy(one));
  EXPECT_TRUE(secrets_->Destroy(one));
  EXPECT_EQ(CodeOf(secrets_->Load(kDataset, 3, one)), "dataset.epoch_lost");
  EXPECT_TRUE(secrets_->Load(kDataset, 4, other));
}

}  // namespace
}  // namespace cce::privacy_plane
