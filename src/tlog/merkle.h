// Merkle trees as in RFC 6962 section 2.1 (SHA-256): the tree in memory, proofs and their
// verification, and tiles (C2SP tlog-tiles v1.0.0, tile height 8).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace cce::tlog {

using MerkleHash = crypto::Sha256Digest;

MerkleHash LeafHash(ByteView data);                                    // SHA-256(00 || data)
MerkleHash NodeHash(const MerkleHash& left, const MerkleHash& right);  // SHA-256(01 || l || r)

constexpr uint64_t kTileWidth = 256;

// Holds the hash of each complete subtree: 64 bytes an entry. Not thread-safe.
class MerkleTree {
 public:
  void Append(const MerkleHash& leaf_hash);
  uint64_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }

  // All of these take any size up to size(); beyond it, or for an index that is not below its size:
  // tlog.bad_range.
  Result<MerkleHash> Root(uint64_t size) const;
  Result<std::vector<MerkleHash>> InclusionProof(uint64_t index, uint64_t size) const;
  Result<std::vector<MerkleHash>> ConsistencyProof(uint64_t old_size, uint64_t size) const;
  // A tile's bytes: `width` (1 to 256) hashes of complete subtrees of 256^level leaves, from
  // `index` * 256 on.
  Result<Bytes> TileBytes(uint32_t level, uint64_t index, uint64_t width) const;

 private:
  MerkleHash RangeRoot(uint64_t begin, uint64_t end) const;
  void PathTo(uint64_t index, uint64_t begin, uint64_t end, std::vector<MerkleHash>& out) const;

  std::vector<std::vector<MerkleHash>> levels_;  // [k][i]: leaves i * 2^k .. (i + 1) * 2^k
};

// Errors: tlog.bad_proof.
Result<> VerifyInclusion(const MerkleHash& leaf_hash, uint64_t index, uint64_t size,
                         const std::vector<MerkleHash>& proof, const MerkleHash& root);
Result<> VerifyConsistency(uint64_t old_size, const MerkleHash& old_root, uint64_t size,
                           const MerkleHash& root, const std::vector<MerkleHash>& proof);

// "tile/0/x001/067" and "tile/0/x001/067.p/42", as in C2SP tlog-tiles.
std::string TilePath(uint32_t level, uint64_t index, uint64_t width);

}  // namespace cce::tlog
