// A FUSE file system of one file, `hello`: stands in for decrypt-fs where tests run the executor
// inside a guest. fuse_probe MOUNTPOINT
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace {

constexpr char kText[] = "from fuse\n";
constexpr size_t kSize = sizeof kText - 1;

bool IsHello(const char* path) { return strcmp(path, "/hello") == 0; }

int GetAttributes(const char* path, struct stat* out, fuse_file_info*) {
  *out = {};
  out->st_nlink = 1;
  out->st_mode = IsHello(path) ? S_IFREG | 0444 : S_IFDIR | 0555;
  out->st_size = IsHello(path) ? static_cast<off_t>(kSize) : 0;
  return IsHello(path) || strcmp(path, "/") == 0 ? 0 : -ENOENT;
}

int ReadFolder(const char*, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
               fuse_readdir_flags) {
  return fill(buffer, "hello", nullptr, 0, fuse_fill_dir_flags{}) == 0 ? 0 : -ENOMEM;
}

int Read(const char* path, char* buffer, size_t size, off_t offset, fuse_file_info*) {
  if (!IsHello(path)) return -ENOENT;
  if (offset < 0 || static_cast<size_t>(offset) >= kSize) return 0;
  const size_t n = std::min(size, kSize - static_cast<size_t>(offset));
  memcpy(buffer, kText + offset, n);
  return static_cast<int>(n);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  fuse_operations operations{};
  operations.getattr = GetAttributes;
  operations.readdir = ReadFolder;
  operations.read = Read;
  char program[] = "fuse_probe";
  char options[] = "-oallow_other,ro,nosuid,nodev,default_permissions";
  char foreground[] = "-f";
  char* arguments[] = {program, options, foreground, argv[1], nullptr};
  return fuse_main(4, arguments, &operations, nullptr);
}
