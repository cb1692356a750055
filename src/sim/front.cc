#define FUSE_USE_VERSION 35
#include "sim/front.h"

#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "sim/reports.h"

namespace cce::sim {
namespace {

// Nothing is cached by the kernel: several users of one front see each other's reports at once.
constexpr double kNoCache = 0;

Reports& ReportsOf(fuse_req_t request) {
  return *static_cast<Reports*>(fuse_req_userdata(request));
}

struct stat StatOf(const NodeInfo& info) {
  struct stat out{};
  out.st_ino = info.inode;
  out.st_mode = info.mode;
  out.st_nlink = S_ISDIR(info.mode) ? 2 : 1;
  out.st_size = static_cast<off_t>(info.size);
  return out;
}

void ReplyEntry(fuse_req_t request, int error, const NodeInfo& info) {
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  fuse_entry_param entry{};
  entry.ino = info.inode;
  entry.attr = StatOf(info);
  entry.attr_timeout = kNoCache;
  entry.entry_timeout = kNoCache;
  fuse_reply_entry(request, &entry);
}

void OnLookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  NodeInfo info;
  const int error = ReportsOf(request).Lookup(parent, name, info);
  ReplyEntry(request, error, info);
}

void OnGetattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
  NodeInfo info;
  if (const int error = ReportsOf(request).Info(inode, info); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const struct stat attributes = StatOf(info);
  fuse_reply_attr(request, &attributes, kNoCache);
}

// open(O_TRUNC) and the shell's `>` set the size; configfs takes it and does nothing.
void OnSetattr(fuse_req_t request, fuse_ino_t inode, struct stat* /*attributes*/, int to_set,
               fuse_file_info* file) {
  if ((to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
    fuse_reply_err(request, EPERM);
    return;
  }
  OnGetattr(request, inode, file);
}

void OnMkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t /*mode*/) {
  NodeInfo info;
  const int error = ReportsOf(request).MakeReport(parent, name, info);
  ReplyEntry(request, error, info);
}

void OnRmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request, ReportsOf(request).RemoveReport(parent, name));
}

// configfs has no way to make, link, rename or remove a file.
void OnCreate(fuse_req_t request, fuse_ino_t /*parent*/, const char* /*name*/, mode_t /*mode*/,
              fuse_file_info* /*file*/) {
  fuse_reply_err(request, EACCES);
}
void OnMknod(fuse_req_t request, fuse_ino_t /*parent*/, const char* /*name*/, mode_t /*mode*/,
             dev_t /*device*/) {
  fuse_reply_err(request, EPERM);
}
void OnUnlink(fuse_req_t request, fuse_ino_t /*parent*/, const char* /*name*/) {
  fuse_reply_err(request, EPERM);
}
void OnSymlink(fuse_req_t request, const char* /*target*/, fuse_ino_t /*parent*/,
               const char* /*name*/) {
  fuse_reply_err(request, EPERM);
}
void OnLink(fuse_req_t request, fuse_ino_t /*inode*/, fuse_ino_t /*parent*/, const char* /*name*/) {
  fuse_reply_err(request, EPERM);
}
void OnRename(fuse_req_t request, fuse_ino_t /*parent*/, const char* /*name*/,
              fuse_ino_t /*new_parent*/, const char* /*new_name*/, unsigned /*flags*/) {
  fuse_reply_err(request, EPERM);
}

