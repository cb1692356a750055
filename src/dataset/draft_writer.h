// cced's side of an upload: takes parts in any order and in parallel, seals each into the store,
// and makes the snapshot. It keeps no state between calls: the receipts, which the journal keeps,
// are the draft.
#pragma once

#include <optional>

#include "base/secret.h"
#include "dataset/index_scan.h"
#include "dataset/part_wire.h"
#include "dataset/upload_plan.h"

namespace cce::dataset {

// What the journal keeps of an accepted part.
struct PartReceipt {
  uint32_t part = 0;
  Digest digest{};           // the part's trailer
  ObjectName record{};       // the sealed part record
  uint64_t record_size = 0;  // sealed
  uint32_t pieces = 0;
  uint64_t bytes = 0;   // payload
  StoredObject object;  // the content; a part of empty files has none: zeros
  bool operator==(const PartReceipt&) const = default;
};

// The client's finalize request.
struct FinalizeRequest {
  ReceiptSalt salt{};
  Digest root{};
  ContentCounts counts;
};

struct SnapshotInfo {
  SnapshotId snapshot{};
  uint64_t index_size = 0;  // sealed
  ContentCounts counts;
  Digest root{};
  std::vector<StoredObject> objects;  // content objects in index order, without the index itself
  std::optional<SnapshotId> base;     // what it shares objects with
};

// Gives the index of a snapshot of the draft's dataset and epoch; upload.no_base where there is
// none (any more).
using BaseLookup = std::function<Result<SealedIndex>(const SnapshotId&)>;

// Thread-safe.
class DraftWriter {
 public:
  // `store` must outlive this. `dek` (32 bytes) is copied. Every object is sealed under `epoch`.
  DraftWriter(CiphertextStore& store, const DatasetId& dataset, const DraftId& draft,
              uint32_t epoch, const SecretBytes& dek, const PartLimits& limits = {});

  // Reads one part to its end in flat memory. Nothing is referred to unless all of it verified.
  // With `known` (the journal's receipt for this number) nothing is written: the same part gives
  // `known` back, another one upload.part_conflict. Errors: upload.bad_part (form, truncation,
  // trailer), upload.wrong_draft, upload.part_too_large, upload.out_of_order, upload.refused_kind,
  // dataset.bad_path, dataset.bad_link, io.disk_full, the source's own.
  Result<PartReceipt> AcceptPart(uint32_t part, const ByteSource& source,
                                 const PartReceipt* known = nullptr) const;

  // Checks that the parts 0..n-1 are all there and together make whole files in path order,
  // compares counts and root, writes the index. What parts refer to is looked up in their one base
  // snapshot. Repeatable. Memory grows with the number of objects only. Errors: upload.incomplete,
  // upload.out_of_order, upload.not_as_before (a reference with another digest than the entry it
  // names), upload.no_base, dataset.root_mismatch, upload.count_mismatch, dataset.corrupt,
  // dataset.missing_object, io.*.
  Result<SnapshotInfo> Finalize(const std::vector<PartReceipt>& receipts,
                                const FinalizeRequest& request, const BaseLookup& base = {}) const;

  // Removes the part records, once the snapshot is in the journal.
  Result<> DropRecords(const std::vector<PartReceipt>& receipts) const;
  // Removes everything of an abandoned draft: records and the objects they name.
  Result<> Discard(const std::vector<PartReceipt>& receipts) const;

 private:
  CiphertextStore& store_;
  DatasetId dataset_;
  DraftId draft_;
  uint32_t epoch_;
  SecretBytes dek_;
  PartLimits limits_;
};

}  // namespace cce::dataset
