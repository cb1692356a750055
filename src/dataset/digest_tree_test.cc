#include "dataset/digest_tree.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"

namespace cce::dataset {
namespace {

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

// docs/formats/dataset.md, "Tree digests", as written there.
Digest PlainTreeDigest(ByteView bytes) {
  std::vector<Digest> leaves;
  for (ByteView rest = bytes; !rest.empty();) {
    const ByteView leaf = rest.first(std::min(rest.size(), kDigestLeaf));
    leaves.push_back(crypto::Sha256(leaf));
    rest = rest.subspan(leaf.size());
  }
  Bytes size;
  AppendU64(size, bytes.size());
  return crypto::Sha256(Frame("cce4long/v1/tree-digest", {size, PlainTreeHash(leaves)}));
}

std::vector<Digest> SpansOf(ByteView piece, size_t slice) {
  SpanHasher hasher;
  for (; !piece.empty(); piece = piece.subspan(std::min(slice, piece.size()))) {
    hasher.Update(piece.first(std::min(slice, piece.size())));
  }
  return hasher.Finish();
}

TEST(TreeHasher, EqualsTheDefinitionForEveryCount) {
  std::vector<Digest> leaves;
  TreeHasher tree;
  for (uint8_t i = 0; i < 70; ++i) {
    EXPECT_EQ(tree.Root(), PlainTreeHash(leaves)) << int{i};
    leaves.push_back(crypto::Sha256(Bytes(3, i)));
    tree.AddLeafHash(leaves.back());
    EXPECT_EQ(tree.count(), leaves.size());
  }
}

TEST(TreeDigest, EqualsTheDefinitionAroundLeavesBatchesAndSpans) {
  const Bytes content = Noise(2 * kDigestSpan + kDigestLeaf + 1, 1);
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, uint64_t{kDigestLeaf}, uint64_t{kDigestLeaf * 16},
        uint64_t{kDigestLeaf * 17}, kDigestSpan, 2 * kDigestSpan + kDigestLeaf}) {
    for (const uint64_t exact : {size - std::min<uint64_t>(size, 1), size, size + 1}) {
      const ByteView bytes = ByteView(content).first(exact);
      EXPECT_EQ(TreeDigest(bytes), PlainTreeDigest(bytes)) << exact;
    }
  }
}

// A tree digest tells a tree's nodes from content by the size alone.
TEST(TreeDigest, OfANodesTwoHalvesIsNotTheTrees) {
  const Bytes content = Noise(2 * kDigestLeaf, 3);
  Bytes node = {1};
  Append(node, crypto::Sha256(ByteView(content).first(kDigestLeaf)));
  Append(node, crypto::Sha256(ByteView(content).subspan(kDigestLeaf)));
  EXPECT_NE(TreeDigest(content), TreeDigest(node));
}

TEST(TreeDigester, DoesNotDependOnTheSlicesAndStartsAnew) {
  const Bytes content = Noise(kDigestSpan + 12345, 2);
  TreeDigester digester;
  for (const size_t slice :
       {size_t{1000}, kDigestLeaf, kDigestLeaf + 1, size_t{262144}, size_t{999'991}}) {
    for (ByteView rest = content; !rest.empty();) {
      const size_t n = std::min(slice, rest.size());
      digester.Update(rest.first(n));
      digester.Update({});
      rest = rest.subspan(n);
    }
    EXPECT_EQ(digester.Finish(), TreeDigest(content)) << slice;
  }
  EXPECT_EQ(digester.Finish(), TreeDigest({}));
}

TEST(SpanHasher, DigestsPiecesApart) {
  const Bytes content = Noise(3 * kDigestSpan + 12345, 2);
  std::vector<Digest> spans = SpansOf(ByteView(content).first(kDigestSpan), 70001);
  EXPECT_EQ(spans.size(), 1u);
  for (const Digest& span : SpansOf(ByteView(content).subspan(kDigestSpan), 1 << 20)) {
    spans.push_back(span);
  }
  EXPECT_EQ(spans.size(), SpanCount(content.size()));
  EXPECT_EQ(TreeDigestOfSpans(content.size(), spans), TreeDigest(content));
  EXPECT_NE(TreeDigestOfSpans(content.size() + 1, spans), TreeDigest(content));
  EXPECT_TRUE(SpansOf({}, 1).empty());
}

TEST(ReceiptLeaf, DependsOnEveryField) {
  const Digest content = TreeDigest(AsBytes("x"));
  const Digest leaf = ReceiptLeaf(kTestSalt, "p", EntryType::kFile, 1, content);
  EXPECT_NE(leaf, ReceiptLeaf({}, "p", EntryType::kFile, 1, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "q", EntryType::kFile, 1, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "p", EntryType::kLink, 1, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "p", EntryType::kFile, 2, content));
  EXPECT_NE(leaf, ReceiptLeaf(kTestSalt, "p", EntryType::kFile, 1, {}));
}

}  // namespace
}  // namespace cce::dataset
