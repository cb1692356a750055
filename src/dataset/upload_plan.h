// The provider's side of an upload: walks a folder (or takes one file, or what was spooled from a
// stream) in a fixed order, finds the files that the last snapshot holds already, cuts the rest
// into parts, streams each part's wire bytes, and computes the receipt's root from what was read.
// The same folder always gives the same plan, so an interrupted upload goes on from the parts that
// cced has acknowledged.
#pragma once

#include <memory>

#include "base/content_counts.h"
#include "base/file.h"
#include "dataset/part_wire.h"
#include "dataset/receipt_leaf.h"

namespace cce::dataset {

struct PlanOptions {
  uint64_t pack_target = uint64_t{16} << 20;  // small files are gathered up to this much a part
  uint64_t piece_size =
      uint64_t{32}
      << 20;  // larger files are cut; a multiple of kDigestSpan, at most kMaxObjectPlain
  uint32_t max_records = 16384;  // of one part
  uint8_t chunk_log2 = crypto::kDefaultChunkLog2;
};

class KnownFiles;

// Files that `known` lists are not sent, but referred to. All files of a size that it names are
// read and digested first.
struct Comparison {
  const KnownFiles* known = nullptr;  // null: everything is sent
  unsigned threads = 1;
  std::function<void(uint64_t bytes, bool ends_file)> progress;  // from any thread
};

// An entry that a stream gave; a file's content lies in the spool file.
struct SpooledEntry {
  std::string path;
  Attributes attributes;
  std::string target;  // of a link
  uint64_t at = 0;     // of a file's content
};

// Streams one part. Not thread-safe.
class PartReader {
 public:
  virtual ~PartReader() = default;
  virtual uint64_t wire_size() const = 0;
  // Up to out.size() wire bytes; 0 at the end. upload.file_changed names a file that is not as it
  // was at the walk; io.*.
  virtual Result<size_t> Read(std::span<uint8_t> out) = 0;
  // The part's digest, once wire_size() bytes were read.
  virtual Digest digest() const = 0;
};

// What a reader gives, for whoever takes a part where it was made. `reader` must outlive it.
ByteSource SourceOf(PartReader& reader);

class UploadPlan {
 public:
  struct Impl;  // plan_impl.h, for src/dataset alone
  // `path` is a folder or a regular file (whose name alone becomes its path). Errors name the path:
  // upload.refused_kind (device, socket, pipe), dataset.bad_link, dataset.bad_path, io.*.
  static Result<UploadPlan> Scan(const std::string& path, const PlanOptions& options = {},
                                 const Comparison& comparison = {});
  // Entries in any order; of equal paths the last one counts, folders that are not given are added.
  // Errors as above.
  static Result<UploadPlan> FromSpool(UniqueFd spool, std::vector<SpooledEntry> entries,
                                      const PlanOptions& options = {},
                                      const Comparison& comparison = {});
  UploadPlan(UploadPlan&&) noexcept;
  UploadPlan& operator=(UploadPlan&&) noexcept;
  ~UploadPlan();

  const ContentCounts& counts() const;
  uint32_t part_count() const;
  uint64_t PartPayload(uint32_t part) const;  // content bytes that are sent, for progress
  uint64_t PartSame(uint32_t part) const;     // content bytes that are referred to
  uint64_t PartSealed(uint32_t part) const;   // bytes of the object that holds its content
  uint64_t PartRecords(uint32_t part) const;
  uint64_t PartFiles(uint32_t part) const;  // files that end in this part

  // Many parts may be read at once, each by one thread. Reading a part without sending it (an
  // acknowledged part on resume) gives the digest to compare with the acknowledged one, and the
  // content digests for Root.
  Result<std::unique_ptr<PartReader>> OpenPart(uint32_t part, const DraftId& draft) const;

  // The salted Merkle root; upload.incomplete until every part was read to its end.
  Result<Digest> Root(const ReceiptSalt& salt) const;

 private:
  explicit UploadPlan(std::unique_ptr<Impl> impl);
  static Result<UploadPlan> Finish(std::unique_ptr<Impl> impl, const Comparison& comparison);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::dataset
