#include "cli/spool.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <unordered_map>

#include "base/utf8_locale.h"
#include "dataset/path.h"

namespace cce::cli {
namespace {

using dataset::EntryType;
using dataset::ShowPath;
using dataset::SpooledEntry;

constexpr size_t kSlice = size_t{1} << 20;

Unexpected Bad(std::string what) { return Fail("upload.bad_archive", std::move(what)); }

Result<UniqueFd> NewSpool(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd.valid()) return fd;
  // Not every file system knows nameless files.
  std::string path = folder + "/cce-spool-XXXXXX";
  fd = UniqueFd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd.valid()) return FailErrno("a spool file in " + folder, errno);
  ::unlink(path.c_str());
  return fd;
}

struct ArchiveFree {
  void operator()(archive* a) const { archive_read_free(a); }
};

class TarSpooler {
 public:
  TarSpooler(archive* in, Spooled& out, Progress& progress)
      : in_(in), out_(out), progress_(progress), buffer_(kSlice) {}

  Result<> Run() {
    archive_entry* entry = nullptr;
    while (true) {
      const int status = archive_read_next_header(in_, &entry);
      if (status == ARCHIVE_EOF) return {};
      if (status != ARCHIVE_OK) return Damaged();
      TRY(Entry(entry));
    }
  }

 private:
  Unexpected Damaged() {
    const char* reason = archive_error_string(in_);
    return Bad("no tar archive, or a damaged one: " +
               std::string(reason == nullptr ? "unknown" : reason));
  }

  Result<> Entry(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) return Bad("an entry whose name cannot be read");
    std::string_view name = raw;
    while (name.starts_with("./")) name.remove_prefix(2);
    while (name.ends_with('/')) name.remove_suffix(1);
    if (name.empty() || name == ".") return {};  // the top itself
    SpooledEntry spooled{.path = std::string(name)};
    TRY(dataset::CheckPath(spooled.path));
    spooled.attributes.mode = archive_entry_perm(entry) & 07777;
    spooled.attributes.mtime_ns =
        int64_t{archive_entry_mtime(entry)} * 1'000'000'000 + archive_entry_mtime_nsec(entry);
    if (const char* target = archive_entry_hardlink(entry); target != nullptr) {
      return HardLink(std::move(spooled), target);
    }
    const auto kind = archive_entry_filetype(entry);
    if (kind == AE_IFREG) {
      TRY(Content(entry, spooled));
      files_[spooled.path] = out_.entries.size();
    } else if (kind == AE_IFDIR) {
      spooled.attributes.type = EntryType::kFolder;
    } else if (kind == AE_IFLNK) {
      const char* target = archive_entry_symlink(entry);
      spooled.attributes.type = EntryType::kLink;
      spooled.target = target == nullptr ? "" : target;
      spooled.attributes.size = spooled.target.size();
    } else {
      return Fail(
          MakeError("upload.refused_kind", "'" + ShowPath(spooled.path) + "' cannot be uploaded")
              .Expected("a file, a folder or a symbolic link")
              .Found("a device, socket or pipe"));
    }
    out_.entries.push_back(std::move(spooled));
    return {};
  }

  // A copy of the file that came before under the other name.
  Result<> HardLink(SpooledEntry spooled, std::string_view target) {
    while (target.starts_with("./")) target.remove_prefix(2);
    const auto known = files_.find(std::string(target));
    if (known == files_.end()) {
      return Bad("'" + ShowPath(spooled.path) + "' links to what the archive does not hold");
    }
    spooled.attributes = out_.entries[known->second].attributes;
    spooled.at = out_.entries[known->second].at;
    files_[spooled.path] = out_.entries.size();
    out_.entries.push_back(std::move(spooled));
    return {};
  }

  Result<> Content(archive_entry* entry, SpooledEntry& spooled) {
    spooled.at = end_;
    while (true) {
      const la_ssize_t n = archive_read_data(in_, buffer_.data(), buffer_.size());
      if (n < 0) return Damaged();
      if (n == 0) break;
      TRY(WriteAll(out_.file.get(), ByteView(buffer_).first(static_cast<size_t>(n))));
      end_ += static_cast<uint64_t>(n);
      progress_.Add(n, 0);
    }
    // A sparse file may end in a hole.
    const auto size = static_cast<uint64_t>(archive_entry_size(entry));
    if (end_ - spooled.at < size) {
      end_ = spooled.at + size;
      if (::ftruncate(out_.file.get(), static_cast<off_t>(end_)) != 0 ||
          ::lseek(out_.file.get(), static_cast<off_t>(end_), SEEK_SET) < 0) {
        return FailErrno("the spool file", errno);
      }
    }
    spooled.attributes.size = end_ - spooled.at;
    return {};
  }

  archive* in_;
  Spooled& out_;
  Progress& progress_;
  Bytes buffer_;
  uint64_t end_ = 0;
  std::unordered_map<std::string, size_t> files_;
};

}  // namespace

Result<Spooled> SpoolFile(int in, const std::string& name, UnixSeconds mtime,
                          const std::string& folder, Progress& progress) {
  TRY(dataset::CheckPath(name));
  Spooled out;
  ASSIGN_OR_RETURN(out.file, NewSpool(folder));
  SpooledEntry entry{.path = name, .attributes = {.mode = 0644, .mtime_ns = mtime * 1'000'000'000}};
  Bytes buffer(kSlice);
  while (true) {
    const ssize_t n = ::read(in, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("reading the stream", errno);
    if (n == 0) break;
    TRY(WriteAll(out.file.get(), ByteView(buffer).first(static_cast<size_t>(n))));
    entry.attributes.size += static_cast<uint64_t>(n);
    progress.Add(n, 0);
  }
  out.entries.push_back(std::move(entry));
  return out;
}

Result<Spooled> SpoolTar(int in, const std::string& folder, Progress& progress) {
  Spooled out;
  ASSIGN_OR_RETURN(out.file, NewSpool(folder));
  const Utf8Locale utf8;  // names outside ASCII
  const std::unique_ptr<archive, ArchiveFree> reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  if (archive_read_open_fd(reader.get(), in, size_t{1} << 18) != ARCHIVE_OK) {
    return Bad("no tar archive");
  }
  TRY(TarSpooler(reader.get(), out, progress).Run());
  return out;
}

}  // namespace cce::cli
