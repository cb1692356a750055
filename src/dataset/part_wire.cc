#include "dataset/part_wire.h"

#include "dataset/path.h"

namespace cce::dataset {
namespace {

constexpr std::string_view kMagic = "CCEU";
constexpr uint8_t kVersion = 1;
constexpr uint8_t kSpanLog2 = 22;
constexpr uint8_t kLastFlag = 1;
constexpr uint8_t kSameFlag = 2;
constexpr uint8_t kLargeChunkLog2 = 18;
static_assert(uint64_t{1} << kSpanLog2 == kDigestSpan);

Unexpected BadPart(std::string message) { return Fail("upload.bad_part", std::move(message)); }

Result<> CheckFilePiece(const PieceHead& head) {
  const uint64_t size = head.attributes.size;
  if (head.same) {
    if (size == 0 || head.offset != 0 || head.length != 0 || !head.last) {
      return BadPart("a reference with content of its own, or to an empty file");
    }
    return {};
  }
  if (head.offset % kDigestSpan != 0) return BadPart("a piece begins inside a digest span");
  if (head.offset > size || head.length > size - head.offset) {
    return BadPart("a piece reaches past the end of its file");
  }
  if (head.last != (head.offset + head.length == size)) {
    return BadPart("a piece's last-piece flag contradicts its length");
  }
  if (!head.last && head.length % kDigestSpan != 0)
    return BadPart("a piece ends inside a digest span");
  if (head.length == 0 && size != 0) return BadPart("an empty piece of a file that is not empty");
  return {};
}

}  // namespace

void AppendPartHeader(Bytes& out, const PartHeader& header) {
  Append(out, AsBytes(kMagic));
  out.push_back(kVersion);
  out.push_back(kSpanLog2);
  out.push_back(header.chunk_log2);
  out.push_back(0);
  Append(out, header.draft);
  AppendU32(out, header.part);
  AppendU32(out, header.records);
  AppendU64(out, header.payload);
  Append(out, header.base);
}

void AppendPieceHead(Bytes& out, const PieceHead& head) {
  out.push_back(static_cast<uint8_t>(head.attributes.type));
  out.push_back((head.last ? kLastFlag : 0) | (head.same ? kSameFlag : 0));
  AppendU16(out, head.attributes.mode);
  AppendU64(out, static_cast<uint64_t>(head.attributes.mtime_ns));
  AppendU64(out, head.attributes.size);
  AppendU64(out, head.offset);
  AppendU64(out, head.length);
  AppendU16(out, static_cast<uint16_t>(head.path.size()));
  Append(out, AsBytes(head.path));
  if (head.same) {
    AppendU32(out, head.same->entry);
    Append(out, head.same->digest);
  }
}

Result<PartHeader> ParsePartHeader(ByteView bytes, const PartLimits& limits) {
  ByteReader reader(bytes);
  ASSIGN_OR_RETURN(const ByteView magic, reader.Take(kMagic.size()));
  if (AsText(magic) != kMagic) return BadPart("no upload part: the magic is missing");
  ASSIGN_OR_RETURN(const uint8_t version, reader.U8());
  ASSIGN_OR_RETURN(const uint8_t span_log2, reader.U8());
  PartHeader header;
  ASSIGN_OR_RETURN(header.chunk_log2, reader.U8());
  ASSIGN_OR_RETURN(const uint8_t reserved, reader.U8());
  if (version != kVersion || span_log2 != kSpanLog2 || reserved != 0) {
    return BadPart("an upload part of an unknown version");
  }
  if (header.chunk_log2 != crypto::kDefaultChunkLog2 && header.chunk_log2 != kLargeChunkLog2) {
    return BadPart("chunks of neither 64 KiB nor 256 KiB");
  }
  ASSIGN_OR_RETURN(const ByteView draft, reader.Take(header.draft.size()));
  std::copy(draft.begin(), draft.end(), header.draft.begin());
  ASSIGN_OR_RETURN(header.part, reader.U32());
  ASSIGN_OR_RETURN(header.records, reader.U32());
  ASSIGN_OR_RETURN(header.payload, reader.U64());
  ASSIGN_OR_RETURN(const ByteView base, reader.Take(header.base.size()));
  std::copy(base.begin(), base.end(), header.base.begin());
  TRY(reader.ExpectEnd());
  if (header.records == 0) return BadPart("an upload part without a record");
  if (header.records > limits.max_records || header.payload > limits.max_payload) {
    return Fail(MakeError("upload.part_too_large", "an upload part exceeds the limits")
                    .Expected("at most " + std::to_string(limits.max_records) + " records and " +
                              std::to_string(limits.max_payload) + " bytes")
                    .Found(std::to_string(header.records) + " records, " +
                           std::to_string(header.payload) + " bytes"));
  }
  return header;
}

Result<PieceHeadStart> ParsePieceHead(ByteView fixed) {
  ByteReader reader(fixed);
  PieceHeadStart start;
  PieceHead& head = start.head;
  ASSIGN_OR_RETURN(const uint8_t type, reader.U8());
  if (type < static_cast<uint8_t>(EntryType::kFile) ||
      type > static_cast<uint8_t>(EntryType::kLink)) {
    return Fail("upload.refused_kind", "an entry is neither file, folder nor symbolic link");
  }
  head.attributes.type = static_cast<EntryType>(type);
  ASSIGN_OR_RETURN(const uint8_t flags, reader.U8());
  if (flags > (kLastFlag | kSameFlag)) return BadPart("a piece has unknown flags");
  head.last = (flags & kLastFlag) != 0;
  start.same_size = (flags & kSameFlag) != 0 ? kSameSize : 0;
  ASSIGN_OR_RETURN(head.attributes.mode, reader.U16());
  ASSIGN_OR_RETURN(const uint64_t mtime, reader.U64());
  head.attributes.mtime_ns = static_cast<int64_t>(mtime);
  ASSIGN_OR_RETURN(head.attributes.size, reader.U64());
  ASSIGN_OR_RETURN(head.offset, reader.U64());
  ASSIGN_OR_RETURN(head.length, reader.U64());
  ASSIGN_OR_RETURN(const uint16_t path_size, reader.U16());
  TRY(reader.ExpectEnd());
  if (path_size == 0 || path_size > kMaxPath) {
    return Fail("dataset.bad_path", "a path is empty or longer than 4096 bytes");
  }
  start.path_size = path_size;
  return start;
}

Result<PieceHead> CompletePieceHead(PieceHeadStart start, ByteView rest) {
  ByteReader reader(rest);
  ASSIGN_OR_RETURN(const ByteView path, reader.Take(start.path_size));
  start.head.path = AsText(path);
  if (start.same_size > 0) {
    SameContent& same = start.head.same.emplace();
    ASSIGN_OR_RETURN(same.entry, reader.U32());
    ASSIGN_OR_RETURN(const ByteView digest, reader.Take(same.digest.size()));
    std::copy(digest.begin(), digest.end(), same.digest.begin());
  }
  TRY(reader.ExpectEnd());
  return std::move(start.head);
}

Result<> CheckPiece(const PieceHead& head) {
  TRY(CheckPath(head.path));
  if (head.attributes.mode > 07777) return BadPart("a mode holds more than permission bits");
  if (head.same && head.attributes.type != EntryType::kFile) {
    return BadPart("a reference that is no file");
  }
  switch (head.attributes.type) {
    case EntryType::kFile:
      return CheckFilePiece(head);
    case EntryType::kFolder:
      if (head.attributes.size != 0 || head.offset != 0 || head.length != 0 || !head.last) {
        return BadPart("a folder has content");
      }
      return {};
    case EntryType::kLink:
      if (head.attributes.size == 0 || head.attributes.size > kMaxLinkTarget || head.offset != 0 ||
          head.length != head.attributes.size || !head.last) {
        return BadPart("a symbolic link's target is empty, too long or cut");
      }
      return {};
  }
  return BadPart("an entry of an unknown type");
}

void PartDigester::Header(ByteView header) { stream_.Update(header); }

void PartDigester::Piece(ByteView head, const std::vector<Digest>& spans) {
  stream_.Update(head);
  for (const Digest& span : spans) stream_.Update(span);
}

Digest PartDigester::Finish() { return stream_.Finish(); }

}  // namespace cce::dataset
