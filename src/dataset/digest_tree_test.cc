#include "dataset/digest_tree.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"

namespace cce::dataset {
namespace {

Digest Leaf(ByteView data) {
  Bytes bytes = {0};
  Append(bytes, data);
  return crypto::Sha256(bytes);
}

// RFC 6962 section 2.1, as written there.
Digest PlainTreeHash(std::span<const Digest> leaves) {
  if (leaves.empty()) return crypto::Sha256({});
  if (leaves.size() == 1) return leaves[0];
  size_t k = 1;
  while (k * 2 < leaves.size()) k *= 2;
  Bytes node = {1};
  Append(node, PlainTreeHash(leaves.first(k)));
  Append(node, PlainTreeHash(leaves.subspan(k)));
  return crypto::Sha256(node);
}

TEST(TreeHasher, EqualsTheDefinitionForEveryCount) {
  std::vector<Digest> leaves;
  TreeHasher tree;
  for (uint8_t i = 0; i < 70; ++i) {
    EXPECT_EQ(tree.Root(), PlainTreeHash(leaves)) << int{i};
    leaves.push_back(Leaf(Bytes(3, i)));
    tree.AddLeaf(Bytes(3, i));
    EXPECT_EQ(tree.count(), leaves.size());
  }
}

TEST(ContentDigest, IsOneLeafUpToFourMebibytes) {
  EXPECT_EQ(ContentDigest({}), crypto::Sha256({}));
  EXPECT_EQ(ContentDigest(AsBytes("abc")), Leaf(AsBytes("abc")));
  const Bytes large = Noise(2 * kDigestLeaf + 1, 1);
  const Digest expected[] = {Leaf(ByteView(large).first(kDigestLeaf)),
                             Leaf(ByteView(large).subspan(kDigestLeaf, kDigestLeaf)),
                             Leaf(ByteView(large).last(1))};
  EXPECT_EQ(ContentDigest(large), PlainTreeHash(expected));
}

TEST(PieceHasher, DoesNotDependOnTheSlices) {
  const Bytes content = Noise(kDigestLeaf + 12345, 2);
  PieceHasher whole;
  whole.Update(content);
  const std::vector<Digest> leaves = whole.Finish();
  ASSERT_EQ(leaves.size(), 2u);
  PieceHasher sliced;
  for (size_t at = 0; at < content.size(); at += 99991) {
    sliced.Update(ByteView(content).subspan(at, std::min<size_t>(99991, content.size() - at)));
  }
  EXPECT_EQ(sliced.Finish(), leaves);
  EXPECT_TRUE(sliced.Finish().empty());
}

TEST(ReceiptLeaf, DependsOnEveryField) {
  const Digest content = ContentDigest(AsBytes("x"));
  const Digest leaf = ReceiptLeaf(kTestSalt, "p", EntryType::kFile, 1, content);
  EXPECT_NE(leaf, ReceiptLeaf({}, "p", EntryType::kFile, 1, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "q", EntryType::kFile, 1, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "p", EntryType::kLink, 1, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "p", EntryType::kFile, 2, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "p", EntryType::kFile, 1, {}));
}

}  // namespace
}  // namespace cce::dataset
