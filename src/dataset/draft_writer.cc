#include "dataset/draft_writer.h"

#include "dataset/part_record.h"
#include "dataset/path.h"

namespace cce::dataset {
namespace {

// What comes from a source, in pieces of wanted sizes.
class Pieces {
 public:
  explicit Pieces(const ByteSource& source) : source_(source) {}

  // Exactly `size` bytes; valid until the next call.
  Result<ByteView> Take(size_t size) {
    if (size == 0) return ByteView();
    ASSIGN_OR_RETURN(const ByteView first, TakeSome(size));
    if (first.size() == size) return first;
    joined_ = ToBytes(first);
    while (joined_.size() < size) {
      ASSIGN_OR_RETURN(const ByteView more, TakeSome(size - joined_.size()));
      Append(joined_, more);
    }
    return ByteView(joined_);
  }
  // 1 to `max` bytes, whatever is there.
  Result<ByteView> TakeSome(uint64_t max) {
    ASSIGN_OR_RETURN(const ByteView some, source_(max));
    if (some.empty()) return Fail("upload.bad_part", "the part ends early");
    if (some.size() > max) return Fail("internal.bug", "a source gave more than asked for");
    return some;
  }
  Result<> ExpectEnd() {
    ASSIGN_OR_RETURN(const ByteView more, source_(1));
    if (more.empty()) return {};
    return Fail("upload.bad_part", "bytes follow the end of the part");
  }

 private:
  const ByteSource& source_;
  Bytes joined_;
};

// One part, from its first byte to its receipt.
class PartAcceptor {
 public:
  struct Target {
    CiphertextStore& store;
    ByteView dek;
    crypto::StreamContext object_context;
    crypto::StreamContext record_context;
  };
  // Without `target` the part is only read and digested.
  PartAcceptor(const ByteSource& source, const PartLimits& limits, const Target* target)
      : source_(source), limits_(limits), target_(target) {}

  Result<Digest> Read(uint32_t part, const DraftId& draft) {
    ASSIGN_OR_RETURN(const ByteView raw, source_.Take(kPartHeaderSize));
    ASSIGN_OR_RETURN(header_, ParsePartHeader(raw, limits_));
    if (header_.draft != draft || header_.part != part) {
      return Fail(
          MakeError("upload.wrong_draft", "the part belongs elsewhere")
              .Expected("part " + std::to_string(part) + " of draft " + ToHex(draft))
              .Found("part " + std::to_string(header_.part) + " of draft " + ToHex(header_.draft)));
    }
    digester_.Header(raw);
    for (uint32_t i = 0; i < header_.records; ++i) TRY(Piece());
    if (payload_ != header_.payload) {
      return Fail("upload.bad_part", "the pieces do not make up the payload that the header names");
    }
    const Digest digest = digester_.Finish();
    ASSIGN_OR_RETURN(const ByteView trailer, source_.Take(kPartTrailerSize));
    if (!Equal(trailer, digest)) {
      return Fail("upload.bad_part", "the part's digest differs from its trailer");
    }
    TRY(source_.ExpectEnd());
    return digest;
  }

  // After Read: makes object and record durable.
  Result<PartReceipt> Store(const Digest& digest) {
    PartRecordHead head{.draft = header_.draft,
                        .part = header_.part,
                        .digest = digest,
                        .base = header_.base,
                        .pieces = header_.records};
    if (object_ != nullptr) {
      TRY(object_->Pad(PaddedSize(object_->written()) - object_->written()));
      ASSIGN_OR_RETURN(const SealedObject sealed, object_->Finish());
      head.has_object = true;
      head.object = sealed.stored;
      head.object_header = sealed.header;
    }
    Bytes record;
    AppendPartRecordHead(record, head);
    const uint64_t size = record.size() + records_.size();
    ASSIGN_OR_RETURN(const auto writer, SealedObjectWriter::New(target_->store, target_->dek,
                                                                target_->record_context, size));
    TRY(writer->Write(record));
    TRY(writer->Write(records_));
    ASSIGN_OR_RETURN(const SealedObject sealed, writer->Finish());
    return PartReceipt{.part = header_.part,
                       .digest = digest,
                       .record = sealed.stored.name,
                       .record_size = sealed.stored.size,
                       .pieces = header_.records,
                       .bytes = header_.payload,
                       .object = head.object};
  }

