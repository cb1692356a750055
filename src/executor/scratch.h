// A tmpfs of fixed size on a folder: the kernel's own bound on what untrusted input may write.
#pragma once

#include <string>

#include "base/result.h"

namespace cce::executor {

// Mounted while the object lives; its contents are memory and end with it. Needs CAP_SYS_ADMIN over
// the mount namespace. Not thread-safe; move only.
class ScratchFolder {
 public:
  // Makes `path` where it is absent (mode 0711: mapped users pass through). Errors: io.*.
  static Result<ScratchFolder> Mount(const std::string& path, uint64_t bytes);
  ScratchFolder() = default;
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&& other) noexcept;
  ~ScratchFolder();

  const std::string& path() const { return path_; }
  bool mounted() const { return !path_.empty(); }

 private:
  void End();
  std::string path_;
};

}  // namespace cce::executor
