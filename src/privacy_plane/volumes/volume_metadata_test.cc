#include "privacy_plane/volumes/volume_metadata.h"

#include <gtest/gtest.h>

#include "privacy_plane/volumes/s3_admin.h"

namespace cce::privacy_plane {
namespace {

const dataset::ObjectName kFirst = {0xaa, 1};
const dataset::ObjectName kSecond = {0xab, 2};

std::string Entry(const dataset::ObjectName& name) {
  return "\"" + ToHex(name) +
         R"(":{"attr":{"inode":7},"chunks":[{"index":0,"slices":[{"id":1}]}]})";
}

std::string DumpText() {
  return R"({"Setting":{"Name":"ds-1","UUID":"u","SecretKey":"hidden","AccessKey":"hidden"},)"
         R"("Counters":{"nextChunk":9},"Sustained":[],"DelFiles":[],)"
         R"("FSTree":{"attr":{"inode":1},"entries":{".probe":{"attr":{}},)"
         R"("aa":{"attr":{"inode":2},"entries":{)" +
         Entry(kFirst) + R"(}},"ab":{"attr":{"inode":3},"entries":{)" + Entry(kSecond) +
         R"(,"stray":{"attr":{}}}}}},"Trash":{"entries":{"old":{}}}})";
}

TEST(VolumeMetadata, KeepsTheSnapshotsObjectsAlone) {
  const auto selected = SelectObjects(DumpText(), {kSecond});
  ASSERT_TRUE(selected) << selected.error().message;
  const std::string text = ToJson(*selected);
  EXPECT_NE(text.find(ToHex(kSecond)), std::string::npos);
  for (const std::string& absent :
       {ToHex(kFirst), std::string("hidden"), std::string("probe"), std::string("stray"),
        std::string("old"), std::string("Trash")}) {
    EXPECT_EQ(text.find(absent), std::string::npos) << absent;
  }
}

TEST(VolumeMetadata, NamesAnObjectThatTheVolumeLacks) {
  const dataset::ObjectName other = {0xcc};
  const auto selected = SelectObjects(DumpText(), {kFirst, other});
  ASSERT_FALSE(selected);
  EXPECT_EQ(selected.error().code, "dataset.missing_object");
  EXPECT_NE(selected.error().message.find(ToHex(other)), std::string::npos);
}

TEST(VolumeMetadata, RefusesAnotherForm) {
  for (const char* text : {"{}", "[]", "no", R"({"Setting":1,"Counters":{},"FSTree":{}})",
                           R"({"Setting":{},"Counters":{},"FSTree":{"entries":[]}})"}) {
    EXPECT_FALSE(SelectObjects(text, {})) << text;
  }
}

TEST(S3Admin, AReaderGetsObjectsBelowHisPrefixAndNothingElse) {
  const std::string policy = BucketPolicy("cce-1", "writer", {{"job-1", "ds-1/chunks/"}});
  const auto parsed = ParseJson(policy);
  ASSERT_TRUE(parsed);
  const json::array& statements = parsed->at("Statement").as_array();
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(ToJson(statements[1]),
            R"({"Effect":"Allow","Principal":{"AWS":["job-1"]},"Action":["s3:GetObject"],)"
            R"("Resource":["arn:aws:s3:::cce-1/ds-1/chunks/*"]})");
}

TEST(S3Admin, FindsUsersByTheirPrefix) {
  const std::string xml =
      "<R><Accounts><Access>job-1</Access><Secret>s</Secret></Accounts>"
      "<Accounts><Access>writer</Access></Accounts><Accounts><Access>job-2</Access></Accounts></R>";
  EXPECT_EQ(UsersIn(xml, "job-"), (std::vector<std::string>{"job-1", "job-2"}));
  EXPECT_TRUE(UsersIn("<Access>job-1", "x").empty());
  EXPECT_TRUE(UsersIn("", "job-").empty());
}

}  // namespace
}  // namespace cce::privacy_plane
