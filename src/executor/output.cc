#include "executor/output.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "base/file.h"
#include "base/utf8_locale.h"

namespace cce::executor {
namespace {

constexpr std::string_view kReserved = ".cce";
constexpr size_t kMaxPathBytes = size_t{32} << 20;  // of all paths together
constexpr std::string_view kCutMark = "\n[cut here: more was printed than is kept]\n";
// A member's header, its padding and, at worst, a pax header with its own body.
constexpr uint64_t kMemberOverhead = 512 + 511 + 512 + 2048;

struct Entry {
  std::string path;
  bool folder = false;
  bool executable = false;
  uint64_t size = 0;
  std::optional<Bytes> contents;  // set: ours, not a file of the container's
};

// Length of the well-formed UTF-8 sequence at the start, 0 where there is none (Unicode table 3-7).
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0};
  };
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool bad = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f);
    return !bad && tail(1) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool bad = (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f);
    return !bad && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// The name with what does not print as \xNN; `clean` tells whether there was nothing of the kind.
std::string Escape(std::string_view name, bool& clean) {
  std::string out;
  clean = true;
  while (!name.empty()) {
    const size_t n = SequenceLength(name);
    const uint8_t first = static_cast<uint8_t>(name[0]);
    if (n == 0 || first < 0x20 || first == 0x7f) {
      clean = false;
      out += "\\x" + ToHex(AsBytes(name.substr(0, 1)));
      name.remove_prefix(1);
      continue;
    }
    out += name.substr(0, n);
    name.remove_prefix(n);
  }
  return out;
}

std::string_view OmittedKind(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return "symlink";
    case S_IFSOCK:
      return "socket";
    case S_IFIFO:
      return "pipe";
    default:
      return "device";
  }
}

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};
using UniqueDir = std::unique_ptr<DIR, CloseDir>;

// First pass: what there is, without opening a file. No process of the container lives any more.
class Walker {
 public:
  Walker(const OutputLimits& limits, OutputSummary& summary) : limits_(limits), summary_(summary) {}

  Result<> Walk(UniqueFd folder, const std::string& prefix, size_t depth) {
    if (depth > limits_.max_depth) {
      return Fail(MakeError("output.bad_tree", "the output's folders are too deep")
                      .Expected("at most " + std::to_string(limits_.max_depth) + " levels"));
    }
    UniqueDir dir(fdopendir(folder.get()));
    if (!dir) return FailErrno("opening a folder of the output", errno);
    (void)folder.Release();  // fdopendir took it
    while (true) {
      errno = 0;
      const dirent* item = readdir(dir.get());
      if (item == nullptr) {
        if (errno != 0) return FailErrno("reading a folder of the output", errno);
        return {};
      }
      const std::string_view name = item->d_name;
      if (name != "." && name != "..") TRY(Visit(dirfd(dir.get()), name, prefix, depth));
    }
  }

  std::vector<Entry> Take() { return std::move(entries_); }

