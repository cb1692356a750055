// Reads a snapshot out of a hostile store: nothing is shown that did not authenticate, and only
// what belongs to exactly the snapshot asked for.
#pragma once

#include <map>

#include "base/page_buffer.h"
#include "base/secret.h"
#include "dataset/index.h"

namespace cce::dataset {

using EpochKeys = std::map<uint32_t, SecretBytes>;  // epoch -> DEK (32 bytes)

struct ReaderOptions {
  size_t cache_bytes = size_t{16} << 20;  // decrypted chunks kept for reads smaller than a chunk
  size_t max_open_objects = 512;          // descriptors held at once
  uint64_t max_index_bytes = uint64_t{4} << 30;
};

// A small file that lies whole in a chunk.
struct Member {
  Index::Id file = 0;
  ByteView bytes;
};

// Buffers of one reading thread, kept between reads.
struct ReadScratch {
  PageBuffer sealed;
  PageBuffer plain;
  std::vector<Member> members;
};

// Decrypted bytes of a file.
struct Stretch {
  uint64_t offset = 0;  // in the file
  ByteView bytes;
  bool Holds(uint64_t from, size_t size) const {
    return from >= offset && from + size <= offset + bytes.size();
  }
};

// Thread-safe after Open.
class SnapshotReader {
 public:
  // Errors: dataset.missing_object; dataset.corrupt (the index is damaged); dataset.wrong_snapshot
  // (the store gave another snapshot's index); dataset.wrong_key (no key given opens it);
  // dataset.bad_index; io.*. The keys are wiped as soon as the objects' own keys are derived (up to
  // 8192 objects), else kept.
  static Result<std::unique_ptr<SnapshotReader>> Open(CiphertextStore& store,
                                                      const DatasetId& dataset,
                                                      const SnapshotId& snapshot, EpochKeys keys,
                                                      const ReaderOptions& options = {});
  ~SnapshotReader();

  const Index& index() const;

  // Bytes of `file` from `offset`: out.size() of them, fewer only at the end. Errors (each names
  // the object in its message): dataset.corrupt, dataset.missing_object, dataset.not_prefetched,
  // io.*.
  Result<size_t> ReadAt(Index::Id file, uint64_t offset, std::span<uint8_t> out,
                        ReadScratch& scratch) const;

  // All that the chunk at `offset` holds of `file`: what reading one byte costs anyway (of a
  // distant store: the chunks around it, too). It lies in
  // `scratch` until that is used again; empty at the file's end. Errors as of ReadAt.
  Result<Stretch> ReadChunkAt(Index::Id file, uint64_t offset, ReadScratch& scratch) const;

  // `file` and those after it in the index that lie whole in its chunk, 64 at most; empty where it
  // lies in more than one. Valid until `scratch` is used again. Errors as of ReadAt.
  Result<std::span<const Member>> ReadMembers(Index::Id file, ReadScratch& scratch) const;

  // The objects (rows of the object table, ascending) that the entries matching `patterns` need. A
  // pattern is a path or fnmatch(3) glob ('*' does not cross '/'); a folder stands for all below
  // it. dataset.no_match names a pattern that matches nothing.
  Result<std::vector<uint32_t>> ObjectsFor(const std::vector<std::string>& patterns) const;
  uint64_t SealedBytes(const std::vector<uint32_t>& objects) const;

  // Reads `objects` whole, in order, checks their names, and holds them in memory; from then on
  // nothing is opened in the store, and what was not declared is dataset.not_prefetched. Call
  // before reading begins. dataset.too_large past `max_bytes`, before anything is read.
  Result<> Prefetch(const std::vector<uint32_t>& objects, uint64_t max_bytes);

  // Scrub: reads and authenticates one object whole, its name included.
  Result<> VerifyObject(uint32_t object) const;
  // Scrub: reads one file whole and compares its content digest.
  Result<> VerifyFile(Index::Id file) const;

 private:
  struct Impl;
  explicit SnapshotReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::dataset
