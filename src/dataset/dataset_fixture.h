// For tests: folders on disk, uploads of them, and the snapshot they give.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "dataset/draft_writer.h"
#include "dataset/sealed_object.h"
#include "dataset/snapshot_reader.h"

namespace cce::dataset {

// A folder that is removed with its content at the end.
class TestFolder {
 public:
  TestFolder() {
    std::string path = testing::TempDir() + "dataset-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string At(std::string_view name) const { return path_ + "/" + std::string(name); }
  void Write(std::string_view name, ByteView content) const {
    std::filesystem::create_directories(std::filesystem::path(At(name)).parent_path());
    std::ofstream(At(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
  }

 private:
  std::string path_;
};

// Bytes that repeat nowhere near, from a seed.
inline Bytes Noise(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t value = random();
    for (size_t j = 0; j < 8 && i + j < size; ++j)
      out[i + j] = static_cast<uint8_t>(value >> (8 * j));
  }
  return out;
}

inline ByteSource SourceOf(ByteView bytes) {
  return [bytes](size_t max) mutable -> Result<ByteView> {
    const ByteView next = bytes.first(std::min(max, bytes.size()));
    bytes = bytes.subspan(next.size());
    return next;
  };
}

inline Bytes WireOf(const UploadPlan& plan, uint32_t part, const DraftId& draft) {
  const auto reader = plan.OpenPart(part, draft).value();
  Bytes wire(reader->wire_size() + 1);
  size_t done = 0;
  while (true) {
    const size_t n = reader->Read(std::span(wire).subspan(done)).value();
    if (n == 0) break;
    done += n;
  }
  EXPECT_EQ(done, reader->wire_size());
  wire.resize(done);
  return wire;
}

constexpr DatasetId kTestDataset = {0xda, 0x7a, 1};
constexpr DraftId kTestDraft = {0xd7, 2};
constexpr ReceiptSalt kTestSalt = {0x5a, 3};
constexpr uint32_t kTestEpoch = 7;

inline SecretBytes TestDek(uint8_t seed = 1) { return SecretBytes::CopyOf(Bytes(32, seed)); }

inline EpochKeys TestKeys(uint32_t epoch = kTestEpoch, uint8_t seed = 1) {
  EpochKeys keys;
  keys.emplace(epoch, TestDek(seed));
  return keys;
}

struct TestUpload {
  std::vector<PartReceipt> receipts;
  FinalizeRequest request;
};

// Sends all parts of `plan`.
inline Result<TestUpload> SendAll(const DraftWriter& writer, const UploadPlan& plan) {
  TestUpload upload;
  for (uint32_t part = 0; part < plan.part_count(); ++part) {
    ASSIGN_OR_RETURN(const auto reader, plan.OpenPart(part, kTestDraft));
    ASSIGN_OR_RETURN(upload.receipts.emplace_back(), writer.AcceptPart(part, SourceOf(*reader)));
  }
  upload.request.salt = kTestSalt;
  upload.request.counts = plan.counts();
  ASSIGN_OR_RETURN(upload.request.root, plan.Root(kTestSalt));
  return upload;
}

inline Result<SnapshotInfo> UploadFolder(CiphertextStore& store, const std::string& path,
                                         const PlanOptions& options = {},
                                         const DatasetId& dataset = kTestDataset,
                                         uint32_t epoch = kTestEpoch, uint8_t dek = 1) {
  const DraftWriter writer(store, dataset, kTestDraft, epoch, TestDek(dek));
  ASSIGN_OR_RETURN(const UploadPlan plan, UploadPlan::Scan(path, options));
  ASSIGN_OR_RETURN(const TestUpload upload, SendAll(writer, plan));
  ASSIGN_OR_RETURN(const SnapshotInfo info, writer.Finalize(upload.receipts, upload.request));
  TRY(writer.DropRecords(upload.receipts));
  return info;
}

inline Result<Bytes> ReadWhole(const SnapshotReader& reader, Index::Id file) {
  Bytes out(reader.index().GetAttributes(file).size);
  ReadScratch scratch;
  ASSIGN_OR_RETURN(const size_t n, reader.ReadAt(file, 0, out, scratch));
  out.resize(n);
  return out;
}

}  // namespace cce::dataset
