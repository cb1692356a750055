// A snapshot as a read-only file system (low-level libfuse3).
#pragma once

#include <memory>
#include <semaphore>
#include <string>

#include "base/result.h"
#include "computing_plane/decrypt_fs/list_ahead.h"
#include "computing_plane/decrypt_fs/start_message.h"
#include "computing_plane/decrypt_fs/status.h"
#include "computing_plane/decrypt_fs/streams.h"
#include "dataset/snapshot_reader.h"

struct fuse_session;

namespace cce::decrypt_fs {

// One mounted snapshot. Inode numbers are positions in the index, so they are the same at every
// mount.
class Mount {
 public:
  // Mounts; requests are answered once Serve runs. `reader` and `status` must outlive this.
  // io.failed.
  static Result<std::unique_ptr<Mount>> New(const StartMessage& message,
                                            const dataset::SnapshotReader& reader,
                                            StatusReporter& status);
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  // Answers requests until the file system is unmounted. io.failed.
  Result<> Serve();
  // Waits until the mount answers and sets its read-ahead: the kernel offers no other way than
  // sysfs, and only after the mount. Runs beside Serve. io.failed where the mount does not answer.
  Result<> AwaitReady();
  // Detaches the mount from the tree. The process is to end next.
  void Detach();

  struct Context {
    const dataset::SnapshotReader& reader;
    StatusReporter& status;
    uint32_t uid;
    uint32_t gid;
    // Chunks of files up to this size go to the kernel's page cache whole: they fit there together
    // with what else the machine does.
    uint64_t keep_pages_of;
    KernelView& kernel;
    ListAhead& ahead;
    Streams& streams;
    fuse_session* session = nullptr;
    // How many threads may do so at once: fewer than there are, since one may wait for a page whose
    // read request another has to answer.
    mutable std::counting_semaphore<> keepers;
  };

 private:
  Mount(const StartMessage& message, const dataset::SnapshotReader& reader, StatusReporter& status);

  std::string mountpoint_;
  KernelView kernel_;
  ListAhead ahead_;
  Streams streams_;
  Context context_;
  uint32_t read_ahead_kb_;
  uint32_t threads_;
  fuse_session* session_ = nullptr;
  bool mounted_ = false;
};

}  // namespace cce::decrypt_fs
