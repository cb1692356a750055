#include "gate/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/testing.h"
#include "gate/external_sort.h"

namespace cce::gate {
namespace {

// The descriptors of this process that lead to deleted files of `folder`.
std::vector<std::string> OpenFilesIn(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (target.starts_with(folder)) out.push_back(entry.path().string());
  }
  return out;
}

std::string WhatTheDiskSees(const std::string& folder) {
  std::string all;
  for (const std::string& path : OpenFilesIn(folder)) {
    std::ifstream file(path, std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

class ScratchTest : public testing::Test {
 protected:
  TestFolder folder_;
};

TEST_F(ScratchTest, GivesBackWhatItTook) {
  for (const std::string& where : {std::string(), folder_.path()}) {
    const auto scratch = Scratch::New(where);
    ASSERT_TRUE(scratch);
    ScratchFile file(**scratch);
    Bytes all;
    std::mt19937 random(5);
    for (int i = 0; i < 300; ++i) {
      Bytes piece(random() % 2000, static_cast<uint8_t>(i));
      file.Append(piece);
      Append(all, piece);
    }
    for (const bool finished : {false, true}) {
      if (finished) file.Finish();
      Bytes back(all.size());
      ScratchFile::Reader reader(file);
      ASSERT_TRUE(reader.Read(back).value());
      EXPECT_EQ(back, all);
      EXPECT_FALSE(reader.Read(std::span(back).first(1)).value());
    }
    EXPECT_TRUE((*scratch)->state());
  }
}

TEST_F(ScratchTest, TheDiskHoldsNoNameAndNoPlaintext) {
  const auto scratch = Scratch::New(folder_.path());
  ScratchFile file(**scratch);
  const std::string secret = "a cell of the dataset";
  for (int i = 0; i < 10'000; ++i) file.Append(AsBytes(secret));
  file.Finish();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  const std::string seen = WhatTheDiskSees(folder_.path());
  EXPECT_GT(seen.size(), secret.size() * 10'000);
  EXPECT_EQ(seen.find(secret), std::string::npos);
}

TEST_F(ScratchTest, AChangedBlockIsRefused) {
  const auto scratch = Scratch::New(folder_.path());
  ScratchFile file(**scratch);
  file.Append(Bytes(3 * kScratchBlock, 7));
  const std::vector<std::string> files = OpenFilesIn(folder_.path());
  ASSERT_EQ(files.size(), 1u);
  {
    std::fstream disk(files[0], std::ios::binary | std::ios::in | std::ios::out);
    disk.seekp(static_cast<std::streamoff>(kScratchBlock + 1000));
    disk.put('x');
  }
  ScratchFile::Reader reader(file);
  Bytes block(kScratchBlock);
  EXPECT_TRUE(reader.Read(block).value());
  EXPECT_EQ(reader.Read(block).error().code, "crypto.decrypt_failed");
}

TEST_F(ScratchTest, AMovedBlockIsRefused) {
  const auto scratch = Scratch::New(folder_.path());
  ScratchFile file(**scratch);
  file.Append(Bytes(kScratchBlock, 1));
  file.Append(Bytes(kScratchBlock, 2));
  const std::vector<std::string> files = OpenFilesIn(folder_.path());
  ASSERT_EQ(files.size(), 1u);
  {
    std::string bytes = WhatTheDiskSees(folder_.path());
    std::ofstream disk(files[0], std::ios::binary | std::ios::in | std::ios::out);
    disk << bytes.substr(bytes.size() / 2) << bytes.substr(0, bytes.size() / 2);
  }
  ScratchFile::Reader reader(file);
  Bytes block(kScratchBlock);
  EXPECT_EQ(reader.Read(block).error().code, "crypto.decrypt_failed");
}

TEST_F(ScratchTest, AMissingFolderIsAnError) {
  const auto scratch = Scratch::New(folder_.path() + "/none");
  ScratchFile file(**scratch);
  file.Append(Bytes(kScratchBlock, 1));
  EXPECT_EQ((*scratch)->state().error().code, "io.not_found");
  ScratchFile::Reader reader(file);
  Bytes block(1);
  EXPECT_FALSE(reader.Read(block));
}

TEST_F(ScratchTest, SortsMoreThanItHolds) {
  const auto scratch = Scratch::New(folder_.path());
  ExternalSort<uint64_t> sort(**scratch, 4096);
  std::vector<uint64_t> all;
  std::mt19937_64 random(9);
  for (int i = 0; i < 50'000; ++i) {
    all.push_back(random() % 30'000);
    sort.Add(all.back());
  }
  std::sort(all.begin(), all.end());
  const auto sorted = [&] {
    std::vector<uint64_t> out;
    EXPECT_TRUE(sort.ForEach([&](uint64_t v) -> Result<> {
      out.push_back(v);
      return {};
    }));
    return out;
  };
  EXPECT_EQ(sorted(), all);
  EXPECT_EQ(sorted(), all);
  ASSERT_TRUE(sort.Keep([](uint64_t v) { return v % 2 == 0; }));
  std::erase_if(all, [](uint64_t v) { return v % 2 != 0; });
  EXPECT_EQ(sort.size(), all.size());
  sort.Add(3);
  all.insert(std::ranges::upper_bound(all, 3), 3);
  EXPECT_EQ(sorted(), all);
  EXPECT_EQ(
      sort.ForEach([](uint64_t) -> Result<> { return Fail("io.failed", "full"); }).error().code,
      "io.failed");
  sort.Clear();
  EXPECT_TRUE(OpenFilesIn(folder_.path()).empty());
}

}  // namespace
}  // namespace cce::gate
