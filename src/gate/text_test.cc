#include "gate/text.h"

#include <gtest/gtest.h>

#include "gate/disclosure.h"
#include "gate/svg.h"

namespace cce::gate {
namespace {

Canon Of(std::string_view token) {
  Canon c;
  EXPECT_TRUE(Canonicalise(token, c)) << token;
  return c;
}

bool Same(const Canon& a, const Canon& b) {
  return a.number == b.number && a.mantissa == b.mantissa && a.exponent == b.exponent &&
         a.negative == b.negative && a.word == b.word;
}

TEST(Canonicalise, OneNumberHasOneForm) {
  for (const char* form :
       {"73.5", "73.50", "+73.5", "7.35e1", "73.50000000000001", "0073.5", "735e-1"}) {
    EXPECT_TRUE(Same(Of(form), Of("73.5"))) << form;
  }
  EXPECT_FALSE(Same(Of("-73.5"), Of("73.5")));
  EXPECT_TRUE(Same(Of("0"), Of("-0.000")));
  EXPECT_TRUE(Same(Of("Male"), Of("MALE")));
}

TEST(Canonicalise, MissingIsNothing) {
  Canon c;
  for (const char* form : {"", "NA", "nan", "NULL", "None", "."})
    EXPECT_FALSE(Canonicalise(form, c)) << form;
}

TEST(Canonicalise, LongNumbersAreNames) {
  EXPECT_FALSE(Of("1234567890123456789012").number);
  EXPECT_FALSE(Of("2001-02-03").number);
  EXPECT_FALSE(Of("1e9999").number);
}

TEST(Canonicalise, Rounds) {
  EXPECT_TRUE(Same(Rounded(Of("89.8128"), 3), Of("89.8")));
  EXPECT_TRUE(Same(Rounded(Of("999.96"), 3), Of("1000")));
  EXPECT_TRUE(Same(Rounded(Of("422"), 3), Of("422")));
}

TEST(Text, TellsTextFromBytes) {
  EXPECT_TRUE(IsText(AsBytes("caf\xc3\xa9\n")));
  EXPECT_FALSE(IsText(AsBytes("caf\xe9")));
  EXPECT_FALSE(IsText(AsBytes(std::string_view("a\0b", 3))));
  EXPECT_FALSE(IsText(AsBytes("\xed\xa0\x80")));
  EXPECT_FALSE(IsText(AsBytes("\xc0\xaf")));
}

TEST(Text, SniffsDelimiters) {
  EXPECT_EQ(SniffDelimiter("a,b\n1,2\n"), ',');
  EXPECT_EQ(SniffDelimiter("a\tb\n1\t2\n"), '\t');
  EXPECT_EQ(SniffDelimiter("a;b\n1,5;2,5\n"), ';');
  EXPECT_EQ(SniffDelimiter("one, two\nthree\n"), std::nullopt);
}

TEST(Text, SplitsQuotedCells) {
  std::vector<std::string_view> cells;
  SplitCells("\"a,b\",2,\"c \"\"d\"\"\",", ',', cells);
  ASSERT_EQ(cells.size(), 4u);
  EXPECT_EQ(cells[0], "a,b");
  EXPECT_EQ(cells[1], "2");
  EXPECT_EQ(cells[3], "");
}

TEST(Names, CountLike) {
  for (const char* name : {"n", "N", "at_risk", "events", "n_patients", "Count", "numCases"}) {
    EXPECT_TRUE(CountLike(name)) << name;
  }
  for (const char* name : {"n_bins", "survival", "mean", "n_estimators", "day", "concordance"}) {
    EXPECT_FALSE(CountLike(name)) << name;
  }
  EXPECT_TRUE(ExtremeLike("age_max"));
  EXPECT_FALSE(ExtremeLike("max_iter"));
  EXPECT_TRUE(FreedomLike("df_resid"));
  EXPECT_FALSE(FreedomLike("df"));
}

TEST(Svg, CountsShapes) {
  const SvgFacts facts = ReadSvg(
      "<svg><defs><path id=\"m\" d=\"M 0 0 L 1 1 L 2 2 L 3 3\"/></defs>"
      "<path d=\"M 1 2 L 3 4\"/><path d=\"M 1 2 L 3 4 L 5 6 z\"/>"
      "<use xlink:href=\"#m\"/><use xlink:href=\"#m\"/><circle r=\"1\"/></svg>");
  EXPECT_EQ(facts.most_points, 2u);
  EXPECT_EQ(facts.most_closed_points, 3u);
  EXPECT_EQ(facts.markers, 3u);
  EXPECT_FALSE(facts.script);
  EXPECT_TRUE(ReadSvg("<svg><script>x</script></svg>").script);
}

TEST(Svg, ReadsGlyphs) {
  const SvgFacts by_code = ReadSvg("<g><use href=\"#F-34\"/><use href=\"#F-38\"/></g>");
  EXPECT_NE(by_code.glyph_text.find("48"), std::string::npos);
  const SvgFacts by_place = ReadSvg("<g><use href=\"#F-17\"/><use href=\"#F-1b\"/></g>");
  EXPECT_NE(by_place.glyph_text.find("48"), std::string::npos);
}

TEST(Svg, SurvivesNonsense) {
  ReadSvg("<");
  ReadSvg("<use href=\"");
  ReadSvg("<path d='");
  ReadSvg("<!-- ");
  ReadSvg("</defs></defs><defs>");
}

}  // namespace
}  // namespace cce::gate
