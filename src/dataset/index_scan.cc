#include "dataset/index_scan.h"

#include "dataset/index_format.h"
#include "dataset/sealed_object.h"

namespace cce::dataset {
namespace {

// Every so many entries the place of one is noted; between them entries are skipped through.
constexpr uint32_t kSampleStep = 64;
constexpr size_t kFileHead = 8 + 32 + 4;  // size, digest, number of extents

Unexpected BadIndex(std::string what) { return Fail("dataset.bad_index", std::move(what)); }

// The plaintext of a sealed object at any place, by way of the chunk read last.
class PlainView {
 public:
  PlainView(std::unique_ptr<ObjectReader> object, std::unique_ptr<crypto::StreamOpener> opener,
            const ObjectName& name)
      : object_(std::move(object)), opener_(std::move(opener)), name_(name) {}
  ~PlainView() { Wipe(plain_); }
  PlainView(const PlainView&) = delete;
  PlainView& operator=(const PlainView&) = delete;

  uint64_t size() const { return opener_->plain_size(); }

  Result<> Read(uint64_t at, std::span<uint8_t> out) {
    if (at > size() || out.size() > size() - at) return BadIndex("an entry is cut off");
    while (!out.empty()) {
      TRY(Load(at / opener_->chunk_size()));
      const ByteView rest = ByteView(plain_).subspan(at % opener_->chunk_size());
      const size_t n = std::min(rest.size(), out.size());
      std::copy_n(rest.begin(), n, out.begin());
      out = out.subspan(n);
      at += n;
    }
    return {};
  }

 private:
  Result<> Load(uint64_t chunk) {
    if (chunk == loaded_) return {};
    const auto [offset, size] = opener_->ChunkExtent(chunk);
    sealed_.resize(size);
    plain_.resize(size - crypto::kAeadTagSize);
    loaded_ = UINT64_MAX;
    TRY(object_->ReadAt(offset, sealed_));
    if (!opener_->OpenChunk(chunk, sealed_, plain_)) {
      return Corrupt(name_, "chunk " + std::to_string(chunk) + " does not authenticate");
    }
    loaded_ = chunk;
    return {};
  }

  std::unique_ptr<ObjectReader> object_;
  std::unique_ptr<crypto::StreamOpener> opener_;
  ObjectName name_;
  uint64_t loaded_ = UINT64_MAX;
  Bytes sealed_;
  Bytes plain_;
};

// The stream header of the object, if all of its bytes have the digest that is its name.
Result<Bytes> CheckedHeader(const ObjectReader& object, const ObjectName& name) {
  TreeDigester digest;
  Bytes header;
  TRY(ForEachSlice(object, [&](ByteView slice) -> Result<> {
    if (header.empty())
      header = ToBytes(slice.first(std::min(slice.size(), crypto::kStreamHeaderSize)));
    digest.Update(slice);
    return {};
  }));
  if (digest.Finish() != name) return Corrupt(name, "the index's digest differs from its name");
  return header;
}

}  // namespace

struct IndexScan::Impl {
  PlainView plain;
  std::vector<IndexObject> objects;
  uint64_t entry_count = 0;
  uint64_t entries_end = 0;
  std::vector<uint64_t> samples = {kIndexHeaderSize};  // of entries 0, 64, 128 ..
  uint64_t next = 0;                                   // the entry that stands at `at`
  uint64_t at = kIndexHeaderSize;

  Result<> ReadFrame(const DatasetId& dataset) {
    if (plain.size() < kIndexHeaderSize + kIndexFooterSize) return BadIndex("too short");
    ByteArray<kIndexHeaderSize> header;
    TRY(plain.Read(0, header));
    const ByteView id = ByteView(header).last(dataset.size());
    if (AsText(ByteView(header).first(4)) != kIndexMagic || header[4] != kIndexVersion ||
        !Equal(id, dataset)) {
      return BadIndex("unknown magic or version, or another dataset");
    }
    ByteArray<16> counts;
    TRY(plain.Read(plain.size() - kIndexFooterSize, counts));
    entry_count = ReadU64(counts.data());
    return ReadObjects(ReadU64(&counts[8]));
  }

