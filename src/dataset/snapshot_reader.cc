#include "dataset/snapshot_reader.h"

#include <fnmatch.h>

#include "dataset/chunk_cache.h"
#include "dataset/object_table.h"
#include "dataset/path.h"
#include "dataset/sealed_object.h"

namespace cce::dataset {
namespace {

// Ciphertext fetched at once: so much stays in the core's cache until it is decrypted.
constexpr size_t kMaxSealedRun = size_t{256} << 10;
// Where each fetch asks another process or machine: a whole request of the kernel, and of what is
// read at random more than its chunk.
constexpr size_t kDistantRun = size_t{1} << 20;
constexpr size_t kDistantStretch = size_t{256} << 10;

constexpr uint32_t kMaxMembers = 64;

// Where a byte of a file lies.
struct Place {
  Extent extent;
  uint64_t file_offset;  // of the extent's begin
};

// The index's plaintext, if the store gave exactly the snapshot asked for.
Result<Bytes> OpenIndex(CiphertextStore& store, const DatasetId& dataset,
                        const SnapshotId& snapshot, const EpochKeys& keys, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(Bytes bytes, ReadObject(store, snapshot, max_bytes));
  const bool named = TreeDigest(bytes) == snapshot;
  // Newest first: a snapshot is mostly read under its dataset's current epoch.
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    const crypto::StreamContext context = ContextOf(kIndexLabel, dataset, key->first);
    if (!KeyFits(bytes, key->second.Expose(), context)) continue;
    if (!OpenInPlace(bytes, key->second.Expose(), context)) break;
    if (named) return bytes;
    return Fail(MakeError("dataset.wrong_snapshot", "the store gave the index of another snapshot")
                    .Expected("snapshot " + ToHex(snapshot)));
  }
  if (!named) return Corrupt(snapshot, "the index's digest differs from its name");
  return Fail("dataset.wrong_key", "no key given opens the index " + ToHex(snapshot));
}

}  // namespace

struct SnapshotReader::Impl {
  Index index;
  std::unique_ptr<ObjectTable> objects;
  std::unique_ptr<ChunkCache> cache;

  const ObjectName& NameOf(uint32_t object) const { return index.objects()[object].name; }

  // Whole chunks from `chunk` on, straight into `out`.
  Result<> ReadRun(uint32_t object, const OpenObject& open, uint64_t chunk, size_t count,
                   std::span<uint8_t> out, PageBuffer& sealed) const {
    const auto [begin, first_size] = open.opener->ChunkExtent(chunk);
    const auto [last_begin, last_size] = open.opener->ChunkExtent(chunk + count - 1);
    const size_t total = last_begin + last_size - begin;
    ByteView fetched = open.reader->View(begin, total);
    if (fetched.empty()) {
      const bool distant = open.reader->distant();
      const size_t lead = distant && chunk == 0 ? begin : 0;
      const std::span<uint8_t> room = sealed.Room(lead + total);
      TRY(open.reader->ReadAt(begin - lead, room));
      if (lead > 0) TRY(objects->CheckHeader(object, room.first(lead)));
      open.fetched = true;
      fetched = room.subspan(lead);
    }
    for (uint64_t i = chunk; i < chunk + count; ++i) {
      const auto [at, size] = open.opener->ChunkExtent(i);
      const std::span<uint8_t> plain = out.first(size - crypto::kAeadTagSize);
      if (!open.opener->OpenChunk(i, fetched.subspan(at - begin, size), plain)) {
        return Corrupt(NameOf(object), "chunk " + std::to_string(i) + " does not authenticate");
      }
      out = out.subspan(plain.size());
    }
    return {};
  }

  Result<> ReadPartial(uint32_t object, const OpenObject& open, uint64_t chunk, size_t from,
                       std::span<uint8_t> out, PageBuffer& sealed) const {
    return cache->With(
        object, chunk,
        [&](Bytes& plain) {
          plain.resize(open.opener->ChunkExtent(chunk).second - crypto::kAeadTagSize);
          return ReadRun(object, open, chunk, 1, plain, sealed);
        },
        [&](ByteView plain) {
          const ByteView part = plain.subspan(from, out.size());
          std::copy(part.begin(), part.end(), out.begin());
        });
  }

  // `offset` lies inside the file.
  Place PlaceOf(Index::Id file, uint64_t offset) const {
    const uint64_t stride = index.GetExtent(file, 0).length;
    const auto row = static_cast<uint32_t>(offset / stride);
    return {index.GetExtent(file, row), row * stride};
  }

