#include "protocol/store_access.h"

#include <gtest/gtest.h>

namespace cce::protocol {
namespace {

StoreAccess Example() {
  return {.kind = "juicefs",
          .bucket = "cce-0a",
          .access_key = "job-1",
          .secret_key = SecretBytes::CopyOf(AsBytes("secret")),
          .metadata = {{"Setting", json::object{}}}};
}

TEST(StoreAccess, SurvivesTheWay) {
  const auto read = ReadStoreAccess(ToJson(ToJsonObject(Example())));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ToJson(ToJsonObject(*read)), ToJson(ToJsonObject(Example())));
  const auto plain = ReadStoreAccess(ToJson(ToJsonObject(StoreAccess{})));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->kind, "objects");
}

TEST(StoreAccess, RefusesOtherForms) {
  const auto with = [](std::string_view key, json::value value) {
    json::object object = ToJsonObject(Example());
    object[key] = std::move(value);
    return ToJson(object);
  };
  EXPECT_FALSE(ReadStoreAccess(with("kind", "nfs")));
  EXPECT_FALSE(ReadStoreAccess(with("bucket", "../other")));
  EXPECT_FALSE(ReadStoreAccess(with("bucket", "a b c")));
  EXPECT_FALSE(ReadStoreAccess(with("access_key", "job;x")));
  EXPECT_FALSE(ReadStoreAccess(with("metadata", 1)));
  EXPECT_FALSE(ReadStoreAccess(with("more", 1)));
}

}  // namespace
}  // namespace cce::protocol
