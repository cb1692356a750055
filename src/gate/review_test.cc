#include "gate/review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gate/test_data.h"

namespace cce::gate {
namespace {

// An honest table of survival by arm on a grid, rounded as the rules ask.
std::string HonestSummary() {
  std::string out = "arm,day,at_risk,events,survival,lower,upper\n";
  char line[128];
  for (const char* arm : {"A", "B", "C"}) {
    for (int i = 0; i < 20; ++i) {
      const double s = std::exp(-0.01 * i * (*arm - '@'));
      std::snprintf(line, sizeof line, "%s,%d,%d,%d,%.4f,%.4f,%.4f\n", arm, i * 60, 500 - 20 * i,
                    10 + 5 * i, s, s - 0.02, s + 0.02);
      out += line;
    }
  }
  return out;
}

std::string HonestSvg() {
  std::string out = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\">";
  char point[64];
  for (int arm = 0; arm < 4; ++arm) {
    out += "<path d=\"M 57.6 41.5";
    for (int i = 0; i < 60; ++i) {
      std::snprintf(point, sizeof point, " L %.3f %.3f", 57.6 + 4.71 * i, 41.5 + arm + 2.13 * i);
      out += point;
    }
    out += "\"/>\n";
  }
  return out + "</svg>\n";
}

class Gate : public CohortTest {
 protected:
  static GateReport Text(std::string_view text, ViewKind kind = ViewKind::kText) {
    return ReviewOne(*index_, {TextView("out.txt", kind, text)});
  }
  static bool Held(const GateReport& report, FindingClass cls) {
    return report.decision == Decision::kNeedsHuman && Find(report, cls) != nullptr;
  }
  static const std::vector<std::string>& Row(size_t i) { return people_->rows[i]; }
};

TEST_F(Gate, HonestOutputPasses) {
  const GateReport report =
      ReviewOne(*index_, {TextView("summary.csv", ViewKind::kTable, HonestSummary()),
                          TextView("survival.svg", ViewKind::kSvg, HonestSvg()),
                          TextView("stdout", ViewKind::kText,
                                   "fitting Cox model\nconcordance 0.6712\nwrote summary.csv\n"),
                          TextView("stderr", ViewKind::kText, "")});
  EXPECT_EQ(report.decision, Decision::kAutoApproved);
  EXPECT_LT(report.score, 0.3);
  EXPECT_EQ(report.files, 4u);
}

TEST_F(Gate, OneRowInAnyDress) {
  const auto& r = Row(123);
  std::string json = "{", log = "step 12 state", lines, html = "<table><tr>";
  for (size_t c = 0; c < r.size(); ++c) {
    json += (c > 0 ? ", \"" : "\"") + people_->names[c] + "\": " + r[c];
    log += " " + people_->names[c] + "=" + r[c];
    lines += r[c] + "\n";
    html += "\n<td>" + r[c] + "</td>";
  }
  EXPECT_TRUE(Held(Text(people_->Line(123)), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(people_->Line(123, ';')), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(json + "}", ViewKind::kJson), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(log), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(lines), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(html + "</tr></table>", ViewKind::kXml), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text("<svg><text>" + people_->Line(123, ' ') + "</text></svg>", ViewKind::kSvg),
                   FindingClass::kRecords));
}

TEST_F(Gate, RowsWithColumnsDroppedReorderedAndRounded) {
  std::string table = "d,w,a,b\n";
  for (size_t i = 10; i < 40; ++i) {
    const double weight = std::stod(Row(i)[3]);
    char cell[32];
    std::snprintf(cell, sizeof cell, "%.1f", weight);
    table += Row(i)[7] + "," + cell + "," + Row(i)[5] + "," + Row(i)[4] + "\n";
  }
  const GateReport report = Text(table, ViewKind::kTable);
  EXPECT_TRUE(Held(report, FindingClass::kRecords));
  EXPECT_GE(Find(report, FindingClass::kRecords)->count, 20u);
}

TEST_F(Gate, TransposedAndColumnWise) {
  std::string transposed, columns = "{";
  for (size_t c = 0; c < people_->names.size(); ++c) {
    transposed += people_->names[c];
    columns += (c > 0 ? ",\"" : "\"") + people_->names[c] + "\":[";
    for (size_t i = 50; i < 60; ++i) {
      transposed += "," + Row(i)[c];
      columns += (i > 50 ? "," : "") + Row(i)[c];
    }
    transposed += "\n";
    columns += "]";
  }
  EXPECT_TRUE(Held(Text(transposed, ViewKind::kTable), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(columns + "}", ViewKind::kJson), FindingClass::kRecords));
  EXPECT_TRUE(Held(Text(columns + ",\"x\":[NaN]}", ViewKind::kJson), FindingClass::kRecords));
}

TEST_F(Gate, OtherPeopleAreNotRecords) {
  // The same distribution, another draw: a dataset of nobody here.
  const Cohort others(20, 99);
  std::string text;
  for (size_t i = 0; i < 20; ++i) text += others.Line(i) + "\n";
  EXPECT_EQ(Find(Text(text, ViewKind::kTable), FindingClass::kRecords), nullptr);
}

TEST_F(Gate, BytesOfTheDatasetOverlap) {
  const std::string csv = people_->Csv();
  EXPECT_TRUE(Held(Text(csv.substr(5000, 400)), FindingClass::kOverlap));
  EXPECT_EQ(Find(Text(people_->Header() + "\n"), FindingClass::kOverlap), nullptr);
}

TEST_F(Gate, AColumnsOwnValues) {
  std::string ids;
  for (size_t i = 0; i < 60; ++i) ids += Row(i * 7)[0] + "\n";
  EXPECT_TRUE(Held(Text(ids), FindingClass::kValues));
  std::string others;
  for (int i = 0; i < 60; ++i) others += std::to_string(1'000'003 + 7919 * i) + "\n";
  EXPECT_EQ(Find(Text(others), FindingClass::kValues), nullptr);
}

TEST_F(Gate, FileNamesAreContent) {
  const auto& r = Row(77);
  const std::string name =
      r[1] + "_" + r[3] + "_" + r[4] + "_" + r[5] + "_" + r[6] + "_" + r[7] + ".txt";
  const GateReport report = ReviewOne(*index_, {TextView(name, ViewKind::kText, "x")});
  EXPECT_TRUE(Held(report, FindingClass::kRecords));
  EXPECT_TRUE(Held(ReviewOne(*index_, {TextView(std::string(200, 'n'), ViewKind::kText, "x")}),
                   FindingClass::kName));
}

TEST_F(Gate, SmallCells) {
  EXPECT_TRUE(Held(Text("arm,n\nA,3\nB,250\n", ViewKind::kTable), FindingClass::kSmallCell));
  EXPECT_TRUE(Held(Text("{\"groups\": [{\"n\": 4}]}", ViewKind::kJson), FindingClass::kSmallCell));
  EXPECT_TRUE(Held(Text("{\"n\": {\"A\": 4}}", ViewKind::kJson), FindingClass::kSmallCell));
  EXPECT_TRUE(Held(Text("subgroup: n = 4, mean = 2.5"), FindingClass::kSmallCell));
  EXPECT_EQ(Find(Text("arm,n\nA,10\nB,250\n", ViewKind::kTable), FindingClass::kSmallCell),
            nullptr);
  EXPECT_EQ(Find(Text("arm,n\nA,0\nB,250\n", ViewKind::kTable), FindingClass::kSmallCell), nullptr);
  EXPECT_EQ(Find(Text("arm,hazard\nA,3\nB,4\n", ViewKind::kTable), FindingClass::kSmallCell),
            nullptr);
}

TEST_F(Gate, MeansUnderACountsNameAreNoCounts) {
  const std::string table = "arm,events\nA,0.31\nB,1.0\nC,0.42\n";
  EXPECT_EQ(Find(Text(table, ViewKind::kTable), FindingClass::kSmallCell), nullptr);
}

TEST_F(Gate, RowsOfLittleInformationTogether) {
  // Five coarse columns: no row of them is anybody's alone.
  std::mt19937 random(5);
  std::string csv = "age,sex,arm,grade,stage\n";
  std::vector<std::string> rows;
  for (int i = 0; i < 400; ++i) {
    std::string row = std::to_string(20 + random() % 60);
    for (const uint32_t levels : {2u, 4u, 5u, 6u}) row += "," + std::to_string(random() % levels);
    rows.push_back(row);
    csv += row + "\n";
  }
  const LeakIndex index = IndexOf(csv);
  const auto one = ReviewOne(index, {TextView("a.txt", ViewKind::kText, "seed " + rows[7])});
  EXPECT_EQ(Find(one, FindingClass::kRecords), nullptr);
  std::string many;
  for (int i = 0; i < 60; ++i)
    many += "step " + std::to_string(100 + i) + " " + rows[static_cast<size_t>(i) * 3] + "\n";
  const auto all = ReviewOne(index, {TextView("a.txt", ViewKind::kText, many)});
  EXPECT_TRUE(Held(all, FindingClass::kRecords));
}

TEST_F(Gate, RoundedCountsWeighLess) {
  const std::string table = "arm,n\nA,5\nB,250\nC,15\nD,20\nE,35\n";
  const GateReport report = Text(table, ViewKind::kTable);
  EXPECT_EQ(report.decision, Decision::kAutoApproved);
  ASSERT_NE(Find(report, FindingClass::kSmallCell), nullptr);
  GatePolicy policy;
  policy.rounding_base = 5;
  EXPECT_EQ(Find(ReviewOne(*index_, {TextView("a.csv", ViewKind::kTable, table)}, policy),
                 FindingClass::kSmallCell),
            nullptr);
  EXPECT_TRUE(Held(
      ReviewOne(*index_, {TextView("a.csv", ViewKind::kTable, "arm,n\nA,51\nB,250\n")}, policy),
      FindingClass::kRounding));
}

TEST_F(Gate, ExtremesAndFreedom) {
  EXPECT_TRUE(Held(Text("stat,age\nmean,40.1\nmin,18\nmax,77\n", ViewKind::kTable),
                   FindingClass::kExtreme));
  EXPECT_TRUE(Held(Text("{\"age_max\": 77}", ViewKind::kJson), FindingClass::kExtreme));
  EXPECT_TRUE(Held(Text("Df Residuals: 4\n"), FindingClass::kFreedom));
  EXPECT_EQ(Find(Text("log-likelihood ratio test = 50.1 on 3 df\n"), FindingClass::kFreedom),
            nullptr);
}

TEST_F(Gate, Shapes) {
  std::string predictions = "p\n", lines, circles = "<svg>";
  for (int i = 0; i < 2000; ++i) predictions += "0." + std::to_string(1000 + i * 4) + "\n";
  for (int i = 0; i < 150; ++i) lines += std::to_string(i % 7) + " " + std::to_string(i % 5) + "\n";
  for (int i = 0; i < 300; ++i) circles += "<circle cx=\"1\" cy=\"2\" r=\"1\"/>";
  EXPECT_TRUE(Held(Text(predictions), FindingClass::kShape));
  EXPECT_TRUE(Held(Text(lines), FindingClass::kShape));
  EXPECT_TRUE(Held(Text(circles + "</svg>", ViewKind::kSvg), FindingClass::kShape));
  std::string path = "<svg><path d=\"M 0 0";
  for (int i = 0; i < 600; ++i) path += " L " + std::to_string(i) + " 1";
  EXPECT_TRUE(Held(Text(path + "\"/></svg>", ViewKind::kSvg), FindingClass::kShape));
  EXPECT_EQ(Find(Text(HonestSvg(), ViewKind::kSvg), FindingClass::kShape), nullptr);
}

TEST_F(Gate, WhatNobodyCanRead) {
  View unread{
      .chain = {"a.zip"}, .kind = ViewKind::kUnreadable, .why = Unread::kEncrypted, .bytes = {}};
  EXPECT_TRUE(Held(ReviewOne(*index_, {unread}), FindingClass::kOpaque));
  View binary{.chain = {"a.csv"}, .kind = ViewKind::kBinary, .bytes = Bytes(100, 1)};
  EXPECT_TRUE(Held(ReviewOne(*index_, {binary}), FindingClass::kOpaque));
  std::mt19937 random(1);
  std::string dense;
  for (int i = 0; i < 4000; ++i) dense += static_cast<char>('!' + random() % 93);
  EXPECT_TRUE(Held(Text(dense), FindingClass::kOpaque));
  EXPECT_TRUE(Held(Text("a\xe2\x80\x8b"
                        "b\xe2\x80\x8c"
                        "c\xe2\x80\x8b"
                        "d"),
                   FindingClass::kOpaque));
  EXPECT_TRUE(Held(Text("a \t\nb\t \nc \t\nd\t \n"), FindingClass::kOpaque));
}

TEST_F(Gate, TypesAndSizes) {
  View png{
      .chain = {"plot.png"}, .kind = ViewKind::kBinary, .bytes = ToBytes("\x89PNG\r\n\x1a\n....")};
  EXPECT_TRUE(Held(ReviewOne(*index_, {png}), FindingClass::kType));
  GatePolicy policy;
  policy.allowed_types.emplace_back("png");
  EXPECT_EQ(ReviewOne(*index_, {png}, policy).decision, Decision::kAutoApproved);
  png.bytes = ToBytes("not a png \xff");
  EXPECT_TRUE(Held(ReviewOne(*index_, {png}, policy), FindingClass::kOpaque));
  policy.max_output_bytes = 500;
  EXPECT_TRUE(Held(ReviewOne(*index_, {}, policy), FindingClass::kSize));
  policy = {};
  policy.max_files = 1;
  EXPECT_TRUE(Held(
      ReviewOne(*index_,
                {TextView("a.txt", ViewKind::kText, ""), TextView("b.txt", ViewKind::kText, "")},
                policy),
      FindingClass::kSize));
}

TEST_F(Gate, WithoutIndexOrDatasetAPersonDecides) {
  const ReviewedDataset dataset{"people", nullptr};
  GatePolicy lenient;
  lenient.threshold = 1;
  const auto report = Review(std::vector<View>{}, 10, {&dataset, 1}, {&lenient, 1});
  EXPECT_TRUE(Held(report, FindingClass::kNoIndex));
  EXPECT_EQ(Review(std::vector<View>{}, 10, {}, {&lenient, 1}).decision, Decision::kNeedsHuman);
}

TEST_F(Gate, NoPolicyMeansAPerson) {
  const ReviewedDataset dataset{"people", index_};
  EXPECT_EQ(Review(std::vector<View>{}, 10, {&dataset, 1}, {}).decision, Decision::kNeedsHuman);
}

TEST_F(Gate, EachOwnerSeesHisOwnRowsOnly) {
  const Cohort others(500, 42);
  const LeakIndex other_index = IndexOf(others.Csv());
  const ReviewedDataset datasets[] = {{"people", index_}, {"others", &other_index}};
  const GatePolicy policy;
  const auto report =
      Review(std::vector<View>{TextView("a.txt", ViewKind::kText, people_->Line(9) + "\n")}, 100,
             datasets, {&policy, 1});
  ASSERT_EQ(report.decision, Decision::kNeedsHuman);
  EXPECT_THAT(ToJson(ToOwnerJson(report, 0)), testing::HasSubstr("row 10"));
  EXPECT_THAT(ToJson(ToOwnerJson(report, 1)), testing::Not(testing::HasSubstr("row 10")));
}

TEST_F(Gate, TheManifestNamesClassesOnly) {
  const std::string manifest = ToJson(ToManifestJson(Text(people_->Line(9))));
  EXPECT_THAT(manifest, testing::HasSubstr("\"records\""));
  EXPECT_THAT(manifest, testing::Not(testing::HasSubstr("row ")));
  EXPECT_THAT(manifest, testing::Not(testing::HasSubstr("out.txt")));
  EXPECT_THAT(manifest, testing::Not(testing::HasSubstr(Row(9)[0])));
}

TEST_F(Gate, ScoreCombinesClasses) {
  // 0.6 (small cell) and 0.55 (extreme): 1 - 0.4 * 0.45.
  const GateReport report = Text("arm,n,age_max\nA,3,71\nB,250,69\n", ViewKind::kTable);
  EXPECT_NEAR(report.score, 0.82, 1e-9);
  GatePolicy policy;
  policy.weights[FindingClass::kExtreme] = 0;
  EXPECT_NEAR(
      ReviewOne(*index_, {TextView("a.csv", ViewKind::kTable, "arm,n,age_max\nA,3,71\nB,250,69\n")},
                policy)
          .score,
      0.6, 1e-9);
}

}  // namespace
}  // namespace cce::gate
