#include "gate/decoder/layers.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <set>

#include "gate/decoder/blocks.h"
#include "gate/text.h"

namespace cce::gate {
namespace {

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

Archive NewArchive() { return {archive_read_new(), archive_read_free}; }

bool StartsWith(ByteView bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && AsText(bytes.first(magic.size())) == magic;
}

// A name that may stand in a chain: relative, no "..", no control character.
bool GoodName(std::string_view name) {
  if (name.empty() || name.size() > 1024 || name.front() == '/') return false;
  if (!IsText(AsBytes(name))) return false;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  }
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    if (name.substr(at, end - at) == "..") return false;
    at = end + 1;
  }
  return true;
}

std::string NameOf(archive_entry* entry) {
  const char* name = archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = archive_entry_pathname(entry);
  std::string out = name != nullptr ? name : "";
  while (out.starts_with("./") && out.size() > 2) out.erase(0, 2);
  if (out == "./" || out == ".") out.clear();
  return out;
}

ViewKind TextKind(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return ViewKind::kText;
  const char first = text[begin];
  if (first == '<') {
    const std::string_view head = text.substr(begin, 8192);
    return head.find("<svg") != std::string_view::npos ? ViewKind::kSvg : ViewKind::kXml;
  }
  if (first == '{' || first == '[') return ViewKind::kJson;
  return SniffDelimiter(text) ? ViewKind::kTable : ViewKind::kText;
}

bool AllZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t c) { return c == 0; });
}

}  // namespace

Result<> LayerDecoder::Emit(Chain chain, ViewKind kind, Unread why, Bytes bytes) {
  if (++views_ > limits_.max_views) {
    return Fail("gate.decoder_failed", "the output holds more files than allowed");
  }
  for (std::string& name : chain) {
    if (name.size() > 1024) name.resize(1024);
  }
  if (emitted_ + bytes.size() > limits_.max_total) {
    bytes.clear();
    kind = ViewKind::kUnreadable;
    why = Unread::kLimit;
  }
  emitted_ += bytes.size();
  return sink_(View{std::move(chain), kind, why, std::move(bytes)});
}

uint64_t LayerDecoder::Allowance(size_t packed) const {
  const uint64_t by_ratio =
      std::max<uint64_t>(uint64_t{1} << 20, uint64_t{limits_.max_ratio} * packed);
  return std::min(by_ratio, limits_.max_total - std::min(limits_.max_total, total_));
}

LayerDecoder::Packing LayerDecoder::Recognise(ByteView bytes) {
  if (bytes.size() >= 512 && AsText(bytes.subspan(257, 5)) == "ustar") return Packing::kTar;
  if (StartsWith(bytes, "PK\x03\x04") || StartsWith(bytes, "PK\x05\x06")) return Packing::kZip;
  if (StartsWith(bytes, "7z\xbc\xaf\x27\x1c")) return Packing::k7zip;
  if (StartsWith(bytes, "\x1f\x8b") || StartsWith(bytes, "BZh") ||
      StartsWith(bytes, std::string_view("\xfd"
                                         "7zXZ\0",
                                         6)) ||
      StartsWith(bytes, "\x28\xb5\x2f\xfd") || StartsWith(bytes, "\x04\x22\x4d\x18")) {
    return Packing::kStream;
  }
  return Packing::kNone;
}

Result<> LayerDecoder::DecodeOuter(ByteView tar) {
  if (AllZero(tar)) return {};  // an empty output
  total_ += tar.size();
  return DecodeArchive({}, tar, Packing::kTar, 0);
}

Result<> LayerDecoder::Decode(const Chain& chain, Bytes bytes, uint32_t depth) {
  const Packing packing = Recognise(bytes);
  if (packing != Packing::kNone) {
    if (depth >= limits_.max_depth) {
      return Emit(chain, ViewKind::kUnreadable, Unread::kTooDeep, {});
    }
    return packing == Packing::kStream ? DecodeStream(chain, bytes, depth)
                                       : DecodeArchive(chain, bytes, packing, depth);
  }
  if (StartsWith(bytes, "\xef\xbb\xbf")) bytes.erase(bytes.begin(), bytes.begin() + 3);
  if (IsText(bytes)) return DecodeText(chain, std::move(bytes), depth);
  auto text = Utf16ToUtf8(bytes);
  if (!text) text = Latin1ToUtf8(bytes);
  if (text) return DecodeText(chain, ToBytes(*text), depth);
  return Emit(chain, ViewKind::kBinary, Unread::kNone, std::move(bytes));
}

