// Files, descriptors and their errors.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce {

// Owns a descriptor; closes it once.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

// io.not_found, io.disk_full or io.failed from errno, with what was done and the system's reason.
Error ErrnoError(std::string_view what, int error_number);
inline Unexpected FailErrno(std::string_view what, int error_number) {
  return Unexpected(ErrnoError(what, error_number));
}

// Whole files. Errors: io.*, input.too_large past `max` bytes.
Result<Bytes> ReadFile(const std::string& path, size_t max);
Result<std::string> ReadTextFile(const std::string& path, size_t max);
Result<SecretBytes> ReadSecretFile(const std::string& path, size_t max);

// Writes a temporary file beside `path`, fsyncs it and its folder, renames it: readers see the old
// bytes or the new ones, never a part.
Result<> WriteFileAtomic(const std::string& path, ByteView bytes, mode_t mode = 0644);

// Removes what killed writers of files in this folder have left. Only while nobody writes there.
Result<> RemoveUnfinished(const std::string& folder);

// All bytes, through short writes and EINTR.
Result<> WriteAll(int fd, ByteView bytes);
// Exactly bytes.size() bytes; input.malformed at an early end.
Result<> ReadExact(int fd, std::span<uint8_t> bytes);
// Up to `max` bytes until the end; input.too_large past it.
Result<Bytes> ReadToEnd(int fd, size_t max);

Result<> FsyncFolder(const std::string& path);
Result<> MakeFolders(const std::string& path, mode_t mode = 0755);

}  // namespace cce
