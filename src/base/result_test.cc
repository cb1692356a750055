#include "base/result.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace cce {
namespace {

TEST(ErrorTable, CodesAreUniqueAndWellFormed) {
  const auto [rows, count] = AllErrorInfos();
  std::set<std::string_view> seen;
  for (size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(seen.insert(rows[i].code).second) << rows[i].code;
    EXPECT_EQ(std::ranges::count(rows[i].code, '.'), 1) << rows[i].code;
    EXPECT_FALSE(rows[i].meaning.empty()) << rows[i].code;
    EXPECT_FALSE(rows[i].next.empty()) << rows[i].code;
    EXPECT_TRUE(rows[i].http_status >= 400 && rows[i].http_status < 600) << rows[i].code;
  }
}

TEST(FormatError, SaysExpectedFoundAndNext) {
  const Error error = MakeError("io.disk_full", "part 7").Expected("1 GB").Found("3 MB");
  EXPECT_EQ(FormatError(error),
            "io.disk_full: part 7\n  expected 1 GB\n  found    3 MB\n"
            "  next     Free space, then repeat: nothing acknowledged was lost.");
}

}  // namespace
}  // namespace cce
