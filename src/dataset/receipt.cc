#include "dataset/receipt.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/json.h"

namespace cce::dataset {
namespace {

constexpr std::string_view kType = "cce4long/v1/upload-receipt";

template <size_t N>
ByteArray<N> HexMember(Fields& fields, std::string_view key) {
  ByteArray<N> out{};
  const Bytes bytes = fields.Hex(key, N);
  if (bytes.size() == N) std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// Reads every part of the plan, so that its root is known.
Result<> ReadAll(const UploadPlan& plan, unsigned threads) {
  std::atomic<uint32_t> next = 0;
  std::mutex mutex;
  Result<> outcome;
  const auto work = [&] {
    Bytes buffer(size_t{1} << 20);
    while (true) {
      const uint32_t part = next.fetch_add(1);
      if (part >= plan.part_count()) return;
      const auto read = [&]() -> Result<> {
        ASSIGN_OR_RETURN(const auto reader, plan.OpenPart(part, {}));
        while (true) {
          ASSIGN_OR_RETURN(const size_t n, reader->Read(buffer));
          if (n == 0) return {};
        }
      };
      if (Result<> one = read(); !one) {
        const std::lock_guard lock(mutex);
        if (outcome) outcome = std::move(one);
        next = plan.part_count();
      }
    }
  };
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  others.clear();
  return outcome;
}

}  // namespace

std::string ReceiptToJson(const Receipt& receipt) {
  json::object out;
  out["type"] = kType;
  out["dataset"] = ToHex(receipt.dataset);
  out["draft"] = ToHex(receipt.draft);
  out["snapshot"] = ToHex(receipt.snapshot);
  out["epoch"] = receipt.epoch;
  out["files"] = receipt.counts.files;
  out["folders"] = receipt.counts.folders;
  out["links"] = receipt.counts.links;
  out["bytes"] = receipt.counts.bytes;
  out["salt"] = ToHex(receipt.salt);
  out["root"] = ToHex(receipt.root);
  out["time"] = FormatTime(receipt.time);
  return ToJson(out);
}

Result<Receipt> ReceiptFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "receipt"));
  Fields fields(document);
  Receipt receipt;
  fields.Choice("type", {kType});
  receipt.dataset = HexMember<20>(fields, "dataset");
  receipt.draft = HexMember<16>(fields, "draft");
  receipt.snapshot = HexMember<32>(fields, "snapshot");
  receipt.epoch = static_cast<uint32_t>(fields.Uint("epoch", {.max = UINT32_MAX}));
  receipt.counts = ReadContentCounts(fields);
  receipt.salt = HexMember<32>(fields, "salt");
  receipt.root = HexMember<32>(fields, "root");
  const std::string time = fields.String("time", {.max = 64});
  TRY(fields.Finish());
  ASSIGN_OR_RETURN(receipt.time, ParseTime(time));
  return receipt;
}

Result<> CheckReceipt(const std::string& path, const Receipt& receipt, unsigned threads) {
  ASSIGN_OR_RETURN(const UploadPlan plan, UploadPlan::Scan(path));
  if (!(plan.counts() == receipt.counts)) {
    return Fail(MakeError("dataset.receipt_mismatch", "the folder holds another number of entries")
                    .Expected(ShowContentCounts(receipt.counts))
                    .Found(ShowContentCounts(plan.counts())));
  }
  TRY(ReadAll(plan, std::clamp(threads, 1u, 64u)));
  ASSIGN_OR_RETURN(const Digest root, plan.Root(receipt.salt));
  if (root != receipt.root) {
    return Fail(MakeError("dataset.receipt_mismatch",
                          "the folder's names or contents differ from what was uploaded")
                    .Expected("root " + ToHex(receipt.root))
                    .Found("root " + ToHex(root)));
  }
  return {};
}

}  // namespace cce::dataset
