// The second half of DraftWriter: from part records to a snapshot.
#include <algorithm>
#include <unordered_map>

#include "dataset/draft_writer.h"
#include "dataset/index.h"
#include "dataset/part_record.h"
#include "dataset/path.h"

namespace cce::dataset {
namespace {

// Bounds a record before it is read: heads, then at most one leaf, one offset and one target a
// piece.
constexpr uint64_t kMaxRecordBytes = uint64_t{512} << 20;

Result<PartRecordReader> LoadRecord(CiphertextStore& store, ByteView dek,
                                    const crypto::StreamContext& context, const DraftId& draft,
                                    const PartReceipt& receipt) {
  if (receipt.record_size > kMaxRecordBytes) return Corrupt(receipt.record, "an impossible size");
  Result<Bytes> sealed = ReadObject(store, receipt.record, receipt.record_size);
  if (!sealed && sealed.error().code == "input.too_large") {
    return Corrupt(receipt.record, "its size differs from the receipt's");
  }
  if (!sealed) return Unexpected(std::move(sealed).error());
  if (TreeDigest(*sealed) != receipt.record) {
    return Corrupt(receipt.record, "its digest differs from its name");
  }
  if (!OpenInPlace(*sealed, dek, context)) return Corrupt(receipt.record, "it does not open");
  ASSIGN_OR_RETURN(PartRecordReader reader,
                   PartRecordReader::Open(std::move(*sealed), receipt.record));
  const PartRecordHead& head = reader.head();
  if (head.draft != draft || head.part != receipt.part || head.digest != receipt.digest) {
    return Corrupt(receipt.record, "it is the record of another part");
  }
  return reader;
}

// The rows of the new object table, in the order in which the content first needs them: those of
// the draft's own parts and those shared with the base.
class ObjectRows {
 public:
  ObjectRows(CiphertextStore& store, uint32_t epoch) : store_(store), epoch_(epoch) {}

  Result<uint32_t> Add(const StoredObject& object,
                       const ByteArray<crypto::kStreamHeaderSize>& header) {
    return Put(
        {.name = object.name, .header = header, .sealed_size = object.size, .epoch = epoch_});
  }
  // The new row of the base's row.
  Result<uint32_t> Share(const std::vector<IndexObject>& base, uint32_t row) {
    const auto known = shared_.find(row);
    if (known != shared_.end()) return known->second;
    ASSIGN_OR_RETURN(const uint32_t added, Put(base[row]));
    shared_.emplace(row, added);
    return added;
  }
  const std::vector<IndexObject>& rows() const { return rows_; }

 private:
  // What the snapshot will refer to must be there now; its content is authenticated by whoever
  // reads it.
  Result<uint32_t> Put(const IndexObject& object) {
    ASSIGN_OR_RETURN(const auto reader, store_.Open(object.name));
    if (reader->size() != object.sealed_size) return Corrupt(object.name, "another size");
    rows_.push_back(object);
    return static_cast<uint32_t>(rows_.size() - 1);
  }

  CiphertextStore& store_;
  uint32_t epoch_;
  std::vector<IndexObject> rows_;
  std::unordered_map<uint32_t, uint32_t> shared_;
};

// The snapshot that a draft's references are to: opened by the first of them.
class Base {
 public:
  Base(CiphertextStore& store, const DatasetId& dataset, uint32_t epoch, ByteView dek,
       const BaseLookup& lookup)
      : store_(store), dataset_(dataset), epoch_(epoch), dek_(dek), lookup_(lookup) {}

  // The part that comes now names `snapshot`.
  Result<> Expect(const SnapshotId& snapshot) {
    if (snapshot == SnapshotId{} || snapshot == id_) return {};
    if (id_) return Fail("upload.bad_part", "the parts refer to different snapshots");
    if (!lookup_) return Fail("upload.no_base", "the draft cannot refer to another snapshot");
    ASSIGN_OR_RETURN(const SealedIndex index, lookup_(snapshot));
    ASSIGN_OR_RETURN(scan_, IndexScan::Open(store_, dataset_, epoch_, dek_, index));
    id_ = snapshot;
    return {};
  }

