#include "store/directory_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace cce::store {
namespace {

using dataset::ObjectName;

constexpr std::string_view kTemporaryPrefix = ".new-";
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string FolderOf(const ObjectName& name) { return ToHex(ByteView(name).first(1)); }
std::string PathOf(const ObjectName& name) { return FolderOf(name) + "/" + ToHex(name); }

class FileReader : public dataset::ObjectReader {
 public:
  FileReader(UniqueFd fd, uint64_t size, const ObjectName& name)
      : fd_(std::move(fd)), size_(size), name_(name) {}
  uint64_t size() const override { return size_; }
  Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    while (!out.empty()) {
      const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0) {
        if (errno == EINTR) continue;
        return FailErrno("object " + ToHex(name_), errno);
      }
      if (n == 0) return Fail("dataset.corrupt", "object " + ToHex(name_) + " ends early");
      out = out.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

 private:
  const UniqueFd fd_;
  const uint64_t size_;
  const ObjectName name_;
};

class FileWriter : public dataset::ObjectWriter {
 public:
  FileWriter(int root, UniqueFd fd, std::string temporary)
      : root_(root), fd_(std::move(fd)), temporary_(std::move(temporary)) {}
  ~FileWriter() override {
    if (!temporary_.empty()) ::unlinkat(root_, temporary_.c_str(), 0);
  }

 protected:
  Result<> DoWrite(ByteView bytes) override { return WriteAll(fd_.get(), bytes); }

  Result<> DoCommit(const ObjectName& name) override {
    if (::fsync(fd_.get()) != 0) return FailErrno("fsync of an object", errno);
    fd_.Reset();
    const std::string folder = FolderOf(name);
    if (::mkdirat(root_, folder.c_str(), 0755) == 0) {
      if (::fsync(root_) != 0) return FailErrno("fsync of the store", errno);
    } else if (errno != EEXIST) {
      return FailErrno("object folder " + folder, errno);
    }
    const std::string path = PathOf(name);
    struct stat info{};
    if (::fstatat(root_, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (::renameat(root_, temporary_.c_str(), root_, path.c_str()) != 0) {
        return FailErrno("object " + ToHex(name), errno);
      }
      temporary_.clear();
    }
    const UniqueFd parent(::openat(root_, folder.c_str(), kFolderFlags));
    if (!parent.valid() || ::fsync(parent.get()) != 0) {
      return FailErrno("fsync of object folder " + folder, errno);
    }
    return {};
  }

 private:
  const int root_;  // the store outlives its writers
  UniqueFd fd_;
  std::string temporary_;  // empty once renamed
};

// Calls `visit(name)` for every entry of `folder` below `root`, but "." and "..".
Result<> ForEachName(int root, const std::string& folder,
                     const std::function<Result<>(std::string_view)>& visit) {
  UniqueFd fd(::openat(root, folder.c_str(), kFolderFlags));
  if (!fd.valid()) return FailErrno("store folder " + folder, errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()), ::closedir);
  if (dir == nullptr) return FailErrno("store folder " + folder, errno);
  fd.Release();
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") TRY(visit(name));
  }
  if (errno != 0) return FailErrno("store folder " + folder, errno);
  return {};
}

}  // namespace

DirectoryStore::DirectoryStore(UniqueFd root, const DirectoryOptions& options)
    : root_(std::move(root)), options_(options) {}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::Open(const std::string& root,
                                                             const DirectoryOptions& options) {
  if (options.create) TRY(MakeFolders(root, 0755));
  // The root itself may be reached by a link: the operator chose it.
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(root, errno);
  return std::unique_ptr<DirectoryStore>(new DirectoryStore(std::move(fd), options));
}

Result<std::unique_ptr<dataset::ObjectReader>> DirectoryStore::Open(const ObjectName& name) {
  UniqueFd fd(
      ::openat(root_.get(), PathOf(name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT) {
      return Fail("dataset.missing_object", "object " + ToHex(name) + " is missing");
    }
    // A link in an object's place is a replaced object.
    if (errno == ELOOP) return Fail("dataset.corrupt", "object " + ToHex(name) + " is a link");
    return FailErrno("object " + ToHex(name), errno);
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return FailErrno("object " + ToHex(name), errno);
  if (!S_ISREG(info.st_mode)) {
    return Fail("dataset.corrupt", "object " + ToHex(name) + " is no file");
  }
  return std::make_unique<FileReader>(std::move(fd), static_cast<uint64_t>(info.st_size), name);
}

Result<std::unique_ptr<dataset::ObjectWriter>> DirectoryStore::NewObject(uint64_t expected_size) {
  struct statvfs space{};
  if (::fstatvfs(root_.get(), &space) != 0) return FailErrno("free space of the store", errno);
  const uint64_t free = uint64_t{space.f_bavail} * space.f_frsize;
  if (free < options_.keep_free || free - options_.keep_free < expected_size) {
    return Fail(MakeError("io.disk_full", "the ciphertext store is full")
                    .Expected(std::to_string(expected_size + options_.keep_free) + " bytes free")
                    .Found(std::to_string(free) + " bytes free"));
  }
  std::string temporary = std::string(kTemporaryPrefix) + ToHex(crypto::RandomBytes(16));
  UniqueFd fd(::openat(root_.get(), temporary.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!fd.valid()) return FailErrno("a new object", errno);
  return std::make_unique<FileWriter>(root_.get(), std::move(fd), std::move(temporary));
}

Result<> DirectoryStore::Remove(const ObjectName& name) {
  if (::unlinkat(root_.get(), PathOf(name).c_str(), 0) != 0 && errno != ENOENT) {
    return FailErrno("removing object " + ToHex(name), errno);
  }
  return {};
}

Result<> DirectoryStore::List(const std::function<Result<>(const dataset::StoredObject&)>& visit) {
  return ForEachName(root_.get(), ".", [&](std::string_view folder) -> Result<> {
    if (folder.size() != 2 || !FromHex(folder)) return {};
    const std::string prefix(folder);
    return ForEachName(root_.get(), prefix, [&](std::string_view file) -> Result<> {
      const Result<ObjectName> name = ArrayFromHex<32>(file);
      if (!name || FolderOf(*name) != folder) return {};
      struct stat info{};
      if (::fstatat(root_.get(), PathOf(*name).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return FailErrno("object " + ToHex(*name), errno);
      }
      return visit({.name = *name, .size = static_cast<uint64_t>(info.st_size)});
    });
  });
}

Result<> DirectoryStore::RemoveLeftovers() {
  return ForEachName(root_.get(), ".", [&](std::string_view name) -> Result<> {
    if (!name.starts_with(kTemporaryPrefix)) return {};
    if (::unlinkat(root_.get(), std::string(name).c_str(), 0) != 0 && errno != ENOENT) {
      return FailErrno("removing " + std::string(name), errno);
    }
    return {};
  });
}

}  // namespace cce::store
