#include "dataset/known_files.h"

namespace cce::dataset {
namespace {

constexpr std::string_view kMagic = "CCEK";
constexpr uint32_t kVersion = uint32_t{1} << 24;
constexpr std::string_view kTagLabel = "cce4long/v1/known-file";
constexpr size_t kSlice = size_t{64} << 10;

}  // namespace

SecretBytes KnownFilesKey(ByteView dek, const DatasetId& dataset, const DraftId& draft,
                          const SnapshotId& base) {
  return crypto::Hkdf(dek, {}, kKnownFilesLabel, {dataset, draft, base}, 32);
}

KnownTag TagOf(ByteView key, uint64_t size, const Digest& digest) {
  Bytes size_bytes;
  AppendU64(size_bytes, size);
  const auto mac = crypto::HmacSha256(key, Frame(kTagLabel, {size_bytes, digest}));
  KnownTag tag;
  std::copy_n(mac.begin(), tag.size(), tag.begin());
  return tag;
}

Result<> WriteKnownFiles(IndexScan& index, const SnapshotId& base, uint32_t epoch, ByteView key,
                         const std::function<Result<>(ByteView)>& sink) {
  Bytes out = ToBytes(kMagic);
  AppendU32(out, kVersion);
  Append(out, base);
  TRY(index.ForEachFile([&](const ScannedFile& file) -> Result<> {
    for (const Extent& extent : file.extents) {
      if (index.objects()[extent.object].epoch != epoch) return {};
    }
    AppendU64(out, file.size);
    AppendU32(out, file.entry);
    Append(out, TagOf(key, file.size, file.digest));
    if (out.size() < kSlice) return {};
    TRY(sink(out));
    out.clear();
    return {};
  }));
  return sink(out);
}

Result<KnownFiles> KnownFiles::Parse(ByteView list, SecretBytes key) {
  ByteReader reader(list);
  ASSIGN_OR_RETURN(const ByteView magic, reader.Take(kMagic.size()));
  ASSIGN_OR_RETURN(const uint32_t version, reader.U32());
  if (AsText(magic) != kMagic || version != kVersion) {
    return Fail("input.malformed", "no list of known files");
  }
  KnownFiles known;
  known.key_ = std::move(key);
  ASSIGN_OR_RETURN(const ByteView base, reader.Take(known.base_.size()));
  std::copy(base.begin(), base.end(), known.base_.begin());
  known.entries_.reserve(reader.Remaining() / kKnownFileSize);
  while (reader.Remaining() > 0) {
    ASSIGN_OR_RETURN(const uint64_t size, reader.U64());
    ASSIGN_OR_RETURN(const uint32_t entry, reader.U32());
    KnownTag tag;
    ASSIGN_OR_RETURN(const ByteView bytes, reader.Take(tag.size()));
    std::copy(bytes.begin(), bytes.end(), tag.begin());
    known.sizes_.insert(size);
    // Of equal contents the first entry serves: its pack is read anyway by who reads in order.
    known.entries_.emplace(tag, entry);
  }
  return known;
}

std::optional<uint32_t> KnownFiles::Find(uint64_t size, const Digest& digest) const {
  const auto it = entries_.find(TagOf(key_.Expose(), size, digest));
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

}  // namespace cce::dataset
