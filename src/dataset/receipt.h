// What cced answers to a finalized upload: a document that cced signs (DSSE, crypto/signed.h) and
// that the provider checks against his folder without any network.
#pragma once

#include "dataset/upload_plan.h"

namespace cce::dataset {

constexpr std::string_view kReceiptPayloadType = "application/vnd.cce4long.upload-receipt.v1+json";

struct Receipt {
  DatasetId dataset{};
  DraftId draft{};
  SnapshotId snapshot{};
  uint32_t epoch = 0;
  ContentCounts counts;
  ReceiptSalt salt{};
  Digest root{};
  int64_t time = 0;  // Unix seconds
};

std::string ReceiptToJson(const Receipt& receipt);
// input.*
Result<Receipt> ReceiptFromJson(std::string_view text);

// Reads all of `path` (folder or file) with `threads` threads and compares.
// dataset.receipt_mismatch says whether counts or content differ; upload.*, io.*.
Result<> CheckReceipt(const std::string& path, const Receipt& receipt, unsigned threads = 1);

}  // namespace cce::dataset
