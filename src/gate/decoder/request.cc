#include "gate/decoder/request.h"

namespace cce::gate {
namespace {
constexpr std::string_view kMagic = "CCEG2\n";
}

Bytes EncodeDecodeRequest(const DecodeRequest& request) {
  Bytes out = ToBytes(kMagic);
  out.push_back(static_cast<uint8_t>(request.mode));
  AppendU32(out, request.max_depth);
  AppendU32(out, request.max_ratio);
  AppendU64(out, request.max_total);
  AppendU32(out, request.max_views);
  AppendU64(out, request.max_memory);
  AppendU32(out, request.max_cpu_seconds);
  return out;
}

Result<DecodeRequest> ParseDecodeRequest(ByteView bytes) {
  ByteReader reader(bytes);
  ASSIGN_OR_RETURN(const ByteView magic, reader.Take(kMagic.size()));
  if (AsText(magic) != kMagic) return Fail("input.malformed", "no decode request");
  DecodeRequest out;
  ASSIGN_OR_RETURN(const uint8_t mode, reader.U8());
  if (mode < 1 || mode > 2) return Fail("input.malformed", "an unknown decode request");
  out.mode = static_cast<DecodeMode>(mode);
  ASSIGN_OR_RETURN(out.max_depth, reader.U32());
  ASSIGN_OR_RETURN(out.max_ratio, reader.U32());
  ASSIGN_OR_RETURN(out.max_total, reader.U64());
  ASSIGN_OR_RETURN(out.max_views, reader.U32());
  ASSIGN_OR_RETURN(out.max_memory, reader.U64());
  ASSIGN_OR_RETURN(out.max_cpu_seconds, reader.U32());
  TRY(reader.ExpectEnd());
  return out;
}

}  // namespace cce::gate
