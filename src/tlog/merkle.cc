#include "tlog/merkle.h"

#include <bit>
#include <cstdio>

namespace cce::tlog {
namespace {

Unexpected BadRange() { return Fail("tlog.bad_range", "an index or size lies outside the log"); }
Unexpected BadProof() { return Fail("tlog.bad_proof", "a Merkle proof does not lead to its root"); }

// The largest power of two below n (n > 1): where RFC 6962 splits a list.
uint64_t Split(uint64_t n) { return std::bit_floor(n - 1); }

}  // namespace

MerkleHash LeafHash(ByteView data) {
  const uint8_t prefix = 0;
  crypto::Sha256Stream hash;
  hash.Update({&prefix, 1});
  hash.Update(data);
  return hash.Finish();
}

MerkleHash NodeHash(const MerkleHash& left, const MerkleHash& right) {
  ByteArray<65> data;
  data[0] = 1;
  std::copy(left.begin(), left.end(), data.begin() + 1);
  std::copy(right.begin(), right.end(), data.begin() + 33);
  return crypto::Sha256(data);
}

void MerkleTree::Append(const MerkleHash& leaf_hash) {
  MerkleHash hash = leaf_hash;
  for (size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].push_back(hash);
    const size_t n = levels_[level].size();
    if (n % 2 == 1) return;
    hash = NodeHash(levels_[level][n - 2], levels_[level][n - 1]);
  }
}

// Of the leaves begin .. end, not empty, where begin is a multiple of the next power of two of the
// length: every range that RFC 6962's recursion meets is of this kind.
MerkleHash MerkleTree::RangeRoot(uint64_t begin, uint64_t end) const {
  const uint64_t n = end - begin;
  if (std::has_single_bit(n)) {
    const auto level = static_cast<size_t>(std::countr_zero(n));
    return levels_[level][begin >> level];
  }
  const uint64_t k = Split(n);
  return NodeHash(RangeRoot(begin, begin + k), RangeRoot(begin + k, end));
}

Result<MerkleHash> MerkleTree::Root(uint64_t size) const {
  if (size > this->size()) return BadRange();
  if (size == 0) return crypto::Sha256({});
  return RangeRoot(0, size);
}

// RFC 6962 PATH(index, leaves begin .. end), from the leaf upwards.
void MerkleTree::PathTo(uint64_t index, uint64_t begin, uint64_t end,
                        std::vector<MerkleHash>& out) const {
  if (end - begin == 1) return;
  const uint64_t middle = begin + Split(end - begin);
  if (index < middle) {
    PathTo(index, begin, middle, out);
    out.push_back(RangeRoot(middle, end));
  } else {
    PathTo(index, middle, end, out);
    out.push_back(RangeRoot(begin, middle));
  }
}

Result<std::vector<MerkleHash>> MerkleTree::InclusionProof(uint64_t index, uint64_t size) const {
  if (size > this->size() || index >= size) return BadRange();
  std::vector<MerkleHash> out;
  PathTo(index, 0, size, out);
  return out;
}

// RFC 6962 SUBPROOF, as a loop: the way down to the border of the old tree, then the hashes
// upwards.
Result<std::vector<MerkleHash>> MerkleTree::ConsistencyProof(uint64_t old_size,
                                                             uint64_t size) const {
  if (size > this->size() || old_size > size) return BadRange();
  std::vector<MerkleHash> out;
  if (old_size == 0 || old_size == size) return out;
  uint64_t begin = 0, end = size;
  while (end != old_size) {
    const uint64_t middle = begin + Split(end - begin);
    if (old_size <= middle) {
      out.push_back(RangeRoot(middle, end));
      end = middle;
    } else {
      out.push_back(RangeRoot(begin, middle));
      begin = middle;
    }
  }
  if (begin != 0) out.push_back(RangeRoot(begin, end));
  std::reverse(out.begin(), out.end());
  return out;
}

Result<Bytes> MerkleTree::TileBytes(uint32_t level, uint64_t index, uint64_t width) const {
  const size_t tree_level = size_t{level} * 8;
  if (width == 0 || width > kTileWidth || tree_level >= levels_.size()) return BadRange();
  const std::vector<MerkleHash>& hashes = levels_[tree_level];
  if (index > hashes.size() / kTileWidth || index * kTileWidth + width > hashes.size()) {
    return BadRange();
  }
  Bytes out;
  out.reserve(width * 32);
  for (uint64_t i = 0; i < width; ++i) cce::Append(out, hashes[index * kTileWidth + i]);
  return out;
}

// RFC 9162 section 2.1.3.2.
Result<> VerifyInclusion(const MerkleHash& leaf_hash, uint64_t index, uint64_t size,
                         const std::vector<MerkleHash>& proof, const MerkleHash& root) {
  if (index >= size) return BadProof();
  uint64_t fn = index, sn = size - 1;
  MerkleHash hash = leaf_hash;
  for (const MerkleHash& sibling : proof) {
    if (sn == 0) return BadProof();
    if (fn % 2 == 1 || fn == sn) {
      hash = NodeHash(sibling, hash);
      while (fn % 2 == 0 && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      hash = NodeHash(hash, sibling);
    }
    fn >>= 1, sn >>= 1;
  }
  if (sn != 0 || hash != root) return BadProof();
  return {};
}

// RFC 9162 section 2.1.4.2.
Result<> VerifyConsistency(uint64_t old_size, const MerkleHash& old_root, uint64_t size,
                           const MerkleHash& root, const std::vector<MerkleHash>& proof) {
  if (old_size > size) return BadProof();
  if (old_size == size) return proof.empty() && old_root == root ? Result<>() : BadProof();
  if (old_size == 0) {  // every log continues the empty one
    return proof.empty() && old_root == crypto::Sha256({}) ? Result<>() : BadProof();
  }
  std::vector<MerkleHash> path = proof;
  if (std::has_single_bit(old_size)) path.insert(path.begin(), old_root);
  if (path.empty()) return BadProof();
  uint64_t fn = old_size - 1, sn = size - 1;
  while (fn % 2 == 1) fn >>= 1, sn >>= 1;
  MerkleHash old_hash = path[0], hash = path[0];
  for (size_t i = 1; i < path.size(); ++i) {
    if (sn == 0) return BadProof();
    if (fn % 2 == 1 || fn == sn) {
      old_hash = NodeHash(path[i], old_hash);
      hash = NodeHash(path[i], hash);
      while (fn % 2 == 0 && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      hash = NodeHash(hash, path[i]);
    }
    fn >>= 1, sn >>= 1;
  }
  if (sn != 0 || old_hash != old_root || hash != root) return BadProof();
  return {};
}

std::string TilePath(uint32_t level, uint64_t index, uint64_t width) {
  char group[8];
  std::string number;
  for (uint64_t rest = index; number.empty() || rest > 0; rest /= 1000) {
    std::snprintf(group, sizeof(group), "%s%03u", number.empty() ? "" : "x",
                  static_cast<unsigned>(rest % 1000));
    if (!number.empty()) number.insert(0, 1, '/');
    number.insert(0, group);
  }
  std::string out = "tile/" + std::to_string(level) + "/" + number;
  if (width != kTileWidth) out += ".p/" + std::to_string(width);
  return out;
}

}  // namespace cce::tlog