Unread LayerDecoder::ReadData(archive* a, uint64_t& allowance, Bytes& out) {
  Bytes buffer(size_t{64} << 10);
  for (;;) {
    const la_ssize_t n = archive_read_data(a, buffer.data(), buffer.size());
    if (n == 0) return Unread::kNone;
    if (n < 0) return Unread::kCorrupt;
    if (static_cast<uint64_t>(n) > allowance) return Unread::kLimit;
    allowance -= static_cast<uint64_t>(n);
    total_ += static_cast<uint64_t>(n);
    out.insert(out.end(), buffer.begin(), buffer.begin() + n);
  }
}

Result<> LayerDecoder::DecodeMember(const Chain& chain, archive* a, archive_entry* entry,
                                    uint64_t& allowance, uint32_t depth) {
  const std::string name = NameOf(entry);
  Chain inner = chain;
  inner.push_back(name);
  const auto type = archive_entry_filetype(entry);
  const bool link = archive_entry_hardlink(entry) != nullptr || type == AE_IFLNK;
  if (type == AE_IFDIR && !link) {
    if (name.empty()) return {};
    return GoodName(name) ? Emit(inner, ViewKind::kText, Unread::kNone, {})
                          : Emit(inner, ViewKind::kUnreadable, Unread::kBadName, {});
  }
  if (link || type != AE_IFREG) {
    const char* target = archive_entry_symlink_utf8(entry);
    return Emit(inner, ViewKind::kUnreadable, Unread::kNotRegular,
                ToBytes(std::string_view(target != nullptr ? target : "")));
  }
  if (archive_entry_is_encrypted(entry) != 0) {
    return Emit(inner, ViewKind::kUnreadable, Unread::kEncrypted, {});
  }
  if (!GoodName(name)) TRY(Emit(inner, ViewKind::kUnreadable, Unread::kBadName, {}));
  Bytes data;
  const Unread why = ReadData(a, allowance, data);
  if (why == Unread::kNone) return Decode(inner, std::move(data), depth);
  return Emit(inner, ViewKind::kUnreadable, why, std::move(data));
}

Result<> LayerDecoder::DecodeArchive(const Chain& chain, ByteView bytes, Packing packing,
                                     uint32_t depth) {
  const Archive a = NewArchive();
  if (packing == Packing::kTar) archive_read_support_format_tar(a.get());
  if (packing == Packing::kZip) archive_read_support_format_zip(a.get());
  if (packing == Packing::k7zip) archive_read_support_format_7zip(a.get());
  if (!a || archive_read_open_memory(a.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    return Emit(chain, ViewKind::kUnreadable, Unread::kCorrupt, {});
  }
  uint64_t allowance = packing == Packing::kTar
                           ? limits_.max_total - std::min(limits_.max_total, total_)
                           : Allowance(bytes.size());
  const uint64_t allowed = allowance;
  uint64_t members = 0;
  std::set<std::string> names;
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(a.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
      return Emit(chain, ViewKind::kUnreadable, Unread::kCorrupt, {});
    }
    ++members;
    if (!names.insert(NameOf(entry)).second) {
      Chain inner = chain;
      inner.push_back(NameOf(entry));
      TRY(Emit(inner, ViewKind::kUnreadable, Unread::kBadName, {}));
    }
    TRY(DecodeMember(chain, a.get(), entry, allowance, depth + 1));
    if (allowance == 0) return Emit(chain, ViewKind::kUnreadable, Unread::kLimit, {});
  }
  // A tar ends in zero blocks; whatever stands behind them was listed by nobody. Other archives may
  // spend some bytes on headers; more than that is a hiding place.
  if (packing == Packing::kTar) {
    const auto used = static_cast<uint64_t>(archive_filter_bytes(a.get(), -1));
    const uint64_t rest = std::min<uint64_t>(used, bytes.size());
    if (!AllZero(bytes.subspan(rest))) {
      return Emit(chain, ViewKind::kUnreadable, Unread::kTrailing, ToBytes(bytes.subspan(rest)));
    }
  } else {
    const uint64_t data = allowed - allowance;
    const uint64_t room = data + data / 64 + 4096 + members * 512;
    if (bytes.size() > room) {
      return Emit(chain, ViewKind::kUnreadable, Unread::kTrailing, ToBytes(bytes));
    }
  }
  return {};
}

