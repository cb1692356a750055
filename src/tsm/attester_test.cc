#include "tsm/attester.h"

#include <gtest/gtest.h>

namespace cce::tsm {
namespace {

TEST(ConfigfsAttester, SaysThatThereIsNoTee) {
  const auto attester = NewConfigfsAttester(testing::TempDir() + "no-such-tsm");
  const auto evidence = attester->Attest({});
  ASSERT_FALSE(evidence);
  EXPECT_EQ(evidence.error().code, "tsm.unavailable");
}

}  // namespace
}  // namespace cce::tsm
