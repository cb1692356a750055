#include "base/arguments.h"

#include <gtest/gtest.h>

namespace cce::args {
namespace {

class Arguments : public testing::Test {
 protected:
  Arguments() {
    program_.OptionsAnywhere();
    program_.RequireCommand();
    program_.AddFlag("--loud,-l", loud_, "say more");
    send_ = program_.AddCommand("send", "send files");
    send_->AddOption("FILE", file_, "what to send")->Required();
    send_->AddOption("--times", times_, "how often")->Between(1, 9)->ShowDefault();
    Option* const to = send_->AddOption("--to", to_, "where to; repeatable")->OneValueEach();
    send_->AddOption("--how", how_, "fast or safe")->OneOf({"fast", "safe"})->Needs(to);
    send_->AddOption("--note", note_, "a note")->AtMostBytes(4);
    send_->AddOption("--port", port_, "a port");
    send_->AddOption("--limit", limit_, "a limit")->Positive();
    send_->Footer("Example:\n  prog send x");
    send_->OnParsed([this] { ++runs_; });
    other_ = program_.AddCommand("other", "do nothing");
  }

  // -1: go on.
  int Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "prog");
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto code = program_.Parse(static_cast<int>(words.size()), words.data());
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code.value_or(-1);
  }

  Program program_{"A program"};
  Command* send_ = nullptr;
  Command* other_ = nullptr;
  bool loud_ = false;
  std::string file_, how_, note_;
  std::vector<std::string> to_;
  uint64_t times_ = 3;
  uint32_t limit_ = 1;
  std::optional<uint16_t> port_;
  int runs_ = 0;
  std::string out_, err_;
};

TEST_F(Arguments, FillsTheVariables) {
  EXPECT_EQ(
      Parse({"send", "--to", "a", "--to", "b", "file", "--how", "safe", "--port", "80", "-l"}), -1);
  EXPECT_TRUE(send_->parsed());
  EXPECT_FALSE(other_->parsed());
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(file_, "file");
  EXPECT_EQ(to_, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(how_, "safe");
  EXPECT_EQ(port_, 80);
  EXPECT_EQ(times_, 3u);
  EXPECT_TRUE(loud_);
}

TEST_F(Arguments, HelpEndsWithSuccess) {
  EXPECT_EQ(Parse({"send", "--help"}), 0);
  EXPECT_NE(out_.find("how often"), std::string::npos);
  EXPECT_NE(out_.find("=3"), std::string::npos) << "the default";
  EXPECT_NE(out_.find("Example:\n  prog send x"), std::string::npos);
  EXPECT_EQ(runs_, 0);
}

TEST_F(Arguments, RefusesWhatTheRulesForbid) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"nothing"},
      {"send"},
      {"send", "f", "g"},
      {"send", "f", "--unknown"},
      {"send", "f", "--times", "0"},
      {"send", "f", "--times", "10"},
      {"send", "f", "--times", "many"},
      {"send", "f", "--limit", "0"},
      {"send", "f", "--port", "65536"},
      {"send", "f", "--note", "12345"},
      {"send", "f", "--how", "safe"},
      {"send", "f", "--to", "a", "--how", "slow"},
  };
  for (const auto& words : wrong) {
    EXPECT_GT(Parse(words), 0) << testing::PrintToString(words);
    EXPECT_NE(err_, "");
  }
  EXPECT_EQ(runs_, 0);
}

}  // namespace
}  // namespace cce::args
