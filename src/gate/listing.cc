#include "gate/listing.h"

#include <set>

#include "gate/text.h"

namespace cce::gate {
namespace {

constexpr uint8_t kRecordEnd = 0;
constexpr uint8_t kRecordFile = 1;
constexpr size_t kMaxPath = 1024;

Unexpected Broken(std::string what) { return Fail("gate.decoder_failed", std::move(what)); }

Result<OutputFile> ReadFileRecord(ByteReader& reader) {
  OutputFile file;
  ASSIGN_OR_RETURN(const ByteView path, reader.Prefixed32(kMaxPath));
  file.path = AsText(path);
  ASSIGN_OR_RETURN(file.size, reader.U64());
  ASSIGN_OR_RETURN(const ByteView digest, reader.Take(file.sha256.size()));
  ASSIGN_OR_RETURN(file.sha256, ToArray<32>(digest));
  return file;
}

Result<std::vector<OutputFile>> ReadFiles(ByteView stream, uint32_t max_files) {
  ByteReader reader(stream);
  ASSIGN_OR_RETURN(const ByteView magic, reader.Take(kListStreamMagic.size()));
  if (AsText(magic) != kListStreamMagic) return Broken("the decoder's list has another magic");
  std::vector<OutputFile> files;
  std::set<std::string> seen;
  for (;;) {
    ASSIGN_OR_RETURN(const uint8_t type, reader.U8());
    if (type == kRecordEnd) {
      ASSIGN_OR_RETURN(const uint32_t count, reader.U32());
      TRY(reader.ExpectEnd());
      if (count != files.size()) return Broken("the decoder's list lacks files");
      return files;
    }
    if (type != kRecordFile || files.size() >= max_files) {
      return Broken("the decoder's list holds an unknown record or too many");
    }
    ASSIGN_OR_RETURN(OutputFile file, ReadFileRecord(reader));
    if (!GoodPath(file.path) || !seen.insert(file.path).second) {
      return Broken("the decoder's list holds a hostile path, or one twice");
    }
    files.push_back(std::move(file));
  }
}

}  // namespace

bool GoodPath(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath || !IsText(AsBytes(path))) return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

Bytes EncodeListedFile(const OutputFile& file) {
  Bytes out;
  out.push_back(kRecordFile);
  AppendU32(out, static_cast<uint32_t>(file.path.size()));
  Append(out, AsBytes(file.path));
  AppendU64(out, file.size);
  Append(out, file.sha256);
  return out;
}

Bytes EncodeListEnd(uint32_t file_count) {
  Bytes out;
  out.push_back(kRecordEnd);
  AppendU32(out, file_count);
  return out;
}

Result<std::vector<OutputFile>> ParseListStream(ByteView stream, uint32_t max_files) {
  auto files = ReadFiles(stream, max_files);
  if (!files && files.error().code != "gate.decoder_failed") {
    return Broken("the decoder's list is cut short");
  }
  return files;
}

}  // namespace cce::gate
