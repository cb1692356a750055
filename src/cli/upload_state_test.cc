#include "cli/upload_state.h"

#include "cli/test_support.h"

namespace cce::cli {
namespace {

class UploadStateTest : public testing::Test {
 protected:
  UploadStateTest() {
    settings_.folder = folder_.path() + "/config";
    data_ = folder_.path() + "/data \"x\"";
    std::filesystem::create_directory(data_);
  }
  UploadStates Open() const { return Must(UploadStates::Open(settings_)); }

  TempFolder folder_;
  Settings settings_;
  std::string data_;
  const protocol::DatasetId dataset_{0xd8, 0xda};
};

TEST_F(UploadStateTest, SamePathAndDatasetGoOn) {
  const UploadStates states = Open();
  UploadState state = Must(states.FindOrNew(dataset_, data_));
  EXPECT_FALSE(state.TokenGoodAt(0));
  state.token = "cce_0123456789abcdef";
  state.token_expires_at = 1000;
  state.complete = CompleteUpload{{1, 2}, {.files = 3, .folders = 1, .links = 0, .bytes = 77}};
  ASSERT_TRUE(states.Save(state).has_value());

  const UploadState again = Must(Open().FindOrNew(dataset_, data_ + "/../" + "data \"x\""));
  EXPECT_EQ(again.draft, state.draft);
  EXPECT_EQ(again.salt, state.salt);
  EXPECT_EQ(again.path, state.path);
  EXPECT_TRUE(again.TokenGoodAt(900));
  EXPECT_FALSE(again.TokenGoodAt(950));  // too near its end to begin with
  ASSERT_TRUE(again.complete.has_value());
  EXPECT_EQ(again.complete->counts.bytes, 77U);
  EXPECT_EQ(again.complete->root, state.complete->root);
}

TEST_F(UploadStateTest, AnotherDatasetOrPathIsAnotherUpload) {
  const UploadStates states = Open();
  const UploadState state = Must(states.FindOrNew(dataset_, data_));
  ASSERT_TRUE(states.Save(state).has_value());
  EXPECT_NE(Must(states.FindOrNew({1}, data_)).draft, state.draft);
  EXPECT_NE(Must(states.FindOrNew(dataset_, folder_.path())).draft, state.draft);
  EXPECT_EQ(CodeOf(states.FindOrNew(dataset_, folder_.path() + "/none")), "io.not_found");
  EXPECT_EQ(Must(states.OfDataset(dataset_)).size(), 1U);
  EXPECT_EQ(Must(states.OfDataset({1})).size(), 0U);
}

TEST_F(UploadStateTest, ForgottenIsNew) {
  const UploadStates states = Open();
  const UploadState state = Must(states.FindOrNew(dataset_, data_));
  ASSERT_TRUE(states.Save(state).has_value());
  ASSERT_TRUE(states.Forget(state).has_value());
  ASSERT_TRUE(states.Forget(state).has_value());
  EXPECT_NE(Must(states.FindOrNew(dataset_, data_)).draft, state.draft);
}

TEST_F(UploadStateTest, DamagedFilesAreErrors) {
  const auto code = [](const std::string& text) {
    return CodeOf(ReadUploadState(Must(ParseToml(text, "state"))));
  };
  const UploadState state = Must(Open().FindOrNew(dataset_, data_));
  const std::string good = EncodeUploadState(state);
  EXPECT_EQ(code(good), "ok");
  EXPECT_EQ(code("other = 1\n" + good), "config.invalid");
  EXPECT_EQ(code(""), "config.invalid");
}

}  // namespace
}  // namespace cce::cli
