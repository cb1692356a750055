#include "store/directory_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "store/juicefs.h"

namespace cce::store {
namespace {

using dataset::ObjectName;

constexpr std::string_view kTemporaryPrefix = ".new-";
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string FolderOf(const ObjectName& name) { return ToHex(ByteView(name).first(1)); }
std::string PathOf(const ObjectName& name) { return FolderOf(name) + "/" + ToHex(name); }

using Root = std::shared_ptr<const UniqueFd>;
using Guard = std::shared_ptr<const CallGuard>;

// The file system's end of a mount is gone or does not do its work, as JuiceFS and the kernel say
// it.
bool IsMountError(int error) {
  return error == EIO || error == ENOTCONN || error == ETIMEDOUT || error == ECONNABORTED ||
         error == ENODEV || error == ESTALE;
}

Unexpected FailCall(bool guarded, const std::string& what, int error) {
  if (guarded && IsMountError(error)) {
    return Fail("store.failed", what + ": " + std::strerror(error));
  }
  return FailErrno(what, error);
}

Result<> RunCall(const Guard& guard, std::function<Result<>()> call) {
  return guard ? guard->Run(std::move(call)) : call();
}

struct OpenFile {
  UniqueFd fd;
  uint64_t size = 0;
  ObjectName name{};
  bool guarded = false;
  bool distant = false;
};

// JuiceFS, or another store that a process on this machine or another one answers.
bool IsFuse(int fd) {
  struct statfs info{};
  return ::fstatfs(fd, &info) == 0 && info.f_type == FUSE_SUPER_MAGIC;
}

Result<> ReadFully(const OpenFile& file, uint64_t offset, std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::pread(file.fd.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return FailCall(file.guarded, "object " + ToHex(file.name), errno);
    }
    if (n == 0) return Fail("dataset.corrupt", "object " + ToHex(file.name) + " ends early");
    out = out.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

class FileReader : public dataset::ObjectReader {
 public:
  FileReader(std::shared_ptr<const OpenFile> file, Guard guard)
      : file_(std::move(file)), guard_(std::move(guard)) {}
  ~FileReader() override {
    if (guard_) guard_->Post([file = std::move(file_)] {});
  }
  uint64_t size() const override { return file_->size; }
  bool distant() const override { return file_->distant; }
  Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (!guard_) return ReadFully(*file_, offset, out);
    // A late call must not write into the caller's memory.
    const std::shared_ptr<uint8_t[]> bytes(new uint8_t[out.size()]);
    TRY(guard_->Run([file = file_, bytes, offset, size = out.size()] {
      return ReadFully(*file, offset, {bytes.get(), size});
    }));
    std::copy_n(bytes.get(), out.size(), out.begin());
    return {};
  }

 private:
  std::shared_ptr<const OpenFile> file_;
  const Guard guard_;
};

Result<> ExpectFree(int root, bool guarded, uint64_t bytes, uint64_t keep_free) {
  struct statvfs space{};
  if (::fstatvfs(root, &space) != 0) return FailCall(guarded, "free space of the store", errno);
  const uint64_t free = uint64_t{space.f_bavail} * space.f_frsize;
  if (free >= keep_free && free - keep_free >= bytes) return {};
  return Fail(MakeError("io.disk_full", "the ciphertext store is full")
                  .Expected(std::to_string(bytes + keep_free) + " bytes free")
                  .Found(std::to_string(free) + " bytes free"));
}

// A file on its way to its name. Ends with the last call on it.
struct NewFile {
  ~NewFile() {
    fd.Reset();
    if (!temporary.empty()) ::unlinkat(root->get(), temporary.c_str(), 0);
  }
  Result<> Write(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd.get(), bytes.data(), bytes.size());
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno == EINVAL && direct) {  // blocks larger than ours
          SetDirect(false);
          continue;
        }
        return FailCall(guarded, "writing an object", errno);
      }
      bytes = bytes.subspan(static_cast<size_t>(n));
      // A short write leaves its rest where no block begins.
      if (direct && !bytes.empty()) SetDirect(false);
    }
    return {};
  }
  // Whether writes pass by the page cache: a wish. Off for good once it did not work.
  void SetDirect(bool wanted) {
    if (wanted == direct || (wanted && refused)) return;
    const bool set = ::fcntl(fd.get(), F_SETFL, wanted ? O_DIRECT : 0) == 0;
    if (set) direct = wanted;
    refused = !set || !wanted;
  }
  Result<> Commit(const ObjectName& name);

  Root root;
  UniqueFd fd;
  std::string temporary;  // empty once renamed
  bool guarded = false;
  bool direct = false;
  bool refused = false;
};

