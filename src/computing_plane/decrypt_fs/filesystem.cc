#include "computing_plane/decrypt_fs/filesystem.h"

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/log.h"

namespace cce::decrypt_fs {
namespace {

using dataset::EntryType;
using dataset::Index;

// A snapshot never changes: what the kernel once knows stays true.
constexpr double kForever = 1e8;  // seconds
constexpr uint32_t kBlock = 4096;
constexpr blksize_t kPreferredRead = 128 << 10;
constexpr uint64_t kPage = 4096;
// The kernel reads ahead in requests of this size at least.
constexpr size_t kReadAheadRequest = size_t{128} << 10;
constexpr size_t kSmallRead = size_t{1} << crypto::kDefaultChunkLog2;

const Mount::Context& ContextOf(fuse_req_t req) {
  return *static_cast<const Mount::Context*>(fuse_req_userdata(req));
}
const Index& IndexOf(fuse_req_t req) { return ContextOf(req).reader.index(); }

// The root is inode 1 and entry 0.
fuse_ino_t InodeOf(Index::Id id) { return fuse_ino_t{id} + FUSE_ROOT_ID; }
std::optional<Index::Id> IdOf(const Index& index, fuse_ino_t inode) {
  if (inode < FUSE_ROOT_ID || inode - FUSE_ROOT_ID >= index.size()) return std::nullopt;
  return static_cast<Index::Id>(inode - FUSE_ROOT_ID);
}

mode_t KindOf(EntryType type) {
  switch (type) {
    case EntryType::kFolder:
      return S_IFDIR;
    case EntryType::kLink:
      return S_IFLNK;
    case EntryType::kFile:
      break;
  }
  return S_IFREG;
}

struct stat StatOf(const Mount::Context& context, Index::Id id) {
  const dataset::Attributes a = context.reader.index().GetAttributes(id);
  struct stat out{};
  out.st_ino = InodeOf(id);
  out.st_mode = KindOf(a.type) | a.mode;
  out.st_nlink = 1;  // of folders too: "not counted", so that no tool infers their number
  out.st_uid = context.uid;
  out.st_gid = context.gid;
  out.st_size = static_cast<off_t>(a.size);
  out.st_blksize = kPreferredRead;
  out.st_blocks = static_cast<blkcnt_t>((a.size + 511) / 512);
  out.st_mtim.tv_sec = a.mtime_ns / 1'000'000'000;
  out.st_mtim.tv_nsec = a.mtime_ns % 1'000'000'000;
  if (out.st_mtim.tv_nsec < 0) {  // before 1970
    out.st_mtim.tv_nsec += 1'000'000'000;
    --out.st_mtim.tv_sec;
  }
  out.st_atim = out.st_ctim = out.st_mtim;
  return out;
}

fuse_entry_param EntryOf(const Mount::Context& context, Index::Id id) {
  fuse_entry_param entry{};
  entry.ino = InodeOf(id);
  entry.attr = StatOf(context, id);
  entry.attr_timeout = kForever;
  entry.entry_timeout = kForever;
  return entry;
}

void OnInit(void*, fuse_conn_info* connection) {
  const auto want = [&](unsigned capability) {
    if ((connection->capable & capability) != 0) connection->want |= capability;
  };
  want(FUSE_CAP_READDIRPLUS);
  want(FUSE_CAP_PARALLEL_DIROPS);
  want(FUSE_CAP_CACHE_SYMLINKS);
  want(FUSE_CAP_NO_OPEN_SUPPORT);
  want(FUSE_CAP_NO_OPENDIR_SUPPORT);
  connection->want &= ~(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA);
  // Replies are written from a buffer that each thread keeps: splicing them was measured to be
  // slower.
  connection->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

void OnLookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const Index& index = IndexOf(req);
  const auto folder = IdOf(index, parent);
  const auto id = folder ? index.Lookup(*folder, name) : std::nullopt;
  fuse_entry_param entry{};
  if (id) {
    entry = EntryOf(ContextOf(req), *id);
    ContextOf(req).kernel.Learn(*id);
    ContextOf(req).ahead.Visited(*id);
  } else {
    entry.entry_timeout = kForever;  // inode 0: the name is known not to be there
  }
  fuse_reply_entry(req, &entry);
}

void Forget(fuse_req_t req, fuse_ino_t inode) {
  if (const auto id = IdOf(IndexOf(req), inode)) ContextOf(req).kernel.Forget(*id);
}
void OnForget(fuse_req_t req, fuse_ino_t inode, uint64_t) {
  Forget(req, inode);
  fuse_reply_none(req);
}
void OnForgetMulti(fuse_req_t req, size_t count, fuse_forget_data* inodes) {
  for (size_t i = 0; i < count; ++i) Forget(req, inodes[i].ino);
  fuse_reply_none(req);
}

void OnGetattr(fuse_req_t req, fuse_ino_t inode, fuse_file_info*) {
  const auto id = IdOf(IndexOf(req), inode);
  if (!id) {
    fuse_reply_err(req, ENOENT);
    return;
  }
  const struct stat attributes = StatOf(ContextOf(req), *id);
  fuse_reply_attr(req, &attributes, kForever);
}

void OnReadlink(fuse_req_t req, fuse_ino_t inode) {
  const Index& index = IndexOf(req);
  const auto id = IdOf(index, inode);
  if (!id || index.GetAttributes(*id).type != EntryType::kLink) {
    fuse_reply_err(req, EINVAL);
    return;
  }
  fuse_reply_readlink(req, std::string(index.LinkTarget(*id)).c_str());
}

// ENOSYS here means to the kernel: needs no open, keep the page cache; and it does not ask again.
// Of folders it keeps the listing too.
void OnOpen(fuse_req_t req, fuse_ino_t, fuse_file_info*) { fuse_reply_err(req, ENOSYS); }
void OnOpendir(fuse_req_t req, fuse_ino_t, fuse_file_info*) { fuse_reply_err(req, ENOSYS); }

void ReplyReadError(fuse_req_t req, const Error& error) {
  ContextOf(req).status.ReadError(error);
  fuse_reply_err(req, error.code == "dataset.not_prefetched" ? EACCES : EIO);
}

// Gives the kernel content that it has not asked for.
void StorePages(const Mount::Context& context, fuse_ino_t inode, uint64_t offset, ByteView bytes) {
  fuse_bufvec pages{};
  pages.count = 1;
  pages.buf[0].size = bytes.size();
  pages.buf[0].mem = const_cast<uint8_t*>(bytes.data());  // libfuse only reads from it
  (void)fuse_lowlevel_notify_store(context.session, inode, static_cast<off_t>(offset), &pages,
                                   static_cast<fuse_buf_copy_flags>(0));
}

// The whole pages of a decrypted chunk: the reads that follow near by then need no request, let
// alone another decryption.
void KeepPages(const Mount::Context& context, fuse_ino_t inode, uint64_t file_size,
               const dataset::Stretch& stretch) {
  const uint64_t begin = (stretch.offset + kPage - 1) / kPage * kPage;
  uint64_t end = stretch.offset + stretch.bytes.size();
  if (end < file_size) end = end / kPage * kPage;
  if (begin >= end || !context.keepers.try_acquire()) return;
  StorePages(context, inode, begin, stretch.bytes.subspan(begin - stretch.offset, end - begin));
  context.keepers.release();
}

// A read of a whole small file whose neighbour in the pack the kernel knows: the files that follow
// in the chunk go to the kernel's page cache, too. False where the request is not answered.
bool ReadWithNeighbours(fuse_req_t req, Index::Id id, size_t size, uint64_t offset,
                        dataset::ReadScratch& scratch) {
  const Mount::Context& context = ContextOf(req);
  const uint64_t file_size = context.reader.index().GetAttributes(id).size;
  if (offset != 0 || size < file_size || !context.kernel.Wants(id + 1)) return false;
  const auto members = context.reader.ReadMembers(id, scratch);
  if (!members) {
    ReplyReadError(req, members.error());
    return true;
  }
  if (members->empty()) return false;
  const ByteView asked = members->front().bytes;
  fuse_reply_buf(req, reinterpret_cast<const char*>(asked.data()), asked.size());
  if (!context.keepers.try_acquire()) return true;
  for (const dataset::Member& member : members->subspan(1)) {
    if (!context.kernel.Give(member.file)) continue;
    StorePages(context, InodeOf(member.file), 0, member.bytes);
  }
  context.keepers.release();
  return true;
}

// A read of less than what its chunk holds of the file. False where it needs more than one chunk;
// else the request is answered.
bool ReadInOneChunk(fuse_req_t req, Index::Id id, size_t size, uint64_t offset,
                    dataset::ReadScratch& scratch) {
  const Mount::Context& context = ContextOf(req);
  const uint64_t file_size = context.reader.index().GetAttributes(id).size;
  if (file_size > context.keep_pages_of || offset >= file_size) return false;
  size = std::min<uint64_t>(size, file_size - offset);
  if (size == file_size || size >= kSmallRead) return false;
  const Result<dataset::Stretch> stretch = context.reader.ReadChunkAt(id, offset, scratch);
  if (!stretch) {
    ReplyReadError(req, stretch.error());
    return true;
  }
  if (!stretch->Holds(offset, size)) return false;
  const ByteView asked = stretch->bytes.subspan(offset - stretch->offset, size);
  const fuse_ino_t inode = InodeOf(id);
  fuse_reply_buf(req, reinterpret_cast<const char*>(asked.data()), asked.size());
  // Only now: the reader does not wait for it, and its own page is no longer locked.
  if (size < stretch->bytes.size()) KeepPages(context, inode, file_size, *stretch);
  return true;
}

void OnRead(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  // Kept by the thread: fresh memory for each request costs more than the decryption.
  thread_local PageBuffer buffer;
  thread_local dataset::ReadScratch scratch;
  const Mount::Context& context = ContextOf(req);
  const auto id = IdOf(context.reader.index(), inode);
  if (!id || offset < 0) {
    fuse_reply_err(req, EINVAL);
    return;
  }
  const auto from = static_cast<uint64_t>(offset);
  ScheduleAs(size >= kReadAheadRequest && context.streams.Continues(inode, from, size));
  if (ReadInOneChunk(req, *id, size, from, scratch)) return;
  if (size <= kSmallRead) {
    context.ahead.Visited(*id);
    if (ReadWithNeighbours(req, *id, size, from, scratch)) return;
  }
  const std::span<uint8_t> out = buffer.Room(size);
  const Result<size_t> read = context.reader.ReadAt(*id, from, out, scratch);
  if (!read) {
    ReplyReadError(req, read.error());
    return;
  }
  fuse_reply_buf(req, reinterpret_cast<const char*>(out.data()), *read);
}

// Position 0 is ".", 1 "..", then the children.
void ListFolder(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, bool plus) {
  thread_local std::vector<char> buffer;
  const Mount::Context& context = ContextOf(req);
  const Index& index = context.reader.index();
  const auto folder = IdOf(index, inode);
  if (!folder || offset < 0) {
    fuse_reply_err(req, EINVAL);
    return;
  }
  if (buffer.size() < size) buffer.resize(size);
  const std::span<const Index::Id> children = index.Children(*folder);
  size_t used = 0;
  std::string name;
  for (auto at = static_cast<uint64_t>(offset); at < children.size() + 2; ++at) {
    const Index::Id id = at == 0 ? *folder : at == 1 ? index.Parent(*folder) : children[at - 2];
    name = at == 0 ? "." : at == 1 ? ".." : index.Name(id);
    const auto next = static_cast<off_t>(at + 1);
    const fuse_entry_param entry = EntryOf(context, id);
    const size_t n = plus ? fuse_add_direntry_plus(req, buffer.data() + used, size - used,
                                                   name.c_str(), &entry, next)
                          : fuse_add_direntry(req, buffer.data() + used, size - used, name.c_str(),
                                              &entry.attr, next);
    if (n > size - used) break;
    used += n;
    if (plus && at >= 2) context.kernel.Learn(id);
  }
  fuse_reply_buf(req, buffer.data(), used);
}

void OnReaddir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  ListFolder(req, inode, size, offset, /*plus=*/false);
}
void OnReaddirplus(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  ListFolder(req, inode, size, offset, /*plus=*/true);
}

void OnStatfs(fuse_req_t req, fuse_ino_t) {
  const Index& index = IndexOf(req);
  struct statvfs out{};
  out.f_bsize = out.f_frsize = kBlock;
  out.f_blocks = (index.counts().bytes + kBlock - 1) / kBlock;
  out.f_files = index.size();
  out.f_namemax = 255;
  fuse_reply_statfs(req, &out);
}

// The mount is read-only, so the kernel itself refuses every change before it comes here; there are
// no handlers for them.
fuse_lowlevel_ops Operations() {
  fuse_lowlevel_ops ops{};
  ops.init = OnInit;
  ops.lookup = OnLookup;
  ops.forget = OnForget;
  ops.forget_multi = OnForgetMulti;
  ops.getattr = OnGetattr;
  ops.readlink = OnReadlink;
  ops.open = OnOpen;
  ops.opendir = OnOpendir;
  ops.read = OnRead;
  ops.readdir = OnReaddir;
  ops.readdirplus = OnReaddirplus;
  ops.statfs = OnStatfs;
  return ops;
}

Result<> SetReadAhead(const struct stat& root, uint32_t kilobytes) {
  const std::string path = "/sys/class/bdi/" + std::to_string(major(root.st_dev)) + ":" +
                           std::to_string(minor(root.st_dev)) + "/read_ahead_kb";
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(path, errno);
  return WriteAll(fd.get(), AsBytes(std::to_string(kilobytes)));
}

uint64_t PhysicalMemory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Mount::Mount(const StartMessage& message, const dataset::SnapshotReader& reader,
             StatusReporter& status)
    : mountpoint_(message.mountpoint),
      kernel_(reader.index().size()),
      ahead_(reader.index(), kernel_, message.mountpoint),
      context_{.reader = reader,
               .status = status,
               .uid = message.uid,
               .gid = message.gid,
               .keep_pages_of = PhysicalMemory() / 4,
               .kernel = kernel_,
               .ahead = ahead_,
               .streams = streams_,
               .keepers = std::counting_semaphore<>(message.threads / 2)},
      read_ahead_kb_(message.read_ahead_kb),
      threads_(message.threads) {}

Result<std::unique_ptr<Mount>> Mount::New(const StartMessage& message,
                                          const dataset::SnapshotReader& reader,
                                          StatusReporter& status) {
  std::unique_ptr<Mount> mount(new Mount(message, reader, status));
  std::string options = "ro,nosuid,nodev,fsname=cce4long,subtype=decrypt-fs";
  if (message.allow_other) options += ",allow_other";
  std::string program = "decrypt-fs";
  std::string flag = "-o";
  char* argv[] = {program.data(), flag.data(), options.data()};
  fuse_args args = FUSE_ARGS_INIT(3, argv);
  static const fuse_lowlevel_ops kOperations = Operations();
  mount->session_ = fuse_session_new(&args, &kOperations, sizeof(kOperations), &mount->context_);
  fuse_opt_free_args(&args);
  if (mount->session_ == nullptr) return Fail("io.failed", "libfuse refused its options");
  if (fuse_session_mount(mount->session_, mount->mountpoint_.c_str()) != 0) {
    return Fail("io.failed", "mounting on " + mount->mountpoint_ + " failed");
  }
  mount->context_.session = mount->session_;
  mount->mounted_ = true;
  return mount;
}

Mount::~Mount() {
  if (session_ == nullptr) return;
  if (mounted_) fuse_session_unmount(session_);
  fuse_session_destroy(session_);
}

Result<> Mount::Serve() {
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, threads_);
  fuse_loop_cfg_set_idle_threads(config, threads_);  // never ended: their buffers stay warm
  const int outcome = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
  if (outcome != 0) return FailErrno("serving the mount", outcome < 0 ? -outcome : EIO);
  return {};
}

Result<> Mount::AwaitReady() {
  struct stat root{};
  if (::stat(mountpoint_.c_str(), &root) != 0) return FailErrno(mountpoint_, errno);
  // Slower without, not wrong: /sys may be read-only where this runs.
  if (const auto set = SetReadAhead(root, read_ahead_kb_); !set) {
    LogError(LogLevel::kWarn, "decrypt_fs.read_ahead_not_set", set.error());
  }
  return {};
}

void Mount::Detach() {
  if (mounted_) fuse_session_unmount(session_);
  mounted_ = false;
}

}  // namespace cce::decrypt_fs
