#include "tlog/merkle.h"

#include <gtest/gtest.h>

#include <bit>

namespace cce::tlog {
namespace {

constexpr uint64_t kMax = 33;

MerkleHash Leaf(uint64_t i) {
  const Bytes data = {static_cast<uint8_t>(i)};
  return LeafHash(data);
}

MerkleTree Tree(uint64_t size) {
  MerkleTree tree;
  for (uint64_t i = 0; i < size; ++i) tree.Append(Leaf(i));
  return tree;
}

// RFC 6962 section 2.1 word for word: what the quick tree must equal.
MerkleHash SlowRoot(uint64_t begin, uint64_t end) {
  if (end == begin) return crypto::Sha256({});
  if (end - begin == 1) return Leaf(begin);
  const uint64_t k = std::bit_floor(end - begin - 1);
  return NodeHash(SlowRoot(begin, begin + k), SlowRoot(begin + k, end));
}

// Every way to spoil one proof: a bit of each hash, one hash less, one more, two exchanged.
std::vector<std::vector<MerkleHash>> Spoiled(const std::vector<MerkleHash>& proof) {
  std::vector<std::vector<MerkleHash>> out;
  for (size_t i = 0; i < proof.size(); ++i) {
    auto bad = proof;
    bad[i][i % 32] ^= 1;
    out.push_back(bad);
    bad = proof;
    bad.erase(bad.begin() + static_cast<ptrdiff_t>(i));
    out.push_back(bad);
  }
  out.push_back(proof);
  out.back().push_back(Leaf(99));
  if (proof.size() > 1) {
    out.push_back(proof);
    std::swap(out.back()[0], out.back()[1]);
  }
  return out;
}

// Certificate Transparency's reference tree (the leaves of google/certificate-transparency's
// tests).
TEST(MerkleTest, PublishedRoots) {
  EXPECT_EQ(ToHex(*MerkleTree().Root(0)),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  MerkleTree tree;
  for (std::string_view hex : {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                               "606162636465666768696a6b6c6d6e6f"}) {
    tree.Append(LeafHash(FromHex(hex).value()));
  }
  EXPECT_EQ(ToHex(*tree.Root(1)),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  EXPECT_EQ(ToHex(*tree.Root(2)),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
  EXPECT_EQ(ToHex(*tree.Root(7)),
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c");
  EXPECT_EQ(ToHex(*tree.Root(8)),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

TEST(MerkleTest, RootsOfEverySize) {
  const MerkleTree tree = Tree(kMax);
  for (uint64_t size = 0; size <= kMax; ++size) {
    EXPECT_EQ(*tree.Root(size), SlowRoot(0, size)) << size;
    EXPECT_EQ(*Tree(size).Root(size), SlowRoot(0, size)) << size;
  }
  EXPECT_EQ(tree.Root(kMax + 1).error().code, "tlog.bad_range");
}

TEST(MerkleTest, InclusionOfEveryLeafInEverySize) {
  const MerkleTree tree = Tree(kMax);
  for (uint64_t size = 1; size <= kMax; ++size) {
    const MerkleHash root = *tree.Root(size);
    for (uint64_t index = 0; index < size; ++index) {
      const auto proof = *tree.InclusionProof(index, size);
      ASSERT_TRUE(VerifyInclusion(Leaf(index), index, size, proof, root)) << index << "/" << size;
      EXPECT_FALSE(VerifyInclusion(Leaf(index + 1), index, size, proof, root));
      for (uint64_t other = 0; other <= size; ++other) {
        if (other == index) continue;
        EXPECT_FALSE(VerifyInclusion(Leaf(index), other, size, proof, root));
      }
      for (const auto& bad : Spoiled(proof)) {
        EXPECT_EQ(VerifyInclusion(Leaf(index), index, size, bad, root).error().code,
                  "tlog.bad_proof");
      }
    }
    EXPECT_EQ(tree.InclusionProof(size, size).error().code, "tlog.bad_range");
  }
  EXPECT_FALSE(tree.InclusionProof(0, kMax + 1));
  EXPECT_FALSE(tree.InclusionProof(0, 0));
}

TEST(MerkleTest, ConsistencyOfEveryPairOfSizes) {
  const MerkleTree tree = Tree(kMax);
  for (uint64_t size = 0; size <= kMax; ++size) {
    const MerkleHash root = *tree.Root(size);
    for (uint64_t old_size = 0; old_size <= size; ++old_size) {
      const MerkleHash old_root = *tree.Root(old_size);
      const auto proof = *tree.ConsistencyProof(old_size, size);
      ASSERT_TRUE(VerifyConsistency(old_size, old_root, size, root, proof))
          << old_size << " " << size;
      EXPECT_FALSE(VerifyConsistency(old_size, Leaf(77), size, root, proof));
      EXPECT_FALSE(VerifyConsistency(old_size, old_root, size, Leaf(77), proof) && old_size != 0);
      for (const auto& bad : Spoiled(proof)) {
        EXPECT_FALSE(VerifyConsistency(old_size, old_root, size, root, bad));
      }
    }
    EXPECT_EQ(tree.ConsistencyProof(size + 1, size).error().code, "tlog.bad_range");
  }
  EXPECT_FALSE(VerifyConsistency(3, *tree.Root(3), 2, *tree.Root(2), {}));
}

TEST(MerkleTest, Tiles) {
  const MerkleTree tree = Tree(600);
  const Bytes full = *tree.TileBytes(0, 1, 256);
  ASSERT_EQ(full.size(), 256u * 32);
  EXPECT_TRUE(Equal(ByteView(full).first(32), Leaf(256 % 256)));  // leaf data is one byte
  EXPECT_EQ(tree.TileBytes(0, 2, 88)->size(), 88u * 32);
  const Bytes upper = *tree.TileBytes(1, 0, 2);
  EXPECT_TRUE(Equal(ByteView(upper).subspan(32), SlowRoot(256, 512)));
  EXPECT_FALSE(tree.TileBytes(0, 2, 89));
  EXPECT_FALSE(tree.TileBytes(0, 3, 1));
  EXPECT_FALSE(tree.TileBytes(1, 0, 3));
  EXPECT_FALSE(tree.TileBytes(2, 0, 1));
  EXPECT_FALSE(tree.TileBytes(UINT32_MAX, 0, 1));
  EXPECT_FALSE(tree.TileBytes(0, UINT64_MAX, 1));
  EXPECT_FALSE(tree.TileBytes(0, 0, 0));
  EXPECT_FALSE(tree.TileBytes(0, 0, 257));
}

TEST(MerkleTest, TilePaths) {
  EXPECT_EQ(TilePath(0, 0, 256), "tile/0/000");
  EXPECT_EQ(TilePath(0, 67, 42), "tile/0/067.p/42");
  EXPECT_EQ(TilePath(1, 1000, 256), "tile/1/x001/000");
  EXPECT_EQ(TilePath(0, 1234067, 1), "tile/0/x001/x234/067.p/1");
}

}  // namespace
}  // namespace cce::tlog