 private:
  Result<> Visit(int folder, std::string_view name, const std::string& prefix, size_t depth) {
    bool clean = false;
    const std::string shown = prefix + Escape(name, clean);
    const std::string path = prefix + std::string(name);
    TRY(Count(path));
    if (prefix.empty() && name == kReserved) return Omit(shown, "reserved");
    if (!clean) return Omit(shown, "name");
    struct stat info{};
    const std::string own(name);
    if (fstatat(folder, own.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return FailErrno("looking at a file of the output", errno);
    }
    if (S_ISDIR(info.st_mode)) {
      entries_.push_back({.path = path, .folder = true});
      UniqueFd next(openat(folder, own.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!next.valid()) return FailErrno("opening a folder of the output", errno);
      return Walk(std::move(next), path + "/", depth + 1);
    }
    if (!S_ISREG(info.st_mode)) return Omit(shown, OmittedKind(info.st_mode));
    entries_.push_back({.path = path,
                        .executable = (info.st_mode & 0111) != 0,
                        .size = static_cast<uint64_t>(info.st_size)});
    return {};
  }

  Result<> Count(const std::string& path) {
    path_bytes_ += path.size();
    if (++count_ > limits_.max_entries || path_bytes_ > kMaxPathBytes) {
      return Fail(MakeError("output.too_many", "the output has too many files")
                      .Expected("at most " + std::to_string(limits_.max_entries)));
    }
    if (path.size() > limits_.max_path) {
      return Fail(MakeError("output.bad_tree", "a path in the output is too long")
                      .Expected("at most " + std::to_string(limits_.max_path) + " bytes"));
    }
    return {};
  }

  Result<> Omit(std::string shown, std::string_view reason) {
    summary_.omitted.push_back({std::move(shown), std::string(reason)});
    return {};
  }

  const OutputLimits& limits_;
  OutputSummary& summary_;
  std::vector<Entry> entries_;
  size_t count_ = 0;
  size_t path_bytes_ = 0;
};

Entry Ours(std::string_view name, Bytes contents) {
  Entry out;
  out.path = std::string(kReserved) + "/" + std::string(name);
  out.size = contents.size();
  out.contents = std::move(contents);
  return out;
}

Bytes StreamFile(ByteView bytes, bool cut) {
  Bytes out = ToBytes(bytes);
  if (cut) Append(out, AsBytes(kCutMark));
  return out;
}

void AddOurs(const OutputRequest& request, OutputSummary& summary, std::vector<Entry>& entries) {
  std::sort(summary.omitted.begin(), summary.omitted.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  entries.push_back({.path = std::string(kReserved), .folder = true});
  entries.push_back(Ours("stdout.txt", StreamFile(request.stdout_bytes, request.stdout_cut)));
  entries.push_back(Ours("stderr.txt", StreamFile(request.stderr_bytes, request.stderr_cut)));
  if (summary.omitted.empty()) return;
  std::string list;
  for (const auto& item : summary.omitted) list += item.reason + " " + item.path + "\n";
  entries.push_back(Ours("omitted.txt", ToBytes(list)));
}

Result<> CheckSize(const std::vector<Entry>& entries, uint64_t max_bytes) {
  uint64_t total = uint64_t{20} * 512;
  for (const Entry& entry : entries) {
    if (entry.size <= max_bytes) total += entry.size + kMemberOverhead;
    if (entry.size > max_bytes || total > max_bytes) {
      return Fail(MakeError("output.too_large", "the output exceeds its size limit")
                      .Expected("at most " + std::to_string(max_bytes) + " bytes as a tar"));
    }
  }
  return {};
}

// Second pass: the tar.
class TarWriter {
 public:
  TarWriter(int root, const TarSink& sink)
      : root_(root), sink_(sink), archive_(archive_write_new()) {}
  ~TarWriter() { archive_write_free(archive_); }
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  Result<> Open() {
    if (archive_ == nullptr || archive_write_set_format_pax_restricted(archive_) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(archive_, 10240) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive_, 10240) != ARCHIVE_OK ||
        archive_write_open2(archive_, this, nullptr, &TarWriter::OnWrite, nullptr, nullptr) !=
            ARCHIVE_OK) {
      return Broken();
    }
    return {};
  }

  Result<> Add(const Entry& entry) {
    std::unique_ptr<archive_entry, decltype(&archive_entry_free)> header(archive_entry_new(),
                                                                         &archive_entry_free);
    archive_entry_set_pathname(header.get(), entry.path.c_str());
    archive_entry_set_filetype(header.get(), entry.folder ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(header.get(), entry.folder || entry.executable ? 0755 : 0644);
    archive_entry_set_size(header.get(), static_cast<int64_t>(entry.size));
    archive_entry_set_mtime(header.get(), 0, 0);
    archive_entry_set_uid(header.get(), 0);
    archive_entry_set_gid(header.get(), 0);
    if (archive_write_header(archive_, header.get()) != ARCHIVE_OK) return Broken();
    if (entry.folder) return {};
    return entry.contents ? Data(*entry.contents) : File(entry);
  }

  Result<uint64_t> Close() {
    if (archive_write_close(archive_) != ARCHIVE_OK) return Broken();
    return bytes_;
  }

 private:
  static la_ssize_t OnWrite(archive* handle, void* self, const void* data, size_t size) {
    auto* writer = static_cast<TarWriter*>(self);
    auto result = writer->sink_({static_cast<const uint8_t*>(data), size});
    if (!result) {
      writer->sink_error_ = std::move(result).error();
      archive_set_error(handle, EIO, "sink");
      return -1;
    }
    writer->bytes_ += size;
    return static_cast<la_ssize_t>(size);
  }

  Unexpected Broken() {
    if (sink_error_) return Fail(*sink_error_);
    const char* words = archive_ == nullptr ? nullptr : archive_error_string(archive_);
    return Fail(MakeError("io.failed", "writing the output's tar failed")
                    .Found(words == nullptr ? "no memory" : words));
  }

  Result<> Data(ByteView bytes) {
    while (!bytes.empty()) {
      const la_ssize_t n = archive_write_data(archive_, bytes.data(), bytes.size());
      if (n <= 0) return Broken();
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  Result<> File(const Entry& entry) {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    UniqueFd fd(
        static_cast<int>(syscall(SYS_openat2, root_, entry.path.c_str(), &how, sizeof how)));
    if (!fd.valid()) return FailErrno("opening a file of the output", errno);
    struct stat info{};
    if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
        static_cast<uint64_t>(info.st_size) != entry.size) {
      return Fail("io.failed", "a file of the output changed while it was packed");
    }
    uint64_t left = entry.size;
    while (left > 0) {
      const size_t want = std::min<uint64_t>(left, buffer_.size());
      const ssize_t n = read(fd.get(), buffer_.data(), want);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno("reading a file of the output", errno);
      if (n == 0) return Fail("io.failed", "a file of the output shrank while it was packed");
      TRY(Data(ByteView(buffer_).first(static_cast<size_t>(n))));
      left -= static_cast<uint64_t>(n);
    }
    return {};
  }

  int root_;
  const TarSink& sink_;
  archive* archive_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(size_t{256} << 10);
  std::optional<Error> sink_error_;
  uint64_t bytes_ = 0;
};

}  // namespace

Result<OutputSummary> CollectOutput(const OutputRequest& request, const TarSink& sink) {
  const Utf8Locale locale;
  if (!locale.valid()) return FailErrno("the C.UTF-8 locale", errno);
  UniqueFd root(open(request.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root.valid()) return FailErrno("opening the output folder", errno);
  UniqueFd walked(openat(root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!walked.valid()) return FailErrno("opening the output folder", errno);

  OutputSummary summary;
  Walker walker(request.limits, summary);
  TRY(walker.Walk(std::move(walked), "", 0));
  std::vector<Entry> entries = walker.Take();
  AddOurs(request, summary, entries);
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.path < b.path; });
  TRY(CheckSize(entries, request.limits.max_bytes));

  TarWriter tar(root.get(), sink);
  TRY(tar.Open());
  for (const Entry& entry : entries) {
    TRY(tar.Add(entry));
    ++(entry.folder ? summary.folders : summary.files);
  }
  ASSIGN_OR_RETURN(summary.tar_bytes, tar.Close());
  return summary;
}

}  // namespace cce::executor
