#include "gate/scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "crypto/hash.h"

namespace cce::gate {
namespace {

constexpr uint64_t kSealedBlock = kScratchBlock + crypto::kAeadTagSize;

Bytes NonceOf(uint32_t file, uint64_t block) {
  Bytes nonce;
  AppendU32(nonce, file);
  AppendU64(nonce, block);
  return nonce;
}

Result<> PreadExact(int fd, uint64_t offset, std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("read scratch", errno);
    if (n == 0) return Fail("io.failed", "a scratch file ends early");
    out = out.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Scratch>> Scratch::New(std::string folder) {
  std::unique_ptr<Scratch> scratch(new Scratch());
  scratch->folder_ = std::move(folder);
  ASSIGN_OR_RETURN(scratch->aead_,
                   crypto::NewAead(crypto::RandomSecret(crypto::kAeadKeySize).Expose()));
  return scratch;
}

Result<> Scratch::state() const {
  if (error_) return Unexpected(*error_);
  return {};
}

Result<UniqueFd> Scratch::NewFile() const {
  UniqueFd fd(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return FailErrno("make a scratch file in " + folder_, errno);
  return fd;
}

Result<> Scratch::WriteBlock(int fd, uint32_t file, uint64_t block, ByteView plain) {
  sealed_.resize(plain.size() + crypto::kAeadTagSize);
  TRY(aead_->Seal(NonceOf(file, block), {}, plain, sealed_));
  return WriteAll(fd, sealed_);
}

Result<> Scratch::ReadBlock(int fd, uint32_t file, uint64_t block, std::span<uint8_t> plain) {
  sealed_.resize(plain.size() + crypto::kAeadTagSize);
  TRY(PreadExact(fd, block * kSealedBlock, sealed_));
  return aead_->Open(NonceOf(file, block), {}, sealed_, plain);
}

ScratchFile::ScratchFile(Scratch& scratch) : scratch_(&scratch), number_(scratch.files_++) {}

void ScratchFile::Append(ByteView bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (tail_.capacity() < kScratchBlock) tail_.reserve(kScratchBlock);
    const size_t n = std::min(bytes.size(), kScratchBlock - tail_.size());
    cce::Append(tail_, bytes.first(n));
    bytes = bytes.subspan(n);
    if (tail_.size() == kScratchBlock) Flush();
  }
}

void ScratchFile::Finish() {
  if (!tail_.empty()) Flush();
  tail_ = Bytes();
}

void ScratchFile::Flush() {
  const auto write = [&]() -> Result<> {
    if (!fd_.valid()) {
      ASSIGN_OR_RETURN(fd_, scratch_->NewFile());
    }
    return scratch_->WriteBlock(fd_.get(), number_, blocks_, tail_);
  };
  if (scratch_->folder_.empty()) {
    held_.push_back(tail_);
  } else if (!scratch_->error_) {
    if (Result<> written = write(); !written) scratch_->error_ = std::move(written.error());
  }
  ++blocks_;
  tail_.clear();
}

Result<ByteView> ScratchFile::Block(uint64_t number, Bytes& buffer) const {
  TRY(scratch_->state());
  if (number >= blocks_) return ByteView(tail_);
  if (scratch_->folder_.empty()) return ByteView(held_[number]);
  buffer.resize(std::min<uint64_t>(kScratchBlock, size_ - number * kScratchBlock));
  TRY(scratch_->ReadBlock(fd_.get(), number_, number, buffer));
  return ByteView(buffer);
}

Result<bool> ScratchFile::Reader::Read(std::span<uint8_t> out) {
  while (!out.empty()) {
    if (rest_.empty()) {
      if (block_ * kScratchBlock >= file_->size_) return false;
      ASSIGN_OR_RETURN(rest_, file_->Block(block_++, buffer_));
    }
    const size_t n = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), n, out.begin());
    rest_ = rest_.subspan(n);
    out = out.subspan(n);
  }
  return true;
}

}  // namespace cce::gate
