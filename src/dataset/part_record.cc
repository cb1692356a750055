#include "dataset/part_record.h"

namespace cce::dataset {
namespace {

constexpr std::string_view kMagic = "CCER";
constexpr uint32_t kVersion = uint32_t{1} << 24;

template <size_t N>
Result<> TakeInto(ByteReader& reader, ByteArray<N>& out) {
  ASSIGN_OR_RETURN(const ByteView bytes, reader.Take(N));
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return {};
}

}  // namespace

void AppendPartRecordHead(Bytes& out, const PartRecordHead& head) {
  Append(out, AsBytes(kMagic));
  AppendU32(out, kVersion);
  Append(out, head.draft);
  AppendU32(out, head.part);
  Append(out, head.digest);
  AppendU32(out, head.has_object ? 1 : 0);
  Append(out, head.object.name);
  AppendU64(out, head.object.size);
  Append(out, head.object_header);
  Append(out, head.base);
  AppendU32(out, head.pieces);
}

void AppendRecordedPiece(Bytes& out, const RecordedPiece& piece) {
  AppendPieceHead(out, piece.head);
  AppendU32(out, piece.object_offset);
  for (const Digest& span : piece.spans) Append(out, span);
  Append(out, AsBytes(piece.target));
}

PartRecordReader::PartRecordReader(Bytes plain, const ObjectName& name)
    : name_(name), plain_(std::move(plain)), reader_(plain_) {}

Result<PartRecordReader> PartRecordReader::Open(Bytes plain, const ObjectName& name) {
  PartRecordReader reader(std::move(plain), name);
  if (!reader.ReadHead()) return Corrupt(name, "its part record is malformed");
  return reader;
}

Result<> PartRecordReader::ReadHead() {
  ASSIGN_OR_RETURN(const ByteView magic, reader_.Take(kMagic.size()));
  ASSIGN_OR_RETURN(const uint32_t version, reader_.U32());
  if (AsText(magic) != kMagic || version != kVersion) return Corrupt(name_, "no part record");
  TRY(TakeInto(reader_, head_.draft));
  ASSIGN_OR_RETURN(head_.part, reader_.U32());
  TRY(TakeInto(reader_, head_.digest));
  ASSIGN_OR_RETURN(const uint32_t has_object, reader_.U32());
  head_.has_object = has_object == 1;
  TRY(TakeInto(reader_, head_.object.name));
  ASSIGN_OR_RETURN(head_.object.size, reader_.U64());
  TRY(TakeInto(reader_, head_.object_header));
  TRY(TakeInto(reader_, head_.base));
  ASSIGN_OR_RETURN(head_.pieces, reader_.U32());
  return {};
}

Result<std::optional<RecordedPiece>> PartRecordReader::Next() {
  if (read_ == head_.pieces) {
    if (!reader_.ExpectEnd()) return Corrupt(name_, "its part record is malformed");
    return std::nullopt;
  }
  ++read_;
  Result<RecordedPiece> piece = ReadPiece();
  if (!piece) return Corrupt(name_, "its part record is malformed");
  return std::optional<RecordedPiece>(std::move(*piece));
}

Result<RecordedPiece> PartRecordReader::ReadPiece() {
  RecordedPiece piece;
  ASSIGN_OR_RETURN(const ByteView fixed, reader_.Take(kPieceHeadSize));
  ASSIGN_OR_RETURN(PieceHeadStart start, ParsePieceHead(fixed));
  ASSIGN_OR_RETURN(const ByteView rest, reader_.Take(start.path_size + start.same_size));
  ASSIGN_OR_RETURN(piece.head, CompletePieceHead(std::move(start), rest));
  TRY(CheckPiece(piece.head));
  ASSIGN_OR_RETURN(piece.object_offset, reader_.U32());
  const uint64_t spans = SpanCount(piece.head.length);
  if (spans > reader_.Remaining() / sizeof(Digest)) return Corrupt(name_, "a record is cut off");
  piece.spans.resize(spans);
  for (Digest& span : piece.spans) TRY(TakeInto(reader_, span));
  if (piece.head.attributes.type == EntryType::kLink) {
    ASSIGN_OR_RETURN(const ByteView target, reader_.Take(piece.head.length));
    piece.target = AsText(target);
  }
  return piece;
}

}  // namespace cce::dataset
