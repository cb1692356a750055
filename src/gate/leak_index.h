// The leak index of one dataset snapshot: what the gate must know of the data to recognise it in an
// output, in keyed hashes. It holds whole-record hashes, postings of informative cells (value ->
// rows) with their frequencies, one signature byte per cell, and winnowed shingles of all bytes
// (Schleimer, Wilkerson, Aiken 2003). Cost of use grows with the output.
//
// It is confidential: under its key it is a dictionary to test guesses with. The caller derives the
// key (HKDF, dataset and snapshot in the label), seals the bytes that Finish writes, and opens them
// only where outputs are reviewed. Neither building nor use holds the index in memory: it may be
// larger.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::gate {

constexpr size_t kLeakKeySize = 32;

// Reads on: fills up to buffer.size() bytes, returns how many; 0 is the end.
using ByteSource = std::function<Result<size_t>(std::span<uint8_t> buffer)>;

// Takes bytes, front to back.
using ByteSink = std::function<Result<>(ByteView bytes)>;

struct LeakIndexOptions {
  // Where the builder puts what it cannot hold: nameless files, sealed under a key of this build,
  // of some 2.5 times `max_index` at most. Empty: it all stays in memory.
  std::string scratch_folder;
  // Of the builder's buffers, bytes. Besides: 64 KiB for each run that is merged (about max_index /
  // memory of them), a sample of rows (12 MiB at most), and the columns' names.
  uint64_t memory = uint64_t{32} << 20;
  // Size of what is kept, bytes, before it is packed. Past it the builder thins (rows and shingles
  // by halves, evenly): a leak of many records is still seen, of few perhaps not; Stats tell.
  uint64_t max_index = uint64_t{1} << 30;
};

struct LeakIndexStats {
  uint64_t files = 0;
  uint64_t tables = 0;  // files read as CSV, TSV or JSON lines
  uint64_t bytes = 0;
  uint64_t rows = 0;
  uint32_t columns = 0;           // of all tables together
  uint32_t row_thinning = 0;      // kept: one row in 2^n
  uint32_t shingle_thinning = 0;  // kept: one fingerprint in 2^n
  uint64_t keys = 0, postings = 0, shingles = 0;
};

class LeakIndex;

// Not thread-safe. Order of AddFile calls does not change what is found (only the row numbers
// shown).
class LeakIndexBuilder {
 public:
  // `key` of 32 bytes. Errors: crypto.bad_key.
  static Result<LeakIndexBuilder> New(ByteView key, const LeakIndexOptions& options = {});
  LeakIndexBuilder(LeakIndexBuilder&&) noexcept;
  LeakIndexBuilder& operator=(LeakIndexBuilder&&) noexcept;
  ~LeakIndexBuilder();

  // Streams one plaintext file in. A file that is no table is indexed by its bytes alone. Errors:
  // those of `source`, and of the scratch folder (io.*); the builder is then unusable.
  Result<> AddFile(std::string_view path, const ByteSource& source);
  // Writes the index: docs/formats/gate.md, "Leak index". Not secret from the key's holder, never
  // to be stored in the clear. Call once, last. Errors: those of `sink`, io.*.
  Result<LeakIndexStats> Finish(const ByteSink& sink);

  struct Impl;

 private:
  explicit LeakIndexBuilder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The index's bytes, wherever they lie. Thread-safe.
class IndexSource {
 public:
  virtual ~IndexSource() = default;
  virtual uint64_t size() const = 0;
  // Exactly out.size() bytes, within size().
  virtual Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const = 0;
};

// Immutable, safe to use from many threads. Holds the tables' descriptions and a directory; the
// rest is read as it is looked up (leak_lookup.h).
class LeakIndex {
 public:
  LeakIndex(LeakIndex&&) noexcept;
  LeakIndex& operator=(LeakIndex&&) noexcept;
  ~LeakIndex();

  // Checks every size, order and range; those of a page when it is read. `key` must be the
  // builder's. Errors: gate.index_corrupt, gate.index_version, gate.index_key, crypto.bad_key,
  // those of `source`.
  static Result<LeakIndex> Open(ByteView key, std::shared_ptr<const IndexSource> source);

  LeakIndexStats stats() const;

  struct Data;
  const Data& data() const { return *data_; }
  explicit LeakIndex(std::unique_ptr<Data> data);

 private:
  std::unique_ptr<Data> data_;
};

}  // namespace cce::gate
