#include "computing_plane/decrypt_fs/start_message.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "base/file.h"

namespace cce::decrypt_fs {
namespace {

StartMessage Sample() {
  StartMessage message;
  message.dataset = {1};
  message.snapshot = {2};
  message.store_dir = "/store";
  message.mountpoint = "/data/x";
  message.uid = 1000;
  message.threads = 10;
  message.prefetch = std::vector<std::string>{"a", "b/*"};
  message.keys.emplace(7, SecretBytes::CopyOf(Bytes(32, 7)));
  message.keys.emplace(3, SecretBytes::CopyOf(Bytes(32, 3)));
  return message;
}

Result<StartMessage> ReadBack(ByteView bytes) {
  int fds[2];
  if (::pipe(fds) != 0) return FailErrno("pipe", errno);
  const UniqueFd in(fds[0]);
  UniqueFd out(fds[1]);
  const std::jthread writer([&] {
    (void)WriteAll(out.get(), bytes);
    out.Reset();
  });
  return ReadStartMessage(in.get());
}

TEST(StartMessage, SurvivesTheWay) {
  const SecretBytes bytes = EncodeStartMessage(Sample());
  const auto back = ReadBack(bytes.Expose());
  ASSERT_TRUE(back) << FormatError(back.error());
  EXPECT_EQ(back->store_dir, "/store");
  EXPECT_EQ(back->uid, 1000u);
  EXPECT_EQ(back->prefetch, Sample().prefetch);
  ASSERT_EQ(back->keys.size(), 2u);
  EXPECT_TRUE(Equal(back->keys.at(3).Expose(), Bytes(32, 3)));
  EXPECT_TRUE(Equal(back->keys.at(7).Expose(), Bytes(32, 7)));
  EXPECT_TRUE(Equal(EncodeStartMessage(*back).Expose(), bytes.Expose()));
}

TEST(StartMessage, RefusesEveryTruncation) {
  const SecretBytes bytes = EncodeStartMessage(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ReadBack(bytes.Expose().first(size))) << size;
  }
}

TEST(StartMessage, RefusesOtherForms) {
  const auto with = [](std::string text) {
    Bytes bytes;
    AppendU32(bytes, static_cast<uint32_t>(text.size()));
    Append(bytes, AsBytes(text));
    bytes.resize(bytes.size() + 64);
    return ReadBack(bytes);
  };
  const SecretBytes good = EncodeStartMessage(Sample());
  const std::string text(AsText(good.Expose()).substr(4, good.size() - 4 - 64));
  EXPECT_TRUE(with(text));
  EXPECT_FALSE(with("{\"x\":1," + text.substr(1)));
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return with(changed);
  };
  EXPECT_FALSE(replaced("[3,7]", "[]"));
  EXPECT_FALSE(replaced("[3,7]", "[7,3]"));
  EXPECT_FALSE(replaced("[3,7]", "[3,-7]"));
  EXPECT_FALSE(replaced("[3,7]", "\"3\""));
  EXPECT_FALSE(replaced("\"threads\":10", "\"threads\":0"));
  EXPECT_FALSE(replaced("/store", ""));
  Bytes huge;
  AppendU32(huge, UINT32_MAX);
  EXPECT_EQ(ReadBack(huge).error().code, "input.too_large");
}

TEST(Status, SurvivesTheWay) {
  for (const StatusEvent& event :
       {StatusEvent{.event = "ready", .files = 3, .bytes = 4},
        StatusEvent{.event = "failed", .code = "io.failed", .message = "x\ny"},
        StatusEvent{.event = "read_error", .code = "dataset.corrupt", .message = "object ab"},
        StatusEvent{.event = "ended", .reason = "unmounted"}}) {
    const std::string line = EncodeStatus(event);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(EncodeStatus(ParseStatus(line).value()), line);
  }
  EXPECT_FALSE(ParseStatus("{\"event\":\"other\"}"));
}

}  // namespace
}  // namespace cce::decrypt_fs
