// An upload part on the wire: many pieces of many files, in path order (docs/formats/dataset.md,
// "Upload part"). Both ends use this: UploadPlan writes it, DraftWriter reads it.
#pragma once

#include <functional>
#include <optional>

#include "dataset/digest_tree.h"
#include "dataset/format.h"

namespace cce::dataset {

// The next 1 to `max` bytes, which stay until the next call; none only at the end.
using ByteSource = std::function<Result<ByteView>(size_t max)>;

constexpr size_t kPartHeaderSize = 72;
constexpr size_t kPieceHeadSize = 38;  // without the path and what follows it
constexpr size_t kSameSize = 36;       // a reference, after the path
constexpr size_t kPartTrailerSize = 32;

struct PartLimits {
  uint64_t max_payload = kMaxObjectPlain;  // sum of the pieces
  uint32_t max_records = uint32_t{1} << 16;
  uint64_t max_head_bytes = uint64_t{8} << 20;  // sum of the piece heads with paths
};

struct PartHeader {
  DraftId draft{};
  uint32_t part = 0;
  uint32_t records = 0;
  uint64_t payload = 0;
  uint8_t chunk_log2 = crypto::kDefaultChunkLog2;  // of the object to be made: 16 or 18
  SnapshotId base{};  // what references are to; zeros: the part has none
};

// "Same as before": the file's whole content is that of an entry of the base snapshot. Who does not
// know the content's digest cannot refer to it: finalize compares.
struct SameContent {
  uint32_t entry = 0;  // its number in the base's index
  Digest digest{};
};

struct PieceHead {
  Attributes attributes;
  bool last = false;    // the piece ends its file
  uint64_t offset = 0;  // of the piece in its file; a multiple of kDigestSpan
  uint64_t length = 0;  // payload bytes that follow the head
  std::string path;
  std::optional<SameContent> same;  // in place of a payload
};

void AppendPartHeader(Bytes& out, const PartHeader& header);
void AppendPieceHead(Bytes& out, const PieceHead& head);
// upload.bad_part, upload.part_too_large, dataset.bad_path, upload.refused_kind.
Result<PartHeader> ParsePartHeader(ByteView bytes, const PartLimits& limits);
struct PieceHeadStart {
  PieceHead head;  // without path and reference
  size_t path_size = 0;
  size_t same_size = 0;  // kSameSize where a reference follows the path, else 0
};
// `fixed` of kPieceHeadSize bytes.
Result<PieceHeadStart> ParsePieceHead(ByteView fixed);
// What follows the fixed part: path_size + same_size bytes.
Result<PieceHead> CompletePieceHead(PieceHeadStart start, ByteView rest);
// The rules within one head, path included.
Result<> CheckPiece(const PieceHead& head);

// The part's digest, which is also its trailer: SHA-256 over the header, then each head followed by
// the roots of its payload's spans. So it covers every byte and the content is hashed only once.
class PartDigester {
 public:
  void Header(ByteView header);
  void Piece(ByteView head, const std::vector<Digest>& spans);
  Digest Finish();

 private:
  crypto::Sha256Stream stream_;
};

}  // namespace cce::dataset
