#include "base/secret.h"

#include <gtest/gtest.h>

namespace cce {
namespace {

TEST(SecretBytes, MovesAndClones) {
  SecretBytes a = SecretBytes::Adopt(ToBytes("key"));
  const SecretBytes copy = a.Clone();
  const SecretBytes moved = std::move(a);
  EXPECT_EQ(AsText(moved.Expose()), "key");
  EXPECT_TRUE(ConstantTimeEqual(moved.Expose(), copy.Expose()));
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): the moved-from state is the contract
  static_assert(!std::is_copy_constructible_v<SecretBytes>);
}

TEST(ConstantTimeEqual, ComparesContentsAndLength) {
  EXPECT_FALSE(ConstantTimeEqual(AsBytes("a"), AsBytes("b")));
  EXPECT_FALSE(ConstantTimeEqual(AsBytes("a"), AsBytes("aa")));
  EXPECT_TRUE(ConstantTimeEqual({}, {}));
}

}  // namespace
}  // namespace cce