void OnOpen(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  uint64_t handle = 0;
  Reports& reports = ReportsOf(request);
  if (const int error = reports.Open(inode, file->flags, handle); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  file->fh = handle;
  file->direct_io = 1;  // sizes mean nothing here, and each read must arrive
  // An interrupted open(2) sends no release.
  if (fuse_reply_open(request, file) == -ENOENT) reports.Close(handle);
}

void OnRead(fuse_req_t request, fuse_ino_t /*inode*/, size_t size, off_t offset,
            fuse_file_info* file) {
  ByteView data;
  const int error = ReportsOf(request).Read(file->fh, size, offset, data);
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  fuse_reply_buf(request, reinterpret_cast<const char*>(data.data()), data.size());
}

void OnWrite(fuse_req_t request, fuse_ino_t /*inode*/, const char* data, size_t size, off_t offset,
             fuse_file_info* file) {
  const int error = ReportsOf(request).Write(file->fh, AsBytes({data, size}), offset);
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  fuse_reply_write(request, size);
}

// configfs takes an inblob over when the file is released. FUSE's release comes after close(2) has
// returned, its flush before: with flush, who opens outblob after close(2) gets the evidence that
// he asked for.
void OnFlush(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  fuse_reply_err(request, ReportsOf(request).Flush(file->fh));
}

void OnRelease(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  ReportsOf(request).Close(file->fh);
  fuse_reply_err(request, 0);
}

void OnOpendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Reports& reports = ReportsOf(request);
  uint64_t handle = 0;
  if (const int error = reports.OpenFolder(inode, handle); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  file->fh = handle;
  if (fuse_reply_open(request, file) == -ENOENT) reports.Close(handle);
}

void OnReaddir(fuse_req_t request, fuse_ino_t /*inode*/, size_t size, off_t offset,
               fuse_file_info* file) {
  const std::vector<DirectoryEntry>& listing = ReportsOf(request).Entries(file->fh);
  std::vector<char> buffer(std::min<size_t>(size, 64 << 10));
  size_t used = 0;
  for (auto i = static_cast<size_t>(std::max<off_t>(offset, 0)); i < listing.size(); ++i) {
    const struct stat attributes = StatOf(listing[i].info);
    const size_t need =
        fuse_add_direntry(request, buffer.data() + used, buffer.size() - used,
                          listing[i].name.c_str(), &attributes, static_cast<off_t>(i + 1));
    if (need > buffer.size() - used) break;
    used += need;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

constexpr fuse_lowlevel_ops kOperations = {
    .lookup = OnLookup,
    .getattr = OnGetattr,
    .setattr = OnSetattr,
    .mknod = OnMknod,
    .mkdir = OnMkdir,
    .unlink = OnUnlink,
    .rmdir = OnRmdir,
    .symlink = OnSymlink,
    .rename = OnRename,
    .link = OnLink,
    .open = OnOpen,
    .read = OnRead,
    .write = OnWrite,
    .flush = OnFlush,
    .release = OnRelease,
    .opendir = OnOpendir,
    .readdir = OnReaddir,
    .releasedir = OnRelease,
    .create = OnCreate,
};

// Undoes the octal escapes of /proc/self/mountinfo.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

struct Front::Impl {
  explicit Impl(std::unique_ptr<const ReportSource> source) : reports(std::move(source)) {}
  ~Impl() {
    if (session == nullptr) return;
    // Closes /dev/fuse first, which ends the connection for every bind of the folder.
    if (mounted) fuse_session_unmount(session);
    fuse_session_destroy(session);
    free(buffer.mem);
  }
  Reports reports;
  fuse_session* session = nullptr;
  bool mounted = false;
  fuse_buf buffer{};
};

Front::Front(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Front::~Front() = default;

Result<std::unique_ptr<Front>> Front::Mount(const std::string& path,
                                            std::unique_ptr<const ReportSource> source) {
  auto impl = std::make_unique<Impl>(std::move(source));
  // Argument 0 is the program's name. The type in the mount table is fuse.tsm-sim.
  char program[] = "tsm-sim";
  char option[] = "-o";
  char options[] = "allow_other,nosuid,nodev,noexec,fsname=tsm-sim,subtype=tsm-sim";
  char* arguments[] = {program, option, options};
  fuse_args args = FUSE_ARGS_INIT(3, arguments);
  impl->session = fuse_session_new(&args, &kOperations, sizeof(kOperations), &impl->reports);
  fuse_opt_free_args(&args);
  if (impl->session == nullptr) return Fail("io.failed", "libfuse refused to start a session");
  if (fuse_session_mount(impl->session, path.c_str()) != 0) {
    return FailErrno("mounting a front at " + path, errno);
  }
  impl->mounted = true;
  // A request that is withdrawn between poll and read must not block the loop.
  const int fd = fuse_session_fd(impl->session);
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
    return FailErrno("setting up a front's descriptor", errno);
  }
  return std::unique_ptr<Front>(new Front(std::move(impl)));
}

bool Front::Serve(std::initializer_list<int> ends) {
  std::vector<pollfd> fds = {{fuse_session_fd(impl_->session), POLLIN, 0}};
  for (const int end : ends) fds.push_back({end, POLLIN | POLLRDHUP, 0});
  while (fuse_session_exited(impl_->session) == 0) {
    if (poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return true;
    }
    for (size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0) return true;
    }
    const int got = fuse_session_receive_buf(impl_->session, &impl_->buffer);
    if (got == -EINTR || got == -EAGAIN) continue;
    if (got <= 0) return false;
    fuse_session_process_buf(impl_->session, &impl_->buffer);
  }
  return false;
}

Result<> UnmountStaleFronts(const std::string& folder) {
  std::ifstream table("/proc/self/mountinfo");
  std::vector<std::string> stale;
  for (std::string line; std::getline(table, line);) {
    // id parent major:minor root MOUNTPOINT options [optional fields] - TYPE source super-options
    if (line.find(" - fuse.tsm-sim ") == std::string::npos) continue;
    size_t begin = 0;
    for (int field = 0; field < 4; ++field) begin = line.find(' ', begin) + 1;
    const std::string path = Unescape(line.substr(begin, line.find(' ', begin) - begin));
    if (path == folder || path.starts_with(folder + "/")) stale.push_back(path);
  }
  for (const std::string& path : stale) {
    if (umount2(path.c_str(), MNT_DETACH) != 0) return FailErrno("unmounting " + path, errno);
    Log(LogLevel::kWarn, "stale front unmounted", {{"path", path}});
  }
  return {};
}

}  // namespace cce::sim
