#include "dataset/path.h"

#include <gtest/gtest.h>

namespace cce::dataset {
namespace {

TEST(CheckPath, AcceptsOddNames) {
  for (const std::string_view path :
       {"a", "a/b", "...", "a/..b", " ", "\n", "\xff\xfe", "-rf", "a b/c\td", "\\"}) {
    EXPECT_TRUE(CheckPath(path)) << ShowPath(path);
  }
  EXPECT_TRUE(CheckPath(std::string(255, 'x')));
  EXPECT_TRUE(CheckPath(std::string(255, 'x') + "/" + std::string(255, 'y')));
}

TEST(CheckPath, RefusesHostilePaths) {
  const std::string_view nul("a\0b", 3);
  for (const std::string_view path :
       {std::string_view(""), std::string_view("/etc/passwd"), std::string_view(".."),
        std::string_view("../a"), std::string_view("a/../b"), std::string_view("a/.."),
        std::string_view("."), std::string_view("./a"), std::string_view("a/./b"),
        std::string_view("a//b"), std::string_view("a/"), nul}) {
    const auto checked = CheckPath(path);
    ASSERT_FALSE(checked) << ShowPath(path);
    EXPECT_EQ(checked.error().code, "dataset.bad_path");
  }
  EXPECT_FALSE(CheckPath(std::string(256, 'x')));
  std::string longest;
  while (longest.size() < 4096) longest += std::string(31, 'x') + "/";
  longest.pop_back();
  EXPECT_TRUE(CheckPath(longest));
  EXPECT_FALSE(CheckPath(longest + "xx"));
}

TEST(CheckLinkTarget, KeepsLinksInside) {
  EXPECT_TRUE(CheckLinkTarget("a", "b"));
  EXPECT_TRUE(CheckLinkTarget("a", "./b//c/"));
  EXPECT_TRUE(CheckLinkTarget("d/a", "../b"));
  EXPECT_TRUE(CheckLinkTarget("d/e/a", "../.././x/y"));
  EXPECT_TRUE(CheckLinkTarget("a", "."));
}

TEST(CheckLinkTarget, RefusesWhatCouldLeadOutside) {
  for (const auto& [link, target] : std::vector<std::pair<std::string, std::string>>{
           {"a", ""},
           {"a", "/etc/passwd"},
           {"a", ".."},
           {"d/a", "../../b"},
           {"d/a", "./../../b"},
           // Lexically inside, but `x` may itself be a link to the top.
           {"d/a", "x/../b"},
           {"d/e/a", "../x/../../b"},
           {"a", std::string("b\0c", 3)},
           {"a", std::string(4096, 'x')}}) {
    const auto checked = CheckLinkTarget(link, target);
    ASSERT_FALSE(checked) << link << " -> " << ShowPath(target);
    EXPECT_EQ(checked.error().code, "dataset.bad_link");
  }
}

TEST(ComparePaths, PutsAFoldersContentDirectlyBehindIt) {
  const std::vector<std::string_view> ordered = {"a",     "a/\x01", "a/b", "a/b/c", "a/c",
                                                 "a\x01", "a.b",    "aa",  "b",     "\xff"};
  for (size_t i = 0; i < ordered.size(); ++i) {
    for (size_t j = 0; j < ordered.size(); ++j) {
      const int order = ComparePaths(ordered[i], ordered[j]);
      EXPECT_EQ(order < 0, i < j) << ShowPath(ordered[i]) << " " << ShowPath(ordered[j]);
      EXPECT_EQ(order == 0, i == j);
    }
  }
}

TEST(ShowPath, EscapesAndCuts) {
  EXPECT_EQ(ShowPath("a\n\x1b[31m\\"), "a\\x0a\\x1b[31m\\x5c");
  EXPECT_EQ(ShowPath(std::string(300, 'a')), std::string(200, 'a') + "...");
}

}  // namespace
}  // namespace cce::dataset
