// The sealed record of an accepted part: which pieces it held and where they lie
// (docs/formats/dataset.md, "Part record"). It lives in the store from AcceptPart until the
// snapshot is finalized.
#pragma once

#include <optional>

#include "dataset/part_wire.h"
#include "dataset/sealed_object.h"

namespace cce::dataset {

struct PartRecordHead {
  DraftId draft{};
  uint32_t part = 0;
  Digest digest{};          // the part's trailer
  bool has_object = false;  // a part of empty files has none
  StoredObject object;
  ByteArray<crypto::kStreamHeaderSize> object_header{};
  SnapshotId base{};  // of references; zeros: there are none
  uint32_t pieces = 0;
};

struct RecordedPiece {
  PieceHead head;
  uint32_t object_offset = 0;
  std::vector<Digest> spans;
  std::string target;  // of a link
};

void AppendPartRecordHead(Bytes& out, const PartRecordHead& head);
void AppendRecordedPiece(Bytes& out, const RecordedPiece& piece);

// Reads an opened record. It was written by cced itself and authenticated: a violation is
// dataset.corrupt.
class PartRecordReader {
 public:
  static Result<PartRecordReader> Open(Bytes plain, const ObjectName& name);
  PartRecordReader(PartRecordReader&&) = default;
  const PartRecordHead& head() const { return head_; }
  // The next piece; nullopt after the last.
  Result<std::optional<RecordedPiece>> Next();

 private:
  PartRecordReader(Bytes plain, const ObjectName& name);
  Result<> ReadHead();
  Result<RecordedPiece> ReadPiece();

  ObjectName name_;
  Bytes plain_;
  ByteReader reader_;
  PartRecordHead head_;
  uint32_t read_ = 0;
};

}  // namespace cce::dataset