 private:
  Result<> Piece() {
    ASSIGN_OR_RETURN(const ByteView fixed, source_.Take(kPieceHeadSize));
    Bytes raw = ToBytes(fixed);
    ASSIGN_OR_RETURN(PieceHeadStart start, ParsePieceHead(fixed));
    ASSIGN_OR_RETURN(const ByteView rest, source_.Take(start.path_size + start.same_size));
    Append(raw, rest);
    RecordedPiece piece;
    ASSIGN_OR_RETURN(piece.head, CompletePieceHead(std::move(start), rest));
    TRY(CheckPiece(piece.head));
    if (piece.head.same && header_.base == SnapshotId{}) {
      return Fail("upload.bad_part", "a reference in a part that names no snapshot");
    }
    TRY(CheckTotals(piece.head, raw.size()));
    if (piece.head.attributes.type == EntryType::kLink) {
      TRY(LinkPayload(piece));
    } else {
      TRY(FilePayload(piece));
    }
    digester_.Piece(raw, piece.spans);
    if (target_ != nullptr) AppendRecordedPiece(records_, piece);
    last_path_ = std::move(piece.head.path);
    return {};
  }

  Result<> CheckTotals(const PieceHead& head, uint64_t head_bytes) {
    head_bytes_ += head_bytes;
    if (head_bytes_ > limits_.max_head_bytes) {
      return Fail("upload.part_too_large",
                  "the part's names exceed " + std::to_string(limits_.max_head_bytes) + " bytes");
    }
    if (head.length > header_.payload - payload_) {
      return Fail("upload.bad_part", "the pieces exceed the payload that the header names");
    }
    payload_ += head.length;
    if (!last_path_.empty() && ComparePaths(last_path_, head.path) >= 0) {
      return Fail(MakeError("upload.out_of_order",
                            "the entry '" + ShowPath(head.path) + "' is out of place")
                      .Expected("paths in order, each once in a part")
                      .Found("after '" + ShowPath(last_path_) + "'"));
    }
    return {};
  }

  Result<> LinkPayload(RecordedPiece& piece) {
    ASSIGN_OR_RETURN(const ByteView target, source_.Take(piece.head.length));
    piece.target = AsText(target);
    TRY(CheckLinkTarget(piece.head.path, piece.target));
    hasher_.Update(target);
    piece.spans = hasher_.Finish();
    return {};
  }

  Result<> FilePayload(RecordedPiece& piece) {
    uint64_t rest = piece.head.length;
    if (rest > 0 && target_ != nullptr && object_ == nullptr) {
      ASSIGN_OR_RETURN(
          object_, SealedObjectWriter::New(target_->store, target_->dek, target_->object_context,
                                           PaddedSize(header_.payload), header_.chunk_log2));
    }
    if (object_ != nullptr) piece.object_offset = static_cast<uint32_t>(object_->written());
    while (rest > 0) {
      ASSIGN_OR_RETURN(const ByteView slice, source_.TakeSome(rest));
      hasher_.Update(slice);
      if (object_ != nullptr) TRY(object_->Write(slice));
      rest -= slice.size();
    }
    piece.spans = hasher_.Finish();
    return {};
  }

  Pieces source_;
  const PartLimits& limits_;
  const Target* target_;
  PartHeader header_;
  PartDigester digester_;
  SpanHasher hasher_;
  std::unique_ptr<SealedObjectWriter> object_;
  Bytes records_;
  std::string last_path_;
  uint64_t payload_ = 0;
  uint64_t head_bytes_ = 0;
};

}  // namespace

DraftWriter::DraftWriter(CiphertextStore& store, const DatasetId& dataset, const DraftId& draft,
                         uint32_t epoch, const SecretBytes& dek, const PartLimits& limits)
    : store_(store),
      dataset_(dataset),
      draft_(draft),
      epoch_(epoch),
      dek_(dek.Clone()),
      limits_(limits) {
  // What an object can hold bounds a part, whatever the caller allows.
  limits_.max_payload = std::min(limits_.max_payload, kMaxObjectPlain);
}

Result<PartReceipt> DraftWriter::AcceptPart(uint32_t part, const ByteSource& source,
                                            const PartReceipt* known) const {
  if (known != nullptr) {
    PartAcceptor acceptor(source, limits_, nullptr);
    ASSIGN_OR_RETURN(const Digest digest, acceptor.Read(part, draft_));
    if (digest == known->digest && part == known->part) return *known;
    return Fail(MakeError("upload.part_conflict", "part " + std::to_string(part) +
                                                      " was accepted before with other content")
                    .Expected(ToHex(known->digest))
                    .Found(ToHex(digest)));
  }
  const PartAcceptor::Target target{.store = store_,
                                    .dek = dek_.Expose(),
                                    .object_context = ContextOf(kObjectLabel, dataset_, epoch_),
                                    .record_context = ContextOf(kPartLabel, dataset_, epoch_)};
  PartAcceptor acceptor(source, limits_, &target);
  ASSIGN_OR_RETURN(const Digest digest, acceptor.Read(part, draft_));
  return acceptor.Store(digest);
}

}  // namespace cce::dataset