  // The range lies inside the object: Index::Parse has checked the extents.
  Result<> ReadObjectRange(uint32_t object, uint64_t at, std::span<uint8_t> out,
                           PageBuffer& sealed) const {
    ASSIGN_OR_RETURN(const std::shared_ptr<const OpenObject> open, objects->Get(object));
    const size_t chunk_size = open->opener->chunk_size();
    const size_t run = open->reader->distant() ? kDistantRun : kMaxSealedRun;
    const size_t most = std::max<size_t>(run / chunk_size, 1);
    while (!out.empty()) {
      const uint64_t chunk = at / chunk_size;
      const size_t from = at % chunk_size;
      const size_t whole = from == 0 ? std::min(out.size() / chunk_size, most) : 0;
      size_t done = whole * chunk_size;
      if (whole > 0) {
        TRY(ReadRun(object, *open, chunk, whole, out.first(done), sealed));
      } else {
        done = std::min(out.size(), chunk_size - from);
        TRY(ReadPartial(object, *open, chunk, from, out.first(done), sealed));
      }
      out = out.subspan(done);
      at += done;
    }
    return {};
  }
};

SnapshotReader::SnapshotReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotReader::~SnapshotReader() = default;

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::Open(CiphertextStore& store,
                                                             const DatasetId& dataset,
                                                             const SnapshotId& snapshot,
                                                             EpochKeys keys,
                                                             const ReaderOptions& options) {
  ASSIGN_OR_RETURN(Bytes plain, OpenIndex(store, dataset, snapshot, keys, options.max_index_bytes));
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(impl->index, Index::Parse(std::move(plain), dataset));
  ASSIGN_OR_RETURN(impl->objects, ObjectTable::New(store, impl->index, dataset, std::move(keys),
                                                   options.max_open_objects));
  impl->cache = std::make_unique<ChunkCache>(options.cache_bytes >> crypto::kDefaultChunkLog2);
  return std::unique_ptr<SnapshotReader>(new SnapshotReader(std::move(impl)));
}

const Index& SnapshotReader::index() const { return impl_->index; }

Result<size_t> SnapshotReader::ReadAt(Index::Id file, uint64_t offset, std::span<uint8_t> out,
                                      ReadScratch& scratch) const {
  const Index& index = impl_->index;
  const uint64_t size = index.GetAttributes(file).size;
  if (index.ExtentCount(file) == 0 || offset >= size) return 0;
  out = out.first(std::min<uint64_t>(out.size(), size - offset));
  const size_t total = out.size();
  while (!out.empty()) {
    const auto [extent, begin] = impl_->PlaceOf(file, offset);
    const uint64_t from = offset - begin;
    const size_t n = std::min<uint64_t>(out.size(), extent.length - from);
    TRY(impl_->ReadObjectRange(extent.object, extent.offset + from, out.first(n), scratch.sealed));
    out = out.subspan(n);
    offset += n;
  }
  return total;
}

Result<Stretch> SnapshotReader::ReadChunkAt(Index::Id file, uint64_t offset,
                                            ReadScratch& scratch) const {
  const Index& index = impl_->index;
  if (index.ExtentCount(file) == 0 || offset >= index.GetAttributes(file).size) return Stretch{};
  const auto [extent, begin] = impl_->PlaceOf(file, offset);
  ASSIGN_OR_RETURN(const auto open, impl_->objects->Get(extent.object));
  const size_t chunk_size = open->opener->chunk_size();
  uint64_t chunk = (extent.offset + offset - begin) / chunk_size;
  uint64_t count = 1;
  // The first read of an object stays one request: of more, JuiceFS takes it that the object is
  // read in order, and reads some mebibytes ahead, for nothing where it is soon closed for others.
  if (open->reader->distant() && open->fetched) {
    const uint64_t most = std::max<uint64_t>(kDistantStretch / chunk_size, 1);
    chunk = chunk / most * most;
    count = std::min(most, open->opener->chunk_count() - chunk);
  }
  const size_t tags = count * crypto::kAeadTagSize;
  const auto [last_begin, last_size] = open->opener->ChunkExtent(chunk + count - 1);
  const std::span<uint8_t> plain =
      scratch.plain.Room(last_begin + last_size - open->opener->ChunkExtent(chunk).first - tags);
  TRY(impl_->ReadRun(extent.object, *open, chunk, count, plain, scratch.sealed));
  // In the object's plaintext: where the chunks begin, and what of them is the file's.
  const uint64_t chunk_begin = chunk * chunk_size;
  const uint64_t first = std::max<uint64_t>(chunk_begin, extent.offset);
  const uint64_t last =
      std::min<uint64_t>(chunk_begin + plain.size(), uint64_t{extent.offset} + extent.length);
  return Stretch{.offset = begin + first - extent.offset,
                 .bytes = plain.subspan(first - chunk_begin, last - first)};
}

