// Names, sizes and key contexts of the sealed dataset format (docs/formats/dataset.md).
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/stream.h"
#include "dataset/ciphertext_store.h"

namespace cce::dataset {

using DatasetId = ByteArray<20>;   // the address of the dataset's contract
using DraftId = ByteArray<16>;     // random, given by cced
using SnapshotId = ByteArray<32>;  // = the name of the snapshot's sealed index

constexpr std::string_view kObjectLabel = "cce4long/v1/object";
constexpr std::string_view kIndexLabel = "cce4long/v1/index";
constexpr std::string_view kPartLabel = "cce4long/v1/part";

// No object holds more plaintext than this (padding included).
constexpr uint64_t kMaxObjectPlain = uint64_t{64} << 20;

enum class EntryType : uint8_t { kFile = 1, kFolder = 2, kLink = 3 };

// What is kept of an entry besides path and content.
struct Attributes {
  EntryType type = EntryType::kFile;
  uint16_t mode = 0;     // permission bits, 07777
  int64_t mtime_ns = 0;  // since 1970
  uint64_t size = 0;     // bytes of content; of a link: of its target; of a folder: 0
};

// The key context of an object: base key DEK of `epoch`, bound to the dataset.
crypto::StreamContext ContextOf(std::string_view label, const DatasetId& dataset, uint32_t epoch);

// The plaintext size that an object of `size` content bytes is padded to with zeros: up to a
// multiple of 64 KiB, or of the power of two that keeps the overhead below 1/128.
uint64_t PaddedSize(uint64_t size);

}  // namespace cce::dataset
