// Digests over content and over whole snapshots, in tree form (RFC 6962 section 2.1: leaf 0x00,
// node 0x01).
#pragma once

#include <vector>

#include "dataset/format.h"

namespace cce::dataset {

// Content is cut into leaves of 4 MiB from the file's start, so that pieces of a file can be
// digested apart from each other and in parallel. A file of at most 4 MiB has the digest
// SHA-256(0x00 || content), an empty one SHA-256(""), which is the empty tree's.
constexpr uint64_t kDigestLeaf = uint64_t{4} << 20;
inline uint64_t LeafCount(uint64_t size) { return (size + kDigestLeaf - 1) / kDigestLeaf; }

// The root over leaves as they come; memory grows with the logarithm of their number. Not
// thread-safe.
class TreeHasher {
 public:
  void AddLeafHash(const Digest& leaf_hash);
  void AddLeaf(ByteView leaf);  // hashes it first
  uint64_t count() const { return count_; }
  Digest Root() const;

 private:
  std::vector<Digest> stack_;  // roots of complete subtrees, largest first
  uint64_t count_ = 0;
};

// Leaf hashes of one piece of content, fed in any slices. A piece begins at a multiple of
// kDigestLeaf.
class PieceHasher {
 public:
  void Update(ByteView bytes);
  std::vector<Digest> Finish();  // then starts anew

 private:
  crypto::Sha256Stream stream_;
  uint64_t in_leaf_ = 0;
  std::vector<Digest> leaves_;
};

Digest ContentDigest(ByteView content);

// The receipt's leaf of one entry: SHA-256(0x00 || Frame("cce4long/v1/receipt-leaf", salt, path,
// type u8, size u64, content digest)); a folder's content digest is 32 zero bytes. Mode and time
// are left out, so that a plain copy of the folder still checks.
using ReceiptSalt = ByteArray<32>;
Digest ReceiptLeaf(const ReceiptSalt& salt, std::string_view path, EntryType type, uint64_t size,
                   const Digest& content);

}  // namespace cce::dataset