Result<std::span<const Member>> SnapshotReader::ReadMembers(Index::Id file,
                                                            ReadScratch& scratch) const {
  const Index& index = impl_->index;
  scratch.members.clear();
  if (index.ExtentCount(file) != 1) return std::span<const Member>();
  const Extent asked = index.GetExtent(file, 0);
  ASSIGN_OR_RETURN(const auto open, impl_->objects->Get(asked.object));
  const uint64_t chunk_size = open->opener->chunk_size();
  const uint64_t chunk = asked.offset / chunk_size;
  const auto lies_within = [&](const Extent& extent) {
    return extent.object == asked.object && extent.offset / chunk_size == chunk &&
           (uint64_t{extent.offset} + extent.length - 1) / chunk_size == chunk;
  };
  if (!lies_within(asked)) return std::span<const Member>();
  const std::span<uint8_t> plain =
      scratch.plain.Room(open->opener->ChunkExtent(chunk).second - crypto::kAeadTagSize);
  TRY(impl_->ReadPartial(asked.object, *open, chunk, 0, plain, scratch.sealed));
  const Index::Id end = file + std::min(kMaxMembers, index.size() - file);
  for (Index::Id id = file; id < end && index.ExtentCount(id) == 1; ++id) {
    const Extent extent = index.GetExtent(id, 0);
    if (!lies_within(extent)) break;
    scratch.members.push_back(
        {id, plain.subspan(extent.offset - chunk * chunk_size, extent.length)});
  }
  return scratch.members;
}

Result<std::vector<uint32_t>> SnapshotReader::ObjectsFor(
    const std::vector<std::string>& patterns) const {
  const Index& index = impl_->index;
  std::vector<bool> needed(index.objects().size());
  const auto need = [&](Index::Id top) {
    for (Index::Id id = top; id < index.SubtreeEnd(top); ++id) {
      for (uint32_t i = 0; i < index.ExtentCount(id); ++i) {
        needed[index.GetExtent(id, i).object] = true;
      }
    }
  };
  for (const std::string& pattern : patterns) {
    bool matched = false;
    if (const auto exact = index.Find(pattern); exact && *exact != Index::kRoot) {
      need(*exact);
      continue;
    }
    for (Index::Id id = 1; id < index.size();) {
      if (::fnmatch(pattern.c_str(), index.Path(id).c_str(), FNM_PATHNAME) != 0) {
        ++id;
        continue;
      }
      matched = true;
      need(id);
      id = index.SubtreeEnd(id);
    }
    if (!matched) {
      return Fail("dataset.no_match",
                  "'" + ShowPath(pattern) + "' matches nothing in the snapshot");
    }
  }
  std::vector<uint32_t> objects;
  for (uint32_t i = 0; i < needed.size(); ++i) {
    if (needed[i]) objects.push_back(i);
  }
  return objects;
}

uint64_t SnapshotReader::SealedBytes(const std::vector<uint32_t>& objects) const {
  uint64_t sum = 0;
  for (const uint32_t object : objects) sum += impl_->index.objects()[object].sealed_size;
  return sum;
}

Result<> SnapshotReader::Prefetch(const std::vector<uint32_t>& objects, uint64_t max_bytes) {
  if (SealedBytes(objects) > max_bytes) {
    return Fail(MakeError("dataset.too_large", "the declared files do not fit the memory set aside")
                    .Expected("at most " + std::to_string(max_bytes) + " bytes")
                    .Found(std::to_string(SealedBytes(objects)) + " bytes"));
  }
  return impl_->objects->Prefetch(objects);
}

Result<> SnapshotReader::VerifyObject(uint32_t object) const {
  const ObjectName& name = impl_->NameOf(object);
  ASSIGN_OR_RETURN(const auto open, impl_->objects->OpenFromStore(object));
  TreeDigester digest;
  TRY(ForEachSlice(*open->reader, [&](ByteView slice) -> Result<> {
    digest.Update(slice);
    return {};
  }));
  if (digest.Finish() != name) return Corrupt(name, "its digest differs from its name");
  ReadScratch scratch;
  for (uint64_t chunk = 0; chunk < open->opener->chunk_count(); ++chunk) {
    const size_t size = open->opener->ChunkExtent(chunk).second - crypto::kAeadTagSize;
    TRY(impl_->ReadRun(object, *open, chunk, 1, scratch.plain.Room(size), scratch.sealed));
  }
  return {};
}

Result<> SnapshotReader::VerifyFile(Index::Id file) const {
  const Index& index = impl_->index;
  if (index.GetAttributes(file).type != EntryType::kFile) return {};
  TreeDigester digest;
  ReadScratch scratch;
  Bytes buffer(size_t{1} << 20);
  for (uint64_t offset = 0; offset < index.GetAttributes(file).size;) {
    ASSIGN_OR_RETURN(const size_t n, ReadAt(file, offset, buffer, scratch));
    digest.Update(ByteView(buffer).first(n));
    offset += n;
  }
  if (digest.Finish() == index.ContentDigest(file)) return {};
  return Fail("dataset.corrupt", "the content of '" + ShowPath(index.Path(file)) +
                                     "' differs from its digest in the index");
}

}  // namespace cce::dataset
