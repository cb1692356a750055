#include "computing_plane/decrypt_fs/list_ahead.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/file.h"

namespace cce::decrypt_fs {
namespace {

using dataset::Index;

constexpr uint64_t kStride = 32;       // a visit that far ahead of the last one is still in order
constexpr size_t kKnownAhead = 48;     // entries that the kernel should know beyond the reader's
constexpr size_t kListed = 128;        // at once
constexpr size_t kListing = 24 << 10;  // bytes: so many entries with their attributes
constexpr uint64_t kFirstChild = 2;    // position in a listing, behind "." and ".."

// Entries of one getdents64 call; 0 at the folder's end and for errors.
size_t NextEntries(int fd, std::span<uint8_t> buffer) {
  const auto size = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
  size_t count = 0;
  for (long at = 0; at < size; ++count) {
    uint16_t length = 0;
    std::memcpy(&length, buffer.data() + at + offsetof(dirent64, d_reclen), sizeof(length));
    at += length;
  }
  return count;
}

}  // namespace

ListAhead::ListAhead(const Index& index, const KernelView& kernel, std::string mountpoint)
    : index_(index),
      kernel_(kernel),
      mountpoint_(std::move(mountpoint)),
      thread_([this] { Work(); }) {}

ListAhead::~ListAhead() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ListAhead::Visited(Index::Id id) {
  const Index::Id folder = index_.Parent(id);
  const std::span<const Index::Id> children = index_.Children(folder);
  const auto found = std::lower_bound(children.begin(), children.end(), id);
  if (found == children.end() || *found != id) return;
  const auto position = static_cast<uint64_t>(found - children.begin());
  const uint64_t visit = uint64_t{folder} << 32 | position;
  const uint64_t last = visits_[folder % visits_.size()].exchange(visit, std::memory_order_relaxed);
  if (visit <= last || visit - last > kStride || last >> 32 != folder) return;
  const size_t end = std::min<size_t>(position + kKnownAhead, children.size());
  const auto unknown = std::find_if(children.begin() + static_cast<ptrdiff_t>(position) + 1,
                                    children.begin() + static_cast<ptrdiff_t>(end),
                                    [&](Index::Id child) { return !kernel_.Knows(child); });
  if (unknown - children.begin() >= static_cast<ptrdiff_t>(end)) return;
  if (busy_.exchange(true)) return;  // the next visit asks again
  {
    const std::lock_guard lock(mutex_);
    wish_ = {folder, static_cast<uint32_t>(unknown - children.begin())};
  }
  wake_.notify_one();
}

void ListAhead::Work() {
  // With descriptors of its own, and not the kernel's connection among them: were the process
  // killed while this thread waits for an answer of its other threads, that connection would stay
  // open by this thread, and the wait would never end.
  if (::unshare(CLONE_FILES) != 0) return;
  ::close_range(0, ~0U, 0);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return ending_ || wish_; });
    if (ending_) return;
    const Wish wish = *std::exchange(wish_, std::nullopt);
    lock.unlock();
    List(wish);
    busy_ = false;
    lock.lock();
  }
}

void ListAhead::List(const Wish& wish) const {
  const std::string path = mountpoint_ + "/" + index_.Path(wish.folder);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return;
  if (::lseek(fd.get(), static_cast<off_t>(wish.from + kFirstChild), SEEK_SET) < 0) return;
  alignas(8) uint8_t buffer[kListing];
  for (size_t listed = 0; listed < kListed;) {
    const size_t count = NextEntries(fd.get(), buffer);
    if (count == 0) return;
    listed += count;
  }
}

}  // namespace cce::decrypt_fs
