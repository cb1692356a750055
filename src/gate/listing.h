// The regular files of a packed output: what the signed manifest names. Made by the decoder in its
// other mode, checked again by the parent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::gate {

struct OutputFile {
  std::string path;      // as it stands in the tar
  ByteArray<32> sha256;  // of the file's bytes
  uint64_t size = 0;
  bool operator==(const OutputFile&) const = default;
};

// A path that a packed output may hold: UTF-8 of at most 1024 bytes without control characters,
// relative, no part of it empty, "." or "..".
bool GoodPath(std::string_view path);

// The stream between decoder and parent (docs/formats/gate.md, "List stream").
constexpr std::string_view kListStreamMagic = "CCEL1\n";
constexpr size_t kMaxListRecord = 1 + 4 + 1024 + 8 + 32;
Bytes EncodeListedFile(const OutputFile& file);
Bytes EncodeListEnd(uint32_t file_count);
// The whole stream. Errors: gate.decoder_failed for anything that is not exactly a complete stream
// of at most `max_files` files with good paths, each different.
Result<std::vector<OutputFile>> ParseListStream(ByteView stream, uint32_t max_files);

}  // namespace cce::gate
