// For tests of every part: what a Result holds, or its code; a folder of a test's own.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "base/result.h"

namespace cce {

// The value; without one the test program ends, having said why.
template <typename T>
T Must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << FormatError(result.error()) << result.error().detail;
    std::abort();
  }
  return std::move(*result);
}

// The error's code, or "ok".
std::string CodeOf(const auto& result) { return result ? "ok" : result.error().code; }

// Empty, and gone with its content at the end.
class TestFolder {
 public:
  TestFolder() : path_(testing::TempDir() + "cce-test-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cce
