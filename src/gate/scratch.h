// Room on disk for what a build cannot hold in memory: files without a name, in blocks sealed with
// AES-256-GCM under a key that is made here, never leaves the process and ends with it. A block's
// nonce is the number of its file and its own, and each is written once. So the disk sees
// ciphertext alone, a changed or moved block is refused, and a crash leaves nothing: the kernel
// frees the files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "crypto/aead.h"

namespace cce::gate {

constexpr size_t kScratchBlock = size_t{64} << 10;

// Not thread-safe; outlives its files.
class Scratch {
 public:
  // `folder` must exist; empty: blocks stay in memory. Errors: crypto.*.
  static Result<std::unique_ptr<Scratch>> New(std::string folder);

  // The first failure to write, which Append does not tell: io.*, crypto.*.
  Result<> state() const;

 private:
  friend class ScratchFile;
  Scratch() = default;
  Result<UniqueFd> NewFile() const;
  Result<> WriteBlock(int fd, uint32_t file, uint64_t block, ByteView plain);
  Result<> ReadBlock(int fd, uint32_t file, uint64_t block, std::span<uint8_t> plain);

  std::string folder_;
  std::unique_ptr<crypto::Aead> aead_;
  Bytes sealed_;  // one block
  uint32_t files_ = 0;
  std::optional<Error> error_;
};

// Written front to back, then read any number of times.
class ScratchFile {
 public:
  explicit ScratchFile(Scratch& scratch);
  void Append(ByteView bytes);
  // No Append after it. Releases the memory of the last block.
  void Finish();
  uint64_t size() const { return size_; }

  // From the beginning. `file` must outlive it.
  class Reader {
   public:
    explicit Reader(const ScratchFile& file) : file_(&file) {}
    // Exactly out.size() bytes; false at the end. Errors: io.*, crypto.decrypt_failed.
    Result<bool> Read(std::span<uint8_t> out);

   private:
    const ScratchFile* file_;
    Bytes buffer_;
    ByteView rest_;
    uint64_t block_ = 0;
  };

 private:
  void Flush();
  Result<ByteView> Block(uint64_t number, Bytes& buffer) const;

  Scratch* scratch_;
  uint32_t number_;
  UniqueFd fd_;
  std::vector<Bytes> held_;  // blocks, where there is no folder
  Bytes tail_;
  uint64_t blocks_ = 0;
  uint64_t size_ = 0;
};

}  // namespace cce::gate
