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

TEST(TsmEvidence, TheCertificateTableStandsBehindTheReport) {
  const TsmEvidence tdx{.provider = "tdx_guest", .quote = {1, 2}, .auxiliary = {}};
  EXPECT_EQ(tdx.Whole(), (Bytes{1, 2}));
  const TsmEvidence snp{.provider = "sev_guest", .quote = {1, 2}, .auxiliary = {3}};
  EXPECT_EQ(snp.Whole(), (Bytes{1, 2, 3}));
}

}  // namespace
}  // namespace cce::tsm
