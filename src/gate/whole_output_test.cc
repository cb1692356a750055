// Whole outputs as the agent packs them, from tar to decision, under the
// default policy. testdata/ holds the demo's own figure and table, as matplotlib 3.11.2 and its
// script wrote them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "gate/decode.h"
#include "gate/test_data.h"

namespace cce::gate {
namespace {

constexpr std::string_view kPrinted = "fitted 21 grid points, 4 arms\n";

std::string TestFile(const std::string& name) {
  auto text = ReadTextFile(GATE_TESTDATA "/" + name, size_t{1} << 20);
  EXPECT_TRUE(text);
  return text.value_or("");
}

class WholeOutput : public CohortTest {
 protected:
  // The packed output: our folder first, then `files`.
  static Bytes Output(std::string_view printed, const Files& files, std::string_view warned = "",
                      std::string_view omitted = "") {
    Files all = {{".cce/", ""}};
    if (!omitted.empty()) all.emplace_back(".cce/omitted.txt", omitted);
    all.emplace_back(".cce/stderr.txt", warned);
    all.emplace_back(".cce/stdout.txt", printed);
    all.insert(all.end(), files.begin(), files.end());
    return Pack(all, archive_write_set_format_pax_restricted);
  }
  static GateReport Judge(ByteView tar) {
    const ReviewedDataset dataset{"people", index_};
    const GatePolicy policy;
    const auto views = DecodeOutput(GATE_DECODER, tar);
    EXPECT_TRUE(views);
    return Review(views, tar.size(), {&dataset, 1}, {&policy, 1});
  }
  static void ExpectApproved(ByteView tar) {
    const GateReport report = Judge(tar);
    EXPECT_EQ(report.decision, Decision::kAutoApproved) << ToJson(ToOwnerJson(report, 0));
    EXPECT_LT(report.score, 0.3);
    EXPECT_TRUE(ListOutput(GATE_DECODER, tar));
  }
};

TEST_F(WholeOutput, TheDemosResultPasses) {
  ExpectApproved(Output(kPrinted, {{"summary.csv", TestFile("summary.csv")},
                                   {"survival.svg", TestFile("survival.svg")}}));
}

TEST_F(WholeOutput, OneLineAndAFigurePass) {
  ExpectApproved(Output(kPrinted, {{"survival.svg", TestFile("survival.svg")}}));
}

TEST_F(WholeOutput, SayingNothingPasses) {
  ExpectApproved(Output("", {}));
  ExpectApproved(Output(kPrinted, {}));
  ExpectApproved(Output("", {{"plots/", ""}, {"plots/survival.svg", TestFile("survival.svg")}}));
}

TEST_F(WholeOutput, WarningsAndOmittedFilesPass) {
  ExpectApproved(Output(kPrinted, {{"survival.svg", TestFile("survival.svg")}},
                        "/usr/lib/python3/dist-packages/lifelines/utils/__init__.py:1126: "
                        "ConvergenceWarning: Column(s) ['symptom'] have very low variance.\n"
                        "  warnings.warn(w, ConvergenceWarning)\n",
                        "symlink latest\npipe plots/queue\n"));
}

TEST_F(WholeOutput, ALongLogThatWasCutPasses) {
  std::string log;
  for (int i = 0; i < 200; ++i) {
    log += "epoch " + std::to_string(i) + " loss 0." + std::to_string(6931 - 7 * i) + "\n";
  }
  ExpectApproved(Output(log + "\n[cut here: more was printed than is kept]\n", {}));
}

// What is printed, warned of, or said by the name of a file that was left out is content too.
TEST_F(WholeOutput, RowsBesideTheFilesAreHeld) {
  const std::string row = people_->Line(123);
  const std::string figure = TestFile("survival.svg");
  for (const Bytes& tar : {Output(row + "\n", {{"survival.svg", figure}}),
                           Output(kPrinted, {{"survival.svg", figure}}, "debug: " + row + "\n"),
                           Output(kPrinted, {{"survival.svg", figure}}, "",
                                  "symlink " + row + "\nsymlink latest\n")}) {
    const GateReport report = Judge(tar);
    EXPECT_EQ(report.decision, Decision::kNeedsHuman);
    EXPECT_NE(Find(report, FindingClass::kRecords), nullptr);
  }
}

TEST_F(WholeOutput, ARowInTheFigureIsHeld) {
  std::string figure = TestFile("survival.svg");
  figure.insert(figure.find("<metadata>"), "<desc>" + people_->Line(77, ' ') + "</desc>\n ");
  const GateReport report = Judge(Output(kPrinted, {{"survival.svg", figure}}));
  EXPECT_EQ(report.decision, Decision::kNeedsHuman);
  EXPECT_NE(Find(report, FindingClass::kRecords), nullptr);
}

}  // namespace
}  // namespace cce::gate
