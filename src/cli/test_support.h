// For the tests of src/cli.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/testing.h"

namespace cce::cli {

inline std::string Example(const std::string& name) {
  return std::string(CCE_SOURCE_DIR) + "/deploy/examples/" + name;
}

// A folder that goes with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "cli-test-XXXXXX").string();
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, std::string_view text) const {
    const std::string file = path_ + "/" + name;
    EXPECT_TRUE(WriteFileAtomic(file, AsBytes(text)).has_value());
    return file;
  }

 private:
  std::string path_;
};

}  // namespace cce::cli
