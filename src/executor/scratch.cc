#include "executor/scratch.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace cce::executor {

Result<ScratchFolder> ScratchFolder::Mount(const std::string& path, uint64_t bytes) {
  if (path.empty() || path.front() != '/') {
    return Fail("internal.bug", "a scratch folder needs an absolute path");
  }
  TRY(MakeFolders(path, 0711));
  const std::string options = "mode=0711,size=" + std::to_string(bytes);
  if (mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return FailErrno("mounting a tmpfs on " + path, errno);
  }
  ScratchFolder out;
  out.path_ = path;
  return out;
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

ScratchFolder& ScratchFolder::operator=(ScratchFolder&& other) noexcept {
  if (this != &other) {
    End();
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

ScratchFolder::~ScratchFolder() { End(); }

void ScratchFolder::End() {
  if (path_.empty()) return;
  umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  path_.clear();
}

}  // namespace cce::executor
