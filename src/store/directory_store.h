// Ciphertext objects in a POSIX folder: ROOT/ab/abcdef... (hex of the name), written as temporary
// file, fsync, rename, folder fsync. Files are immutable (mode 0444) and never replaced. On a
// JuiceFS mount fsync means uploaded.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "dataset/ciphertext_store.h"
#include "store/call_guard.h"

namespace cce::store {

struct DirectoryOptions {
  bool create = false;                      // make the folder where it is missing
  uint64_t keep_free = uint64_t{64} << 20;  // io.disk_full while less than this would be left
  // For a distributed store's mount: every call has the guard's deadline (store.timeout), and what
  // the mount itself fails with is store.failed.
  std::shared_ptr<const CallGuard> guard;
};

class DirectoryStore : public dataset::CiphertextStore {
 public:
  // io.*. With `create` false nothing is ever written to `root` by opening it.
  static Result<std::unique_ptr<DirectoryStore>> Open(const std::string& root,
                                                      const DirectoryOptions& options = {});

  // Whether a process answers for the file system that it lies on (FUSE: JuiceFS).
  bool distributed() const { return distributed_; }
  size_t most_open() const override;
  Result<std::unique_ptr<dataset::ObjectReader>> Open(const dataset::ObjectName& name) override;
  Result<> CheckRoom(uint64_t bytes) override;
  Result<std::unique_ptr<dataset::ObjectWriter>> NewObject(uint64_t expected_size) override;
  Result<> Remove(const dataset::ObjectName& name) override;
  Result<> List(const std::function<Result<>(const dataset::StoredObject&)>& visit) override;

  // Removes temporary files that a killed process left. Only before anything of this process
  // writes.
  Result<> RemoveLeftovers();

 private:
  DirectoryStore(UniqueFd root, bool distributed, const DirectoryOptions& options);
  Result<> Call(std::function<Result<>()> call) const;
  Result<> CollectNames(const std::string& folder, std::vector<std::string>& names) const;
  std::shared_ptr<const UniqueFd> root_;
  bool distributed_;  // on a mount that a process answers
  DirectoryOptions options_;
};

}  // namespace cce::store
