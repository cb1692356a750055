#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/utf8_locale.h"
#include "cli/result_files.h"
#include "dataset/path.h"

namespace cce::cli {
namespace {

struct ArchiveFree {
  void operator()(archive* a) const { archive_read_free(a); }
};

Unexpected Bad(const std::string& what) { return Fail(MakeError("result.bad_archive", what)); }

Result<> WriteContent(archive* in, const std::string& path, mode_t mode, uint64_t& room) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd.valid() && errno == EEXIST) return Bad("the result names a file twice");
  if (!fd.valid()) return FailErrno(path, errno);
  Bytes buffer(size_t{1} << 18);
  while (true) {
    const la_ssize_t n = archive_read_data(in, buffer.data(), buffer.size());
    if (n < 0) return Bad("the result's archive is damaged");
    if (n == 0) return {};
    const auto size = static_cast<uint64_t>(n);
    if (size > room) return Bad("the result unpacks to more than is taken");
    room -= size;
    TRY(WriteAll(fd.get(), ByteView(buffer).first(size)));
  }
}

Result<> ExtractEntry(archive* in, archive_entry* entry, const std::string& folder,
                      uint64_t& room) {
  const char* raw = archive_entry_pathname(entry);
  std::string path = raw == nullptr ? "" : raw;
  while (path.ends_with('/')) path.pop_back();
  // The dataset's rules are the ones wanted here: relative, normal, nothing that climbs.
  if (!dataset::CheckPath(path)) return Bad("the result holds a path that leads elsewhere");
  if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
    return Bad("the result holds a link");
  }
  const std::string target = folder + "/" + path;
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFDIR) {
    // Parents are folders that were made here, never links: `folder` began empty.
    if (::mkdir(target.c_str(), 0755) == 0 || errno == EEXIST) return {};
    return FailErrno(target, errno);
  }
  if (type != AE_IFREG) return Bad("the result holds something other than files and folders");
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(target).parent_path(), error);
  if (error) return FailErrno(target, error.value());
  const mode_t mode = (archive_entry_perm(entry) & 0100) != 0 ? 0755 : 0644;
  return WriteContent(in, target, mode, room);
}

}  // namespace

Result<size_t> ExtractTar(const std::string& tar, const std::string& folder,
                          const ExtractLimits& limits) {
  std::error_code error;
  if (std::filesystem::exists(folder) && !std::filesystem::is_empty(folder, error)) {
    return Fail(MakeError("cli.exists", folder + " is not empty").Next("Name another --out."));
  }
  TRY(MakeFolders(folder));
  const Utf8Locale utf8;  // names outside ASCII
  const std::unique_ptr<archive, ArchiveFree> in(archive_read_new());
  // A plain tar and no filter: nothing else is ever produced.
  archive_read_support_format_tar(in.get());
  if (archive_read_open_filename(in.get(), tar.c_str(), 1 << 18) != ARCHIVE_OK) {
    return Bad("the result is no tar archive");
  }
  uint64_t room = limits.max_bytes;
  size_t entries = 0;
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) return entries;
    if (status != ARCHIVE_OK) return Bad("the result's archive is damaged");
    if (++entries > limits.max_entries) return Bad("the result has too many entries");
    TRY(ExtractEntry(in.get(), entry, folder, room));
  }
}

}  // namespace cce::cli
