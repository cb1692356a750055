#include "sim/measure.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/format_vectors.h"
#include "sim/test_folder.h"

namespace cce::sim {
namespace {

SealedFile Sealed(const TestFolder& folder, const std::string& role, const std::string& content) {
  const std::string path = folder.path() + "/" + role;
  EXPECT_TRUE(WriteFileAtomic(path, AsBytes(content)));
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto sealed = SealFile(role, fd.get());
  EXPECT_TRUE(sealed) << FormatError(sealed.error());
  return std::move(*sealed);
}

TEST(Measure, SealedFileCannotBeChanged) {
  const TestFolder folder;
  const SealedFile file = Sealed(folder, "tee-agent", "program");
  EXPECT_EQ(write(file.fd.get(), "x", 1), -1);
  // Nor by opening it anew for writing.
  const std::string self = "/proc/self/fd/" + std::to_string(file.fd.get());
  const UniqueFd writable(open(self.c_str(), O_RDWR | O_CLOEXEC));
  if (writable.valid()) {
    EXPECT_EQ(pwrite(writable.get(), "x", 1, 0), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(ftruncate(writable.get(), 1), -1);
    EXPECT_EQ(mmap(nullptr, 7, PROT_READ | PROT_WRITE, MAP_SHARED, writable.get(), 0), MAP_FAILED);
  }
  EXPECT_EQ(fcntl(file.fd.get(), F_GET_SEALS),
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  char byte = 0;
  EXPECT_EQ(pread(file.fd.get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'p');
}

TEST(Measure, TheCopyCountsNotTheSource) {
  const TestFolder folder;
  const SealedFile before = Sealed(folder, "tee-agent", "one");
  const UniqueFd source(open((folder.path() + "/tee-agent").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(pwrite(source.get(), "two", 3, 0), 3);
  ASSERT_EQ(lseek(source.get(), 2, SEEK_SET), 2);  // a position is no way to hide a beginning
  const auto after = SealFile("tee-agent", source.get());
  ASSERT_TRUE(after);
  EXPECT_EQ(before.digest, crypto::Sha384(AsBytes("one")));
  EXPECT_EQ(after->digest, crypto::Sha384(AsBytes("two")));
}

TEST(Measure, OnlyRegularFiles) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  EXPECT_FALSE(SealFile("tee-agent", in.get()));
  const UniqueFd folder(open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(SealFile("tee-agent", folder.get()));
  EXPECT_FALSE(SealFile("tee-agent", -1));
  const TestFolder test;
  const UniqueFd write_only(
      open((test.path() + "/f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_FALSE(SealFile("tee-agent", write_only.get()));
}

// The vector of docs/formats/simulated-chip.md.
TEST(Measure, Vector) {
  const TestFolder folder;
  std::vector<SealedFile> files;
  files.push_back(Sealed(folder, "tee-agent", "agent"));
  files.push_back(Sealed(folder, "decrypt-fs", "fs"));
  files.push_back(Sealed(folder, "command-line", "quiet"));
  files.push_back(Sealed(folder, "launch-document", "{}"));
  const auto got = Measure("process", files);
  ASSERT_TRUE(got) << FormatError(got.error());
  const FormatVectors vectors("simulated-chip.md");
  EXPECT_EQ(ToHex(got->mrtd), vectors.Text("mrtd"));
  EXPECT_EQ(ToHex(got->rtmr[0]), std::string(96, '0'));
  EXPECT_EQ(ToHex(got->rtmr[1]), vectors.Text("rtmr1"));
  EXPECT_EQ(ToHex(got->rtmr[2]), vectors.Text("rtmr2"));
  EXPECT_EQ(ToHex(got->rtmr[3]), std::string(96, '0'));
  EXPECT_EQ(ToHex(got->mrconfigid), vectors.Text("mrconfigid"));
  EXPECT_EQ(ToHex(got->launch_digest), vectors.Text("launch_digest"));
  EXPECT_EQ(ToHex(got->host_data), vectors.Text("host_data"));
}

TEST(Measure, EveryByteNameAndOrderCounts) {
  const TestFolder folder;
  const auto measure = [&](const std::string& guest,
                           std::initializer_list<std::pair<const char*, const char*>> list) {
    std::vector<SealedFile> files;
    for (const auto& [role, content] : list) files.push_back(Sealed(folder, role, content));
    return *Measure(guest, files);
  };
  const auto base = measure("process", {{"tee-agent", "a"}, {"x", "1"}, {"y", "2"}});
  EXPECT_NE(base.launch_digest,
            measure("process", {{"tee-agent", "a"}, {"x", "1"}, {"y", "3"}}).launch_digest);
  EXPECT_EQ(
      base.launch_digest,
      measure("process", {{"tee-agent", "a"}, {"x", "1"}, {"launch-document", "{}"}, {"y", "2"}})
          .launch_digest);
  EXPECT_NE(base.mrtd, measure("process", {{"tee-agent", "b"}, {"x", "1"}, {"y", "2"}}).mrtd);
  EXPECT_NE(base.rtmr[1], measure("process", {{"tee-agent", "a"}, {"x", "1"}, {"y", "3"}}).rtmr[1]);
  EXPECT_NE(base.rtmr[1], measure("process", {{"tee-agent", "a"}, {"z", "1"}, {"y", "2"}}).rtmr[1]);
  EXPECT_NE(base.rtmr[1], measure("process", {{"tee-agent", "a"}, {"y", "2"}, {"x", "1"}}).rtmr[1]);
  EXPECT_NE(base.rtmr[1], measure("process", {{"tee-agent", "a"}, {"x", "1"}}).rtmr[1]);
  EXPECT_NE(measure("qemu", {{"firmware", "a"}}).mrtd,
            measure("host-process", {{"cced", "a"}}).mrtd);
}

TEST(Measure, RefusesUnknownKindsAndMissingFirstRole) {
  const TestFolder folder;
  std::vector<SealedFile> files;
  files.push_back(Sealed(folder, "decrypt-fs", "fs"));
  EXPECT_FALSE(Measure("process", files));
  EXPECT_FALSE(Measure("toaster", files));
}

TEST(Measure, NamedFiles) {
  const TestFolder folder;
  const std::string path = folder.path() + "/f";
  ASSERT_TRUE(WriteFileAtomic(path, AsBytes("agent")));
  const auto files = SealNamedFiles({"tee-agent=" + path});
  ASSERT_TRUE(files) << FormatError(files.error());
  EXPECT_EQ((*files)[0].digest, crypto::Sha384(AsBytes("agent")));
  EXPECT_FALSE(SealNamedFiles({path}));
  EXPECT_FALSE(SealNamedFiles({"Tee Agent=" + path}));
  EXPECT_FALSE(SealNamedFiles({"a=" + path, "a=" + path}));
  EXPECT_FALSE(SealNamedFiles({"a=" + path + ".none"}));
}

}  // namespace
}  // namespace cce::sim
