#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

namespace cce {
namespace {

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

constexpr std::string_view kUnfinished = ".tmp-";

std::string TemporaryBeside(const std::string& path) {
  // Uniqueness only: O_EXCL decides.
  std::random_device random;
  return path + std::string(kUnfinished) + std::to_string(random()) + std::to_string(getpid());
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::Reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error ErrnoError(std::string_view what, int error_number) {
  std::string_view code = "io.failed";
  if (error_number == ENOENT) code = "io.not_found";
  if (error_number == ENOSPC || error_number == EDQUOT) code = "io.disk_full";
  return MakeError(code, std::string(what) + ": " + std::strerror(error_number));
}

Result<> WriteAll(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return FailErrno("write", errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<> ReadExact(int fd, std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::read(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return FailErrno("read", errno);
    }
    if (n == 0) return Fail("input.malformed", "a stream ended early");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<Bytes> ReadToEnd(int fd, size_t max) {
  Bytes out;
  while (true) {
    const size_t have = out.size();
    if (have > max)
      return Fail("input.too_large", "an input exceeds " + std::to_string(max) + " bytes");
    const size_t step = std::min<size_t>(max + 1 - have, size_t{1} << 16);
    out.resize(have + step);
    const ssize_t n = ::read(fd, out.data() + have, step);
    if (n < 0 && errno == EINTR) {
      out.resize(have);
      continue;
    }
    if (n < 0) return FailErrno("read", errno);
    out.resize(have + static_cast<size_t>(n));
    if (n == 0) return out;
  }
}

Result<Bytes> ReadFile(const std::string& path, size_t max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(path, errno);
  Result<Bytes> bytes = ReadToEnd(fd.get(), max);
  if (!bytes) bytes.error().message = path + ": " + bytes.error().message;
  return bytes;
}

Result<std::string> ReadTextFile(const std::string& path, size_t max) {
  ASSIGN_OR_RETURN(const Bytes bytes, ReadFile(path, max));
  return std::string(AsText(bytes));
}

Result<SecretBytes> ReadSecretFile(const std::string& path, size_t max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(path, errno);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return FailErrno(path, errno);
  if (static_cast<size_t>(info.st_size) > max)
    return Fail("input.too_large", path + " is too large");
  SecretBytes secret(static_cast<size_t>(info.st_size));
  TRY(ReadExact(fd.get(), secret.ExposeMutable()));
  return secret;
}

Result<> WriteFileAtomic(const std::string& path, ByteView bytes, mode_t mode) {
  const std::string temporary = TemporaryBeside(path);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) return FailErrno(path, errno);
  Result<> written = WriteAll(fd.get(), bytes);
  if (written && ::fsync(fd.get()) != 0) written = FailErrno(path, errno);
  fd.Reset();
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = FailErrno(path, errno);
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return FsyncFolder(FolderOf(path));
}

Result<> RemoveUnfinished(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string path = at->path().native();
    if (at->path().filename().native().find(kUnfinished) == std::string::npos) continue;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FailErrno(path, errno);
  }
  if (error) return FailErrno(folder, error.value());
  return {};
}

Result<> FsyncFolder(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(path, errno);
  if (::fsync(fd.get()) != 0) return FailErrno(path, errno);
  return {};
}

Result<> MakeFolders(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FailErrno(path, error.value());
  if (::chmod(path.c_str(), mode) != 0) return FailErrno(path, errno);
  return {};
}

}  // namespace cce
