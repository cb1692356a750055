#include "dataset/receipt_leaf.h"

namespace cce::dataset {

Digest ReceiptLeaf(const ReceiptSalt& salt, std::string_view path, EntryType type, uint64_t size,
                   const Digest& content) {
  const auto type_byte = static_cast<uint8_t>(type);
  Bytes size_bytes;
  AppendU64(size_bytes, size);
  Bytes leaf = {0x00};  // RFC 6962's prefix
  Append(leaf, Frame("cce4long/v1/receipt-leaf",
                     {salt, AsBytes(path), ByteView(&type_byte, 1), size_bytes, content}));
  return crypto::Sha256(leaf);
}

}  // namespace cce::dataset
