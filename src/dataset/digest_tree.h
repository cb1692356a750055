// Digests in tree form: over content and objects, and over the entries of a snapshot.
#pragma once

#include <memory>
#include <vector>

#include "crypto/hash.h"

namespace cce::dataset {

using Digest = crypto::Sha256Digest;

// A tree digest (docs/formats/dataset.md): bytes are cut into leaves of 16 KiB, so that many can be
// hashed side by side; the root over their SHA-256 and the size give the digest. The digest of a
// file's content, and the name of an object.
constexpr size_t kDigestLeaf = size_t{16} << 10;
// Pieces of a file are digested apart from each other in spans: whole subtrees of 256 leaves.
constexpr uint64_t kDigestSpan = uint64_t{4} << 20;
inline uint64_t SpanCount(uint64_t size) { return (size + kDigestSpan - 1) / kDigestSpan; }

// The root of RFC 6962's tree (section 2.1) over the hashes of leaves as they come; memory grows
// with the logarithm of their number. Not thread-safe.
class TreeHasher {
 public:
  void AddLeafHash(const Digest& leaf_hash);
  uint64_t count() const { return count_; }
  Digest Root() const;

 private:
  std::vector<Digest> stack_;  // roots of complete subtrees, largest first
  uint64_t count_ = 0;
};

// The roots of the spans of one piece of content, which begins at a multiple of kDigestSpan. Fed in
// any slices; the larger, the more leaves are hashed at once. Not thread-safe.
class SpanHasher {
 public:
  SpanHasher() = default;
  ~SpanHasher();
  void Update(ByteView bytes);
  std::vector<Digest> Finish();  // then starts anew

 private:
  void HashLeaves(std::span<const ByteView> leaves);

  std::unique_ptr<uint8_t[]> begun_;  // a leaf whose end is not there yet
  size_t in_begun_ = 0;
  TreeHasher span_;
  std::vector<Digest> spans_;
};

// The tree digest of bytes fed in any slices. Not thread-safe.
class TreeDigester {
 public:
  void Update(ByteView bytes);
  Digest Finish();  // then starts anew

 private:
  SpanHasher hasher_;
  uint64_t size_ = 0;
};

Digest TreeDigest(ByteView bytes);
// Of content of `size` bytes whose spans have these roots.
Digest TreeDigestOfSpans(uint64_t size, std::span<const Digest> spans);

}  // namespace cce::dataset
