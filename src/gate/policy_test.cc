#include "gate/policy.h"

#include <gtest/gtest.h>

namespace cce::gate {
namespace {

Result<GatePolicy> Read(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "policy"));
  Fields fields(document);
  GatePolicy policy = ReadGatePolicy(fields);
  TRY(fields.Finish());
  return policy;
}

TEST(GatePolicy, DefaultsAndRoundTrip) {
  EXPECT_EQ(Read("{}").value(), GatePolicy());
  const auto policy = Read(
      R"({"threshold": 0.25, "min_cell": 7, "allowed_types": ["csv"], "weights": {"shape": 0.5}})");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->weights[FindingClass::kShape], 0.5);
  EXPECT_EQ(Read(ToJson(GatePolicyJson(*policy))).value(), *policy);
}

TEST(GatePolicy, RefusesNonsense) {
  for (const char* text : {R"({"threshold": 1.5})", R"({"threshold": -1})", R"({"min_cell": 0})",
                           R"({"weights": {"shape": 2}})", R"({"weights": {"unknown": 1}})",
                           R"({"allowed_types": [".csv"]})", R"({"treshold": 0.5})",
                           R"({"weights": {"records": 0}})", R"({"weights": {"decoder": 0.5}})"}) {
    EXPECT_FALSE(Read(text)) << text;
  }
}

TEST(GatePolicy, StrictestOfSeveral) {
  GatePolicy a, b;
  a.threshold = 0.4;
  a.max_files = 5;
  a.rounding_base = 5;
  a.allowed_types = {"csv", "svg"};
  a.weights[FindingClass::kShape] = 0.2;
  b.min_cell = 20;
  b.rounding_base = 6;
  b.allowed_types = {"csv", "png"};
  b.weights[FindingClass::kShape] = 0.7;
  const GatePolicy both[] = {a, b};
  const GatePolicy strict = StrictestGatePolicy(both);
  EXPECT_EQ(strict.threshold, 0.4);
  EXPECT_EQ(strict.max_files, 5u);
  EXPECT_EQ(strict.min_cell, 20u);
  EXPECT_EQ(strict.rounding_base, 30u);
  EXPECT_EQ(strict.allowed_types, std::vector<std::string>{"csv"});
  EXPECT_EQ(strict.weights[FindingClass::kShape], 0.7);
  EXPECT_EQ(StrictestGatePolicy({}).threshold, 0);
}

}  // namespace
}  // namespace cce::gate