  // The entry that the piece refers to, if it has exactly the content that the piece claims.
  Result<ScannedFile> Find(const PieceHead& head) {
    ASSIGN_OR_RETURN(std::optional<ScannedFile> file, scan_->File(head.same->entry));
    if (!file || file->size != head.attributes.size || file->digest != head.same->digest) {
      return Fail(MakeError("upload.not_as_before",
                            "'" + ShowPath(head.path) + "' refers to content that it does not have")
                      .Expected("the digest and size of entry " + std::to_string(head.same->entry) +
                                " of the base snapshot"));
    }
    for (const Extent& extent : file->extents) {
      if (scan_->objects()[extent.object].epoch == epoch_) continue;
      return Fail("upload.no_base", "'" + ShowPath(head.path) + "' lies under another epoch");
    }
    return std::move(*file);
  }

  const std::optional<SnapshotId>& id() const { return id_; }
  const std::vector<IndexObject>& objects() const { return scan_->objects(); }

 private:
  CiphertextStore& store_;
  const DatasetId& dataset_;
  uint32_t epoch_;
  ByteView dek_;
  const BaseLookup& lookup_;
  std::optional<SnapshotId> id_;
  std::unique_ptr<IndexScan> scan_;
};

// Joins pieces to files as they come, in path order, and feeds index and receipt tree.
class Merger {
 public:
  Merger(IndexWriter& index, const ReceiptSalt& salt) : index_(index), salt_(salt) {}

  // A file that is as it was: its content is the base's, its attributes are new.
  Result<> AddSame(const PieceHead& head, const ScannedFile& file, ObjectRows& rows,
                   const std::vector<IndexObject>& base) {
    TRY(ExpectWhole());
    path_ = head.path;
    entry_ = {.attributes = head.attributes, .digest = file.digest, .extents = file.extents};
    for (Extent& extent : entry_.extents) {
      ASSIGN_OR_RETURN(extent.object, rows.Share(base, extent.object));
    }
    return Write();
  }

  Result<> Add(const RecordedPiece& piece, uint32_t object) {
    const PieceHead& head = piece.head;
    if (head.offset == 0) {
      TRY(ExpectWhole());
      path_ = head.path;
      entry_ = {.attributes = head.attributes, .target = piece.target};
      spans_.clear();
      next_offset_ = 0;
    } else {
      TRY(CheckContinues(head));
    }
    open_ = true;
    next_offset_ += head.length;
    spans_.insert(spans_.end(), piece.spans.begin(), piece.spans.end());
    if (head.attributes.type == EntryType::kFile && head.length > 0) {
      TRY(AddExtent({.object = object,
                     .offset = piece.object_offset,
                     .length = static_cast<uint32_t>(head.length)}));
    }
    if (head.last) return Close();
    return {};
  }

  // No file may be left open.
  Result<> ExpectWhole() const {
    if (!open_) return {};
    return Fail(MakeError("upload.incomplete", "the file '" + ShowPath(path_) + "' is not whole")
                    .Expected(std::to_string(entry_.attributes.size) + " bytes")
                    .Found(std::to_string(next_offset_) + " bytes"));
  }

  Digest root() const { return root_.Root(); }

 private:
  Result<> CheckContinues(const PieceHead& head) const {
    const Attributes& was = entry_.attributes;
    const Attributes& is = head.attributes;
    const bool same = was.type == is.type && was.mode == is.mode && was.mtime_ns == is.mtime_ns &&
                      was.size == is.size;
    if (open_ && path_ == head.path && same && next_offset_ == head.offset) return {};
    TRY(ExpectWhole());
    return Fail(MakeError("upload.out_of_order", "a piece of '" + ShowPath(head.path) +
                                                     "' does not follow the piece before it")
                    .Found("offset " + std::to_string(head.offset)));
  }

  // All but the last of one length, as the index demands.
  Result<> AddExtent(const Extent& extent) {
    auto& extents = entry_.extents;
    const bool fits = extents.empty() || (extents.back().length == extents.front().length &&
                                          extent.length <= extents.front().length);
    if (!fits) {
      return Fail("upload.bad_part",
                  "the pieces of '" + ShowPath(path_) + "' are of unequal length");
    }
    extents.push_back(extent);
    return {};
  }

  Result<> Close() {
    open_ = false;
    const Attributes& a = entry_.attributes;
    if (a.type != EntryType::kFolder) entry_.digest = TreeDigestOfSpans(a.size, spans_);
    return Write();
  }

  Result<> Write() {
    const Attributes& a = entry_.attributes;
    TRY(index_.Add(path_, entry_));
    root_.AddLeafHash(ReceiptLeaf(salt_, path_, a.type, a.size, entry_.digest));
    return {};
  }