Result<> NewFile::Commit(const ObjectName& name) {
  const auto fail = [this](const std::string& what) { return FailCall(guarded, what, errno); };
  if (::fsync(fd.get()) != 0) return fail("fsync of an object");
  fd.Reset();
  const std::string folder = FolderOf(name);
  if (::mkdirat(root->get(), folder.c_str(), 0755) == 0) {
    if (::fsync(root->get()) != 0) return fail("fsync of the store");
  } else if (errno != EEXIST) {
    return fail("object folder " + folder);
  }
  const std::string path = PathOf(name);
  struct stat info{};
  if (::fstatat(root->get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (::renameat(root->get(), temporary.c_str(), root->get(), path.c_str()) != 0) {
      return fail("object " + ToHex(name));
    }
    temporary.clear();
  }
  const UniqueFd parent(::openat(root->get(), folder.c_str(), kFolderFlags));
  if (!parent.valid() || ::fsync(parent.get()) != 0) {
    return fail("fsync of object folder " + folder);
  }
  return {};
}

// Whole blocks go past the page cache: fresh pages of it cost more than all cryptography of an
// object does. The end, which fills no block, and file systems that cannot do so take the ordinary
// way.
class DirectWriter : public dataset::ObjectWriter {
 public:
  explicit DirectWriter(std::shared_ptr<NewFile> file) : file_(std::move(file)) {}

 protected:
  Result<> DoWrite(const Block& block, size_t size) override {
    file_->SetDirect(size == kBlockSize);
    return file_->Write({block.get(), size});
  }
  Result<> DoCommit(const ObjectName& name) override { return file_->Commit(name); }

 private:
  const std::shared_ptr<NewFile> file_;
};

class GuardedWriter : public dataset::ObjectWriter {
 public:
  GuardedWriter(std::shared_ptr<NewFile> file, Guard guard)
      : file_(std::move(file)), guard_(std::move(guard)) {}
  ~GuardedWriter() override {
    guard_->Post([file = std::move(file_)] {});
  }

 protected:
  Result<> DoWrite(const Block& block, size_t size) override {
    return guard_->Run([file = file_, block, size] { return file->Write({block.get(), size}); });
  }
  Result<> DoCommit(const ObjectName& name) override {
    return guard_->Run([file = file_, name] { return file->Commit(name); });
  }

 private:
  std::shared_ptr<NewFile> file_;
  const Guard guard_;
};

// Calls `visit(name)` for every entry of `folder` below `root`, but "." and "..".
Result<> ForEachName(int root, const std::string& folder, bool guarded,
                     const std::function<Result<>(std::string_view)>& visit) {
  UniqueFd fd(::openat(root, folder.c_str(), kFolderFlags));
  if (!fd.valid()) return FailCall(guarded, "store folder " + folder, errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()), ::closedir);
  if (dir == nullptr) return FailCall(guarded, "store folder " + folder, errno);
  fd.Release();
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") TRY(visit(name));
  }
  if (errno != 0) return FailCall(guarded, "store folder " + folder, errno);
  return {};
}

}  // namespace

DirectoryStore::DirectoryStore(UniqueFd root, bool distributed, const DirectoryOptions& options)
    : root_(std::make_shared<const UniqueFd>(std::move(root))),
      distributed_(distributed),
      options_(options) {}

size_t DirectoryStore::most_open() const {
  if (!distributed_) return SIZE_MAX;
  return options_.guard ? kJuicefsMostOpenInOrder : kJuicefsMostOpen;
}

Result<> DirectoryStore::Call(std::function<Result<>()> call) const {
  return RunCall(options_.guard, std::move(call));
}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::Open(const std::string& root,
                                                             const DirectoryOptions& options) {
  const auto fd = std::make_shared<UniqueFd>();
  const auto distributed = std::make_shared<bool>(false);
  const bool guarded = options.guard != nullptr;
  TRY(RunCall(options.guard,
              [fd, distributed, root, create = options.create, guarded]() -> Result<> {
                if (create) TRY(MakeFolders(root, 0755));
                // The root itself may be reached by a link: the operator chose it.
                *fd = UniqueFd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
                if (!fd->valid()) return FailCall(guarded, root, errno);
                *distributed = IsFuse(fd->get());
                return {};
              }));
  return std::unique_ptr<DirectoryStore>(new DirectoryStore(std::move(*fd), *distributed, options));
}