  Result<> ReadObjects(uint64_t count) {
    const uint64_t room = plain.size() - kIndexHeaderSize - kIndexFooterSize;
    if (count > room / kIndexObjectSize) return BadIndex("the object table does not fit");
    entries_end = plain.size() - kIndexFooterSize - count * kIndexObjectSize;
    objects.resize(count);
    for (uint64_t i = 0; i < count; ++i) {
      ByteArray<kIndexObjectSize> row;
      TRY(plain.Read(entries_end + i * kIndexObjectSize, row));
      IndexObject& object = objects[i];
      std::copy_n(row.begin(), 32, object.name.begin());
      std::copy_n(row.begin() + 32, 48, object.header.begin());
      object.sealed_size = ReadU64(&row[80]);
      object.epoch = ReadU32(&row[88]);
    }
    return {};
  }

  // Reads the entry at `at` and goes on to the next. nullopt: no file.
  Result<std::optional<ScannedFile>> Step() {
    if (next % kSampleStep == 0 && next / kSampleStep == samples.size()) samples.push_back(at);
    const auto entry = static_cast<uint32_t>(next++);
    ByteArray<kIndexEntryHead> head;
    TRY(plain.Read(at, head));
    at += kIndexEntryHead + head[13];
    switch (static_cast<EntryType>(head[0])) {
      case EntryType::kFolder:
        return std::nullopt;
      case EntryType::kLink: {
        ByteArray<2> size;
        TRY(plain.Read(at, size));
        at += 2 + 32 + ReadU16(size.data());
        return std::nullopt;
      }
      case EntryType::kFile:
        return StepFile(entry);
    }
    return BadIndex("an entry of an unknown type");
  }

  Result<std::optional<ScannedFile>> StepFile(uint32_t entry) {
    ByteArray<kFileHead> fixed;
    TRY(plain.Read(at, fixed));
    at += kFileHead;
    ScannedFile file{.entry = entry, .size = ReadU64(fixed.data())};
    std::copy_n(fixed.begin() + 8, 32, file.digest.begin());
    const uint64_t count = ReadU32(&fixed[40]);
    if (at > entries_end || count > (entries_end - at) / kIndexExtentSize) {
      return BadIndex("an entry is cut off");
    }
    file.extents.resize(count);
    for (Extent& extent : file.extents) {
      ByteArray<kIndexExtentSize> raw;
      TRY(plain.Read(at, raw));
      at += kIndexExtentSize;
      extent = {ReadU32(raw.data()), ReadU32(&raw[4]), ReadU32(&raw[8])};
      if (extent.object >= objects.size()) return BadIndex("an extent in no object");
    }
    return file;
  }

  // Puts `at` to the entry.
  Result<> Seek(uint32_t entry) {
    const uint64_t sample = std::min<uint64_t>(entry / kSampleStep, samples.size() - 1);
    if (entry < next || sample * kSampleStep > next) {
      next = sample * kSampleStep;
      at = samples[sample];
    }
    while (next < entry) TRY(Step());
    return {};
  }
};

IndexScan::IndexScan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IndexScan::~IndexScan() = default;

Result<std::unique_ptr<IndexScan>> IndexScan::Open(CiphertextStore& store, const DatasetId& dataset,
                                                   uint32_t epoch, ByteView dek,
                                                   const SealedIndex& index) {
  ASSIGN_OR_RETURN(auto object, store.Open(index.snapshot));
  if (object->size() != index.sealed_size) return Corrupt(index.snapshot, "another size");
  ASSIGN_OR_RETURN(const Bytes header, CheckedHeader(*object, index.snapshot));
  auto opener = crypto::StreamOpener::New(dek, ContextOf(kIndexLabel, dataset, epoch), header,
                                          object->size());
  if (!opener) {
    return Fail("dataset.wrong_key",
                "the epoch's key does not open the index " + ToHex(index.snapshot));
  }
  auto impl = std::unique_ptr<Impl>(
      new Impl{.plain = {std::move(object), std::move(*opener), index.snapshot}});
  TRY(impl->ReadFrame(dataset));
  return std::unique_ptr<IndexScan>(new IndexScan(std::move(impl)));
}

const std::vector<IndexObject>& IndexScan::objects() const { return impl_->objects; }

Result<> IndexScan::ForEachFile(const std::function<Result<>(const ScannedFile&)>& visit) {
  TRY(impl_->Seek(0));
  while (impl_->next < impl_->entry_count) {
    ASSIGN_OR_RETURN(const std::optional<ScannedFile> file, impl_->Step());
    if (file && file->size > 0) TRY(visit(*file));
  }
  return {};
}

Result<std::optional<ScannedFile>> IndexScan::File(uint32_t entry) {
  if (entry >= impl_->entry_count) return std::nullopt;
  TRY(impl_->Seek(entry));
  return impl_->Step();
}

}  // namespace cce::dataset
