// Lists a folder ahead of a reader who opens its files one after the other. The kernel learns of
// entries by look-ups, one a request, or from listings, a hundred a request; FUSE has no message by
// which a file system could tell it of entries unasked, so this lists through the mount itself.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "computing_plane/decrypt_fs/kernel_view.h"

namespace cce::decrypt_fs {

class ListAhead {
 public:
  // The folder `mountpoint` shows `index`; `kernel` is what the kernel knows of it. Both must
  // outlive this.
  ListAhead(const dataset::Index& index, const KernelView& kernel, std::string mountpoint);
  ~ListAhead();
  ListAhead(const ListAhead&) = delete;
  ListAhead& operator=(const ListAhead&) = delete;

  // A reader looked `id` up, or reads it. Never waits. Thread-safe.
  void Visited(dataset::Index::Id id);

 private:
  struct Wish {
    dataset::Index::Id folder = 0;
    uint32_t from = 0;  // position among the children
  };
  void Work();
  void List(const Wish& wish) const;

  const dataset::Index& index_;
  const KernelView& kernel_;
  const std::string mountpoint_;
  // The last visits: folder << 32 | position. By the folder's number, so that readers of several
  // folders seldom meet.
  std::array<std::atomic<uint64_t>, 16> visits_{};
  std::atomic<bool> busy_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Wish> wish_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace cce::decrypt_fs