Result<std::unique_ptr<dataset::ObjectReader>> DirectoryStore::Open(const ObjectName& name) {
  const auto file = std::make_shared<OpenFile>();
  file->name = name;
  file->guarded = options_.guard != nullptr;
  TRY(Call([root = root_, file]() -> Result<> {
    const std::string what = "object " + ToHex(file->name);
    file->fd = UniqueFd(::openat(root->get(), PathOf(file->name).c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!file->fd.valid()) {
      if (errno == ENOENT) return Fail("dataset.missing_object", what + " is missing");
      // A link in an object's place is a replaced object.
      if (errno == ELOOP) return Fail("dataset.corrupt", what + " is a link");
      return FailCall(file->guarded, what, errno);
    }
    struct stat info{};
    if (::fstat(file->fd.get(), &info) != 0) return FailCall(file->guarded, what, errno);
    if (!S_ISREG(info.st_mode)) return Fail("dataset.corrupt", what + " is no file");
    file->size = static_cast<uint64_t>(info.st_size);
    // What is decrypted from it is kept by whoever reads: no need to keep the ciphertext, too.
    // Where a mount refuses, it is read as any other. With a guard, objects are read through and
    // through, for which the kernel's own reading ahead is best.
    file->distant = !file->guarded && IsFuse(file->fd.get());
    if (file->distant) (void)::fcntl(file->fd.get(), F_SETFL, O_NONBLOCK | O_DIRECT);
    return {};
  }));
  return std::make_unique<FileReader>(file, options_.guard);
}

Result<> DirectoryStore::CheckRoom(uint64_t bytes) {
  return Call(
      [root = root_, guarded = options_.guard != nullptr, bytes, keep_free = options_.keep_free] {
        return ExpectFree(root->get(), guarded, bytes, keep_free);
      });
}

Result<std::unique_ptr<dataset::ObjectWriter>> DirectoryStore::NewObject(uint64_t expected_size) {
  const auto file = std::make_shared<NewFile>();
  file->root = root_;
  file->guarded = options_.guard != nullptr;
  TRY(Call([file, expected_size, keep_free = options_.keep_free]() -> Result<> {
    TRY(ExpectFree(file->root->get(), file->guarded, expected_size, keep_free));
    const std::string temporary = std::string(kTemporaryPrefix) + ToHex(crypto::RandomBytes(16));
    file->fd = UniqueFd(::openat(file->root->get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
    if (!file->fd.valid()) return FailCall(file->guarded, "a new object", errno);
    file->temporary = temporary;
    return {};
  }));
  if (options_.guard) return std::make_unique<GuardedWriter>(file, options_.guard);
  return std::make_unique<DirectWriter>(file);
}

Result<> DirectoryStore::Remove(const ObjectName& name) {
  return Call([root = root_, name, guarded = options_.guard != nullptr]() -> Result<> {
    if (::unlinkat(root->get(), PathOf(name).c_str(), 0) != 0 && errno != ENOENT) {
      return FailCall(guarded, "removing object " + ToHex(name), errno);
    }
    return {};
  });
}

Result<> DirectoryStore::List(const std::function<Result<>(const dataset::StoredObject&)>& visit) {
  std::vector<std::string> folders;
  TRY(CollectNames(".", folders));
  for (const std::string& folder : folders) {
    if (folder.size() != 2 || !FromHex(folder)) continue;
    std::vector<std::string> files;
    TRY(CollectNames(folder, files));
    for (const std::string& file : files) {
      const Result<ObjectName> name = ArrayFromHex<32>(file);
      if (!name || FolderOf(*name) != folder) continue;
      const auto size = std::make_shared<uint64_t>(0);
      TRY(Call(
          [root = root_, name = *name, size, guarded = options_.guard != nullptr]() -> Result<> {
            struct stat info{};
            if (::fstatat(root->get(), PathOf(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
              return FailCall(guarded, "object " + ToHex(name), errno);
            }
            *size = static_cast<uint64_t>(info.st_size);
            return {};
          }));
      TRY(visit({.name = *name, .size = *size}));
    }
  }
  return {};
}

Result<> DirectoryStore::CollectNames(const std::string& folder,
                                      std::vector<std::string>& names) const {
  const auto found = std::make_shared<std::vector<std::string>>();
  TRY(Call([root = root_, folder, found, guarded = options_.guard != nullptr] {
    return ForEachName(root->get(), folder, guarded, [&](std::string_view name) -> Result<> {
      found->emplace_back(name);
      return {};
    });
  }));
  names = std::move(*found);
  return {};
}

Result<> DirectoryStore::RemoveLeftovers() {
  std::vector<std::string> names;
  TRY(CollectNames(".", names));
  std::erase_if(names, [](const std::string& name) { return !name.starts_with(kTemporaryPrefix); });
  for (const std::string& name : names) {
    TRY(Call([root = root_, name, guarded = options_.guard != nullptr]() -> Result<> {
      if (::unlinkat(root->get(), name.c_str(), 0) != 0 && errno != ENOENT) {
        return FailCall(guarded, "removing " + name, errno);
      }
      return {};
    }));
  }
  if (!names.empty()) {
    Log(LogLevel::kInfo, "store.leftovers_removed", {{"files", std::to_string(names.size())}});
  }
  return {};
}

}  // namespace cce::store
