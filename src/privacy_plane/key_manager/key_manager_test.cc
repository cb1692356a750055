// What docs/formats/protocol.md promises of cced's keys: its vectors were made by software that is
// not this project's.
#include "privacy_plane/key_manager/key_manager.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "crypto/format_vectors.h"
#include "privacy_plane/key_manager/epoch_secrets.h"

namespace cce::privacy_plane {
namespace {

const FormatVectors& V() {
  static const FormatVectors vectors("protocol.md");
  return vectors;
}

class GivenRootKey : public RootKeySource {
 public:
  std::string Name() const override { return "given"; }
  bool IsDevelopment() const override { return true; }
  Result<SecretBytes> Load() override { return SecretBytes::CopyOf(V().Hex("root_key")); }
};

std::string Hex(const SecretBytes& secret) { return ToHex(secret.Expose()); }

TEST(KeyManager, DerivesWhatTheFormatPageSays) {
  GivenRootKey root;
  const auto keys = KeyManager::New(root);
  ASSERT_TRUE(keys) << FormatError(keys.error());
  const KeyManager& k = **keys;
  const auto dataset = *ToArray<20>(V().Hex("dataset"));
  const auto job = *ToArray<16>(V().Hex("job"));
  EXPECT_EQ(Hex(k.Dek(dataset, 1, V().Hex("epoch_secret"))), V().Text("dek_epoch_1"));
  EXPECT_EQ(Hex(k.Rek(job, 1)), V().Text("rek_attempt_1"));
  EXPECT_EQ(Hex(k.JournalKey()), V().Text("journal_base"));
  EXPECT_EQ(Hex(k.LogKeySeed()), V().Text("log_seed"));
  EXPECT_EQ(ToHex(k.log_public_key()), V().Text("log_public_key"));
  EXPECT_EQ(Hex(k.LeakIndexKey(dataset)), V().Text("leak_index"));
  EXPECT_EQ(Hex(k.LeakIndexSealKey(dataset, 1, V().Hex("epoch_secret"))),
            V().Text("leak_index_seal"));
  EXPECT_EQ(Hex(k.EpochSealKey()), V().Text("epoch_seal"));
  EXPECT_EQ(ToHex(EpochCommitment(dataset, 1, V().Hex("epoch_secret"))),
            V().Text("epoch_commitment"));
  EXPECT_EQ(k.StorageToken(job, 1), V().Text("storage_token"));
  EXPECT_EQ(Hex(k.chain_key()), V().Text("chain_key"));
  EXPECT_EQ(ToHex(k.identity_key().public_key()), V().Text("identity_public_key"));
  EXPECT_EQ(ToHex(k.review_key().public_key()), V().Text("review_public_key"));
  EXPECT_EQ(ToHex(k.tls_key().public_key()), V().Text("tls_public_key"));
}

TEST(KeyManager, EveryInputOfAKeyCounts) {
  GivenRootKey root;
  const auto keys = *KeyManager::New(root);
  const auto dataset = *ToArray<20>(V().Hex("dataset"));
  const auto job = *ToArray<16>(V().Hex("job"));
  const std::string dek = Hex(keys->Dek(dataset, 1, V().Hex("epoch_secret")));
  EXPECT_NE(dek, Hex(keys->Dek(dataset, 2, V().Hex("epoch_secret"))));
  EXPECT_NE(dek, Hex(keys->Dek({}, 1, V().Hex("epoch_secret"))));
  EXPECT_NE(dek, Hex(keys->Dek(dataset, 1, Bytes(32, 0))));
  EXPECT_NE(Hex(keys->Rek(job, 1)), Hex(keys->Rek(job, 2)));
  EXPECT_NE(Hex(keys->Rek(job, 1)), Hex(keys->Rek({}, 1)));
}

class FileRootKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "root-key-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder + "/root.key";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_, path_;
};

TEST_F(FileRootKeyTest, IsMadeOnceAndStays) {
  const auto first = NewFileRootKey(path_)->Load();
  ASSERT_TRUE(first) << FormatError(first.error());
  EXPECT_EQ(first->size(), 32u);
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(ConstantTimeEqual(first->Expose(), NewFileRootKey(path_)->Load()->Expose()));
}

TEST_F(FileRootKeyTest, RefusesAFileThatOthersRead) {
  ASSERT_TRUE(NewFileRootKey(path_)->Load());
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  EXPECT_EQ(NewFileRootKey(path_)->Load().error().code, "config.invalid");
}

TEST_F(FileRootKeyTest, RefusesAnotherSize) {
  ASSERT_TRUE(WriteFileAtomic(path_, Bytes(31, 7), 0600));
  EXPECT_FALSE(NewFileRootKey(path_)->Load());
  ASSERT_TRUE(WriteFileAtomic(path_, Bytes(33, 7), 0600));
  EXPECT_FALSE(NewFileRootKey(path_)->Load());
}

}  // namespace
}  // namespace cce::privacy_plane
