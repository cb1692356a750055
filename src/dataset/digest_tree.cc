#include "dataset/digest_tree.h"

#include <array>
#include <bit>

#include "base/secret.h"

namespace cce::dataset {
namespace {

constexpr uint8_t kNodePrefix = 0x01;

Digest HashNode(const Digest& left, const Digest& right) {
  ByteArray<65> node;
  node[0] = kNodePrefix;
  std::copy(left.begin(), left.end(), node.begin() + 1);
  std::copy(right.begin(), right.end(), node.begin() + 33);
  return crypto::Sha256(node);
}

}  // namespace

void TreeHasher::AddLeafHash(const Digest& leaf_hash) {
  Digest hash = leaf_hash;
  // One complete subtree stands on the stack for each bit set in count_.
  for (int i = std::countr_one(count_); i > 0; --i) {
    hash = HashNode(stack_.back(), hash);
    stack_.pop_back();
  }
  stack_.push_back(hash);
  ++count_;
}

Digest TreeHasher::Root() const {
  if (stack_.empty()) return crypto::Sha256({});
  Digest hash = stack_.back();
  for (size_t i = stack_.size() - 1; i > 0; --i) hash = HashNode(stack_[i - 1], hash);
  return hash;
}

SpanHasher::~SpanHasher() {
  if (begun_) Wipe({begun_.get(), kDigestLeaf});
}

void SpanHasher::Update(ByteView bytes) {
  std::array<ByteView, crypto::kSha256Lanes> leaves;
  size_t count = 0;
  if (in_begun_ > 0) {
    const size_t n = std::min(bytes.size(), kDigestLeaf - in_begun_);
    std::copy_n(bytes.begin(), n, begun_.get() + in_begun_);
    in_begun_ += n;
    bytes = bytes.subspan(n);
    if (in_begun_ < kDigestLeaf) return;
    leaves[count++] = {begun_.get(), kDigestLeaf};
    in_begun_ = 0;
  }
  for (; bytes.size() >= kDigestLeaf; bytes = bytes.subspan(kDigestLeaf)) {
    leaves[count++] = bytes.first(kDigestLeaf);
    if (count == leaves.size()) HashLeaves(std::span(leaves).first(std::exchange(count, 0)));
  }
  HashLeaves(std::span(leaves).first(count));
  if (bytes.empty()) return;
  if (!begun_) begun_ = std::make_unique_for_overwrite<uint8_t[]>(kDigestLeaf);
  std::copy_n(bytes.begin(), bytes.size(), begun_.get());
  in_begun_ = bytes.size();
}

void SpanHasher::HashLeaves(std::span<const ByteView> leaves) {
  std::array<Digest, crypto::kSha256Lanes> hashes;
  crypto::Sha256Each(leaves, std::span(hashes).first(leaves.size()));
  for (size_t i = 0; i < leaves.size(); ++i) {
    span_.AddLeafHash(hashes[i]);
    if (span_.count() < kDigestSpan / kDigestLeaf) continue;
    spans_.push_back(span_.Root());
    span_ = {};
  }
}

std::vector<Digest> SpanHasher::Finish() {
  if (in_begun_ > 0) span_.AddLeafHash(crypto::Sha256({begun_.get(), in_begun_}));
  if (span_.count() > 0) spans_.push_back(span_.Root());
  in_begun_ = 0;
  span_ = {};
  return std::exchange(spans_, {});
}

void TreeDigester::Update(ByteView bytes) {
  hasher_.Update(bytes);
  size_ += bytes.size();
}

Digest TreeDigester::Finish() {
  return TreeDigestOfSpans(std::exchange(size_, 0), hasher_.Finish());
}

Digest TreeDigest(ByteView bytes) {
  TreeDigester digester;
  digester.Update(bytes);
  return digester.Finish();
}

Digest TreeDigestOfSpans(uint64_t size, std::span<const Digest> spans) {
  TreeHasher tree;
  for (const Digest& span : spans) tree.AddLeafHash(span);
  Bytes size_bytes;
  AppendU64(size_bytes, size);
  return crypto::Sha256(Frame("cce4long/v1/tree-digest", {size_bytes, tree.Root()}));
}

}  // namespace cce::dataset
