#include "protocol/simulated_chip.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cce::protocol {
namespace {

struct Pair {
  UniqueFd a;
  UniqueFd b;
};

Pair SocketPair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

ChipCreate Example() {
  return {.guest = "process", .roles = {"tee-agent", std::string(kLaunchDocumentRole)}};
}

TEST(SimulatedChip, CreateSurvivesTheWire) {
  ChipCreate create = Example();
  create.defect = "debug-td";
  const auto back = DecodeChipCreate(EncodeChipCreate(create));
  ASSERT_TRUE(back) << FormatError(back.error());
  EXPECT_EQ(back->guest, "process");
  EXPECT_EQ(back->roles, create.roles);
  EXPECT_EQ(back->defect, "debug-td");
}

TEST(SimulatedChip, CreateRefusesWhatItDoesNotKnow) {
  for (const char* text : {
           R"({"op":"create","tee":"tdx","guest":"process","roles":[]})",
           R"({"op":"create","tee":"tdx","guest":"process","roles":["a","a"]})",
           R"({"op":"create","tee":"tdx","guest":"process","roles":["../a"]})",
           R"({"op":"create","tee":"sgx","guest":"process","roles":["a"]})",
           R"({"op":"measure","tee":"tdx","guest":"process","roles":["a"]})",
           R"({"op":"create","tee":"tdx","guest":"process","roles":["a"],"mrtd":"00"})",
           R"(["create"])",
       }) {
    EXPECT_FALSE(DecodeChipCreate(text)) << text;
  }
}

TEST(SimulatedChip, AnswersSurviveTheWire) {
  ChipCreated created{.front = "/run/x", .measurement = {}};
  created.measurement.mrtd.fill(1);
  created.measurement.rtmr[3].fill(2);
  created.measurement.mrconfigid.fill(3);
  const auto back = DecodeChipCreated(EncodeChipCreated(created));
  ASSERT_TRUE(back) << FormatError(back.error());
  EXPECT_EQ(back->measurement, created.measurement);

  const auto refused = DecodeChipCreated(EncodeChipError(MakeError("input.malformed", "no")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "chip.refused");
  created.front = "run/x";
  EXPECT_FALSE(DecodeChipCreated(EncodeChipCreated(created)));
}

TEST(SimulatedChip, DescriptorsTravel) {
  Pair pair = SocketPair();
  UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fds[] = {file.get(), file.get()};
  ASSERT_TRUE(SendFdMessage(pair.a.get(), "{}", fds));
  auto got = ReceiveFdMessage(pair.b.get());
  ASSERT_TRUE(got) << FormatError(got.error());
  EXPECT_EQ(got->text, "{}");
  ASSERT_EQ(got->fds.size(), 2u);
  EXPECT_NE(fcntl(got->fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  pair.a.Reset();
  got = ReceiveFdMessage(pair.b.get());
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->text.empty());
}

TEST(SimulatedChip, RefusesMoreThanItsLimits) {
  Pair pair = SocketPair();
  EXPECT_FALSE(SendFdMessage(pair.a.get(), std::string(kChipMaxMessage + 1, 'x'), {}));
  const std::string big(kChipMaxMessage + 1, 'x');
  ASSERT_EQ(send(pair.a.get(), big.data(), big.size(), 0), static_cast<ssize_t>(big.size()));
  const auto got = ReceiveFdMessage(pair.b.get());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, "input.too_large");
}

TEST(SimulatedChip, SaysThatNobodyListens) {
  const auto guest = CreateChipGuest("/nonexistent/chip.sock", Example(), {});
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().code, "internal.unavailable");
}

}  // namespace
}  // namespace cce::protocol
