#include "gate/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>

#include "gate/decode.h"
#include "gate/decoder/request.h"
#include "gate/test_data.h"

namespace cce::gate {
namespace {

constexpr std::string_view kSha256OfAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kSha256OfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string Shown(const OutputFile& file) {
  return file.path + " " + std::to_string(file.size) + " " + ToHex(file.sha256);
}

std::string Member(std::string_view path, int type, std::string_view target = {}) {
  Bytes out(size_t{8} << 10);
  size_t used = 0;
  archive* a = archive_write_new();
  archive_write_set_format_ustar(a);
  archive_write_set_bytes_in_last_block(a, 1);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  archive_entry* e = archive_entry_new();
  archive_entry_set_pathname_utf8(e, std::string(path).c_str());
  archive_entry_set_filetype(e, static_cast<unsigned int>(type));
  if (type == AE_IFLNK) archive_entry_set_symlink(e, std::string(target).c_str());
  if (type == AE_IFREG) archive_entry_set_hardlink(e, std::string(target).c_str());
  archive_write_header(a, e);
  archive_entry_free(e);
  archive_write_close(a);
  archive_write_free(a);
  return std::string(AsText(ByteView(out).first(used - 1024)));  // without the end
}

// A member made by Member, in front of a good tar.
Bytes WithMember(const std::string& member) {
  Bytes out = ToBytes(std::string_view(member));
  Append(out, Tar({{"good.txt", "abc"}}));
  return out;
}

void ExpectRefused(ByteView tar) {
  const auto files = ListOutput(GATE_DECODER, tar);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, "gate.decoder_failed");
}

TEST(ListOutput, NamesEachFileInTheTarsOrder) {
  setlocale(LC_CTYPE, "C.UTF-8");  // libarchive writes names in it
  const std::string large(300'000, 'x');
  const std::string packed(AsText(Tar({{"inner.csv", "1,2\n"}})));
  const auto files = ListOutput(GATE_DECODER, Pack({{"z.txt", "abc"},
                                                    {".cce/stdout.txt", ""},
                                                    {"größe/Ω.csv", "abc"},
                                                    {"back\\slash", "abc"},
                                                    {std::string(200, 'd') + "/f", "abc"},
                                                    {"inner.tar", packed},
                                                    {"large.bin", large}},
                                                   archive_write_set_format_pax_restricted));
  ASSERT_TRUE(files) << files.error().message;
  std::vector<std::string> shown;
  for (const OutputFile& file : *files) shown.push_back(Shown(file));
  const std::string abc = " 3 " + std::string(kSha256OfAbc);
  ASSERT_EQ(shown.size(), 7u);
  EXPECT_EQ(shown[0], "z.txt" + abc);
  EXPECT_EQ(shown[1], ".cce/stdout.txt 0 " + std::string(kSha256OfNothing));
  EXPECT_EQ(shown[2], "größe/Ω.csv" + abc);
  EXPECT_EQ(shown[3], "back\\slash" + abc);
  EXPECT_EQ(shown[4], std::string(200, 'd') + "/f" + abc);
  EXPECT_EQ(files->at(5).size, packed.size());
  EXPECT_EQ(files->at(6).size, large.size());
}

TEST(ListOutput, PassesOverFolders) {
  const auto files = ListOutput(GATE_DECODER, WithMember(Member("folder/", AE_IFDIR)));
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(files->at(0).path, "good.txt");
}

TEST(ListOutput, AnEmptyOutputHasNoFiles) {
  const auto files = ListOutput(GATE_DECODER, Bytes(10240, 0));
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->empty());
  ExpectRefused({});
  ExpectRefused(Bytes(512, 0));
}

TEST(ListOutput, RefusesWhatIsNeitherFileNorFolder) {
  ASSERT_TRUE(ListOutput(GATE_DECODER, WithMember("")));
  ExpectRefused(WithMember(Member("link", AE_IFLNK, "good.txt")));
  ExpectRefused(WithMember(Member("hard", AE_IFREG, "good.txt")));
  ExpectRefused(WithMember(Member("device", AE_IFCHR)));
  ExpectRefused(WithMember(Member("pipe", AE_IFIFO)));
}

TEST(ListOutput, RefusesHostilePaths) {
  for (const std::string path : {"../up", "/abs", "a/../../b", "./a", "a//b", "tab\there"}) {
    ExpectRefused(Tar({{path, "x"}}));
  }
  ExpectRefused(Tar({{"a.txt", "1"}, {"a.txt", "2"}}));
  ExpectRefused(WithMember(Member("good.txt/", AE_IFDIR)));
  ExpectRefused(Pack({{std::string(1100, 'n'), "x"}}, archive_write_set_format_pax_restricted));
}

TEST(ListOutput, RefusesDamage) {
  const Bytes tar = Tar({{"a.txt", std::string(4000, 'x')}, {"b.txt", "b"}});
  for (const size_t size :
       {size_t{512}, size_t{1024}, size_t{4608}, size_t{5120}, size_t{5632}, tar.size() - 1024}) {
    ExpectRefused(ByteView(tar).first(size));
  }
  Bytes behind = tar;
  behind.resize(behind.size() + 512);
  Append(behind, AsBytes("hidden"));
  behind.resize(behind.size() + 2048);
  ExpectRefused(behind);
  Bytes flipped = tar;
  flipped[3] ^= 1;  // the header's checksum no longer holds
  ExpectRefused(flipped);
  ExpectRefused(Bytes(5000, 0x5a));
}

TEST(ListOutput, KeepsTheLimits) {
  DecodeLimits limits;
  limits.max_views = 2;
  EXPECT_TRUE(ListOutput(GATE_DECODER, Tar({{"a", "1"}, {"b", "2"}}), limits));
  EXPECT_FALSE(ListOutput(GATE_DECODER, Tar({{"a", "1"}, {"b", "2"}, {"c", "3"}}), limits));
  limits = {.deadline_ms = 200};
  for (const char* path : {"/bin/false", "/bin/cat", "/nonexistent/decoder", "/usr/bin/yes"}) {
    const auto files = ListOutput(path, Tar({{"a", "1"}}), limits);
    ASSERT_FALSE(files) << path;
    EXPECT_EQ(files.error().code, "gate.decoder_failed") << path;
  }
}

Bytes Stream() {
  Bytes out = ToBytes(kListStreamMagic);
  OutputFile file{.path = "a.csv", .size = 3};
  file.sha256 = *ArrayFromHex<32>(kSha256OfAbc);
  Append(out, EncodeListedFile(file));
  Append(out, EncodeListEnd(1));
  return out;
}

TEST(DecodeRequest, TestVector) {
  const DecodeLimits limits;
  const Bytes bytes =
      EncodeDecodeRequest({DecodeMode::kViews, limits.max_depth, limits.max_ratio, limits.max_total,
                           limits.max_views, limits.max_memory, limits.max_cpu_seconds});
  EXPECT_EQ(ToHex(bytes),
            "43434547320a0100000008000000c8000000004000000000004e2000000000c000000000000078");
  EXPECT_TRUE(ParseDecodeRequest(bytes));
  for (const uint8_t mode : {uint8_t{0}, uint8_t{3}}) {
    Bytes other = bytes;
    other[6] = mode;
    EXPECT_FALSE(ParseDecodeRequest(other));
  }
}

TEST(ListStream, TestVector) {
  EXPECT_EQ(ToHex(Stream()), "4343454c310a0100000005612e6373760000000000000003" +
                                 std::string(kSha256OfAbc) + "0000000001");
  const auto files = ParseListStream(Stream(), 10);
  ASSERT_TRUE(files);
  EXPECT_EQ(Shown(files->at(0)), "a.csv 3 " + std::string(kSha256OfAbc));
}

TEST(ListStream, RefusesWhatIsNotExact) {
  const Bytes stream = Stream();
  for (size_t n = 0; n < stream.size(); ++n) {
    const auto files = ParseListStream(ByteView(stream).first(n), 10);
    ASSERT_FALSE(files) << n;
    EXPECT_EQ(files.error().code, "gate.decoder_failed");
  }
  Bytes more = stream;
  more.push_back(0);
  EXPECT_FALSE(ParseListStream(more, 10));
  Bytes count = stream;
  count.back() = 2;
  EXPECT_FALSE(ParseListStream(count, 10));
  EXPECT_FALSE(ParseListStream(stream, 0));
  Bytes hostile = stream;
  hostile[11] = '/';
  EXPECT_FALSE(ParseListStream(hostile, 10));
  Bytes twice = stream;
  twice.resize(twice.size() - 5);
  Append(twice, ByteView(stream).subspan(kListStreamMagic.size()));
  twice.back() = 2;
  EXPECT_FALSE(ParseListStream(twice, 10));
}

}  // namespace
}  // namespace cce::gate