Result<> LayerDecoder::DecodeStream(const Chain& chain, ByteView bytes, uint32_t depth) {
  const Archive a = NewArchive();
  archive_read_support_filter_gzip(a.get());
  archive_read_support_filter_bzip2(a.get());
  archive_read_support_filter_xz(a.get());
  archive_read_support_filter_zstd(a.get());
  archive_read_support_filter_lz4(a.get());
  archive_read_support_format_raw(a.get());
  archive_entry* entry = nullptr;
  if (!a || archive_read_open_memory(a.get(), bytes.data(), bytes.size()) != ARCHIVE_OK ||
      archive_read_next_header(a.get(), &entry) != ARCHIVE_OK ||
      archive_filter_count(a.get()) < 2) {
    return Emit(chain, ViewKind::kUnreadable, Unread::kCorrupt, {});
  }
  // libarchive peels stacked filters by itself: their number counts as depth.
  const auto layers = static_cast<uint32_t>(archive_filter_count(a.get()) - 1);
  Chain inner = chain;
  inner.emplace_back("unpacked");
  if (depth + layers > limits_.max_depth) {
    return Emit(inner, ViewKind::kUnreadable, Unread::kTooDeep, {});
  }
  Bytes data;
  uint64_t allowance = Allowance(bytes.size());
  const Unread why = ReadData(a.get(), allowance, data);
  if (why != Unread::kNone) return Emit(inner, ViewKind::kUnreadable, why, std::move(data));
  // gzip's header may carry a name, a comment and extra bytes.
  const size_t header = GzipHeaderSize(bytes);
  if (header > 10) {
    Chain note = chain;
    note.emplace_back("gzip header");
    TRY(Decode(note, ToBytes(bytes.subspan(10, header - 10)), limits_.max_depth));
  }
  const auto used = static_cast<uint64_t>(archive_filter_bytes(a.get(), -1));
  const ByteView rest = bytes.subspan(std::min<uint64_t>(used, bytes.size()));
  if (!AllZero(rest)) {
    TRY(Emit(chain, ViewKind::kUnreadable, Unread::kTrailing, ToBytes(rest)));
  }
  return Decode(inner, std::move(data), depth + layers);
}

Result<> LayerDecoder::DecodeText(const Chain& chain, Bytes text, uint32_t depth) {
  const Bytes kept = text;
  TRY(Emit(chain, TextKind(AsText(kept)), Unread::kNone, std::move(text)));
  return DecodeBlocks(chain, AsText(kept), depth);
}

Result<> LayerDecoder::DecodeBlocks(const Chain& chain, std::string_view text, uint32_t depth) {
  return FindBlocks(text, [&](std::string_view encoding, size_t offset, Bytes bytes) -> Result<> {
    return DecodeBlock(chain, std::string(encoding) + "@" + std::to_string(offset),
                       std::move(bytes), depth);
  });
}

Result<> LayerDecoder::DecodeBlock(const Chain& chain, std::string name, Bytes bytes,
                                   uint32_t depth) {
  Chain inner = chain;
  inner.push_back(std::move(name));
  total_ += bytes.size();
  if (depth >= limits_.max_depth) {
    return Emit(inner, ViewKind::kUnreadable, Unread::kTooDeep, {});
  }
  if (total_ > limits_.max_total) return Emit(inner, ViewKind::kUnreadable, Unread::kLimit, {});
  return Decode(inner, std::move(bytes), depth + 1);
}

}  // namespace cce::gate
