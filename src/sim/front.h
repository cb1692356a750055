// A front: a FUSE folder with the kernel's configfs-tsm ABI
// (Documentation/ABI/testing/configfs-tsm), behind which one measured machine finds the chip. Its
// root stands for /sys/kernel/config/tsm.
//
//   report/            mkdir report/NAME makes a report with these files, rmdir removes it
//   report/NAME/inblob       write-only, at most 64 bytes, taken over when it is closed
//   report/NAME/outblob      read-only, evidence over the inblob; made at the first read after a
//   write
//   report/NAME/auxblob      read-only, what came with the evidence; only where the TEE has such
//   report/NAME/provider     read-only
//   report/NAME/generation   read-only, the number of writes so far
//
// Reading is from a copy made at the first read of each open file, as in configfs.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "sim/report_source.h"

namespace cce::sim {

class Front {
 public:
  // Mounts at the existing folder `path`, for all users. Needs the right to mount. Errors:
  // io.failed.
  static Result<std::unique_ptr<Front>> Mount(const std::string& path,
                                              std::unique_ptr<const ReportSource> source);
  // Unmounts; whoever still has a bind of the folder gets ENOTCONN.
  ~Front();

  // Serves requests in the calling thread until one of `ends` is readable or closed by its other
  // side (true), or the folder was unmounted by somebody else (false).
  bool Serve(std::initializer_list<int> ends);

 private:
  struct Impl;
  explicit Front(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Lazily unmounts every front at or below `folder` that a killed predecessor left (mounts of type
// fuse.tsm-sim).
Result<> UnmountStaleFronts(const std::string& folder);

}  // namespace cce::sim