  IndexWriter& index_;
  const ReceiptSalt& salt_;
  TreeHasher root_;
  bool open_ = false;
  std::string path_;
  IndexEntry entry_;
  std::vector<Digest> spans_;
  uint64_t next_offset_ = 0;
};

Result<std::vector<PartReceipt>> InOrder(std::vector<PartReceipt> receipts) {
  std::sort(receipts.begin(), receipts.end(),
            [](const PartReceipt& a, const PartReceipt& b) { return a.part < b.part; });
  for (uint32_t i = 0; i < receipts.size(); ++i) {
    if (receipts[i].part != i) {
      return Fail("upload.incomplete", "part " + std::to_string(i) + " is missing or doubled");
    }
  }
  return receipts;
}

}  // namespace

Result<SnapshotInfo> DraftWriter::Finalize(const std::vector<PartReceipt>& receipts,
                                           const FinalizeRequest& request,
                                           const BaseLookup& lookup) const {
  ASSIGN_OR_RETURN(const std::vector<PartReceipt> parts, InOrder(receipts));
  const crypto::StreamContext record_context = ContextOf(kPartLabel, dataset_, epoch_);
  ASSIGN_OR_RETURN(
      const auto sealed_index,
      SealedObjectWriter::New(store_, dek_.Expose(), ContextOf(kIndexLabel, dataset_, epoch_), 0));
  IndexWriter index(dataset_, [&](ByteView bytes) { return sealed_index->Write(bytes); });
  TRY(index.Begin());
  Merger merger(index, request.salt);
  ObjectRows rows(store_, epoch_);
  Base base(store_, dataset_, epoch_, dek_.Expose(), lookup);
  SnapshotInfo info;
  for (const PartReceipt& receipt : parts) {
    ASSIGN_OR_RETURN(PartRecordReader record,
                     LoadRecord(store_, dek_.Expose(), record_context, draft_, receipt));
    const PartRecordHead& head = record.head();
    TRY(base.Expect(head.base));
    uint32_t object = 0;
    if (head.has_object) {
      ASSIGN_OR_RETURN(object, rows.Add(head.object, head.object_header));
    }
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<RecordedPiece> piece, record.Next());
      if (!piece) break;
      if (piece->head.same) {
        ASSIGN_OR_RETURN(const ScannedFile file, base.Find(piece->head));
        TRY(merger.AddSame(piece->head, file, rows, base.objects()));
      } else {
        TRY(merger.Add(*piece, object));
      }
    }
  }
  for (const IndexObject& object : rows.rows()) {
    info.objects.push_back({.name = object.name, .size = object.sealed_size});
  }
  info.base = base.id();
  TRY(merger.ExpectWhole());
  info.counts = index.counts();
  info.root = merger.root();
  if (!(info.counts == request.counts)) {
    return Fail(MakeError("upload.count_mismatch", "the parts hold another number of entries")
                    .Expected(ShowContentCounts(request.counts))
                    .Found(ShowContentCounts(info.counts)));
  }
  if (info.root != request.root) {
    return Fail(MakeError("dataset.root_mismatch", "the parts give another root than the client's")
                    .Expected(ToHex(request.root))
                    .Found(ToHex(info.root)));
  }
  TRY(index.Finish(rows.rows()));
  ASSIGN_OR_RETURN(const SealedObject sealed, sealed_index->Finish());
  info.snapshot = sealed.stored.name;
  info.index_size = sealed.stored.size;
  return info;
}

Result<> DraftWriter::DropRecords(const std::vector<PartReceipt>& receipts) const {
  for (const PartReceipt& receipt : receipts) TRY(store_.Remove(receipt.record));
  return {};
}

Result<> DraftWriter::Discard(const std::vector<PartReceipt>& receipts) const {
  const crypto::StreamContext context = ContextOf(kPartLabel, dataset_, epoch_);
  for (const PartReceipt& receipt : receipts) {
    const Result<PartRecordReader> record =
        LoadRecord(store_, dek_.Expose(), context, draft_, receipt);
    // A record that is gone or damaged names nothing more; what it named is found by comparing List
    // with the indexes.
    if (record && record->head().has_object) TRY(store_.Remove(record->head().object.name));
    TRY(store_.Remove(receipt.record));
  }
  return {};
}

}  // namespace cce::dataset
