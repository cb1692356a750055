// What an entry contributes to the root of its snapshot's receipt (docs/formats/dataset.md).
#pragma once

#include "dataset/format.h"

namespace cce::dataset {

using ReceiptSalt = ByteArray<32>;

// A leaf of RFC 6962's tree: SHA-256(0x00 || Frame("cce4long/v1/receipt-leaf", salt, path, type u8,
// size u64, content digest)); a folder's content digest is 32 zero bytes. Mode and time are left
// out, so that a plain copy of the folder still checks.
Digest ReceiptLeaf(const ReceiptSalt& salt, std::string_view path, EntryType type, uint64_t size,
                   const Digest& content);

}  // namespace cce::dataset
