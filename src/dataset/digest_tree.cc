#include "dataset/digest_tree.h"

#include <bit>

namespace cce::dataset {
namespace {

constexpr uint8_t kLeafPrefix = 0x00;
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

void TreeHasher::AddLeaf(ByteView leaf) {
  crypto::Sha256Stream stream;
  stream.Update({&kLeafPrefix, 1});
  stream.Update(leaf);
  AddLeafHash(stream.Finish());
}

Digest TreeHasher::Root() const {
  if (stack_.empty()) return crypto::Sha256({});
  Digest hash = stack_.back();
  for (size_t i = stack_.size() - 1; i > 0; --i) hash = HashNode(stack_[i - 1], hash);
  return hash;
}

void PieceHasher::Update(ByteView bytes) {
  while (!bytes.empty()) {
    if (in_leaf_ == 0) stream_.Update({&kLeafPrefix, 1});
    const size_t n = std::min<uint64_t>(bytes.size(), kDigestLeaf - in_leaf_);
    stream_.Update(bytes.first(n));
    bytes = bytes.subspan(n);
    in_leaf_ += n;
    if (in_leaf_ == kDigestLeaf) {
      leaves_.push_back(stream_.Finish());
      in_leaf_ = 0;
    }
  }
}

std::vector<Digest> PieceHasher::Finish() {
  if (in_leaf_ > 0) leaves_.push_back(stream_.Finish());
  in_leaf_ = 0;
  return std::exchange(leaves_, {});
}

Digest ContentDigest(ByteView content) {
  PieceHasher hasher;
  hasher.Update(content);
  TreeHasher tree;
  for (const Digest& leaf : hasher.Finish()) tree.AddLeafHash(leaf);
  return tree.Root();
}

Digest ReceiptLeaf(const ReceiptSalt& salt, std::string_view path, EntryType type, uint64_t size,
                   const Digest& content) {
  const auto type_byte = static_cast<uint8_t>(type);
  Bytes size_bytes;
  AppendU64(size_bytes, size);
  Bytes leaf = {kLeafPrefix};
  Append(leaf, Frame("cce4long/v1/receipt-leaf",
                     {salt, AsBytes(path), ByteView(&type_byte, 1), size_bytes, content}));
  return crypto::Sha256(leaf);
}

}  // namespace cce::dataset
