// A dataset's volume of the distributed store, mounted read-only in the CVM by a client in a jail
// (store_jail.h), with a key made for this job.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/subprocess.h"
#include "dataset/ciphertext_store.h"
#include "protocol/store_access.h"
#include "store/call_guard.h"

namespace cce::tee_agent {

struct StoreMountOptions {
  std::string mountpoint;  // absolute; made here
  std::string program;     // the JuiceFS client
  std::string self;        // this program: runs the jail
  uint32_t user = 60001;   // nobody else's
  uint16_t port = 0;       // on 127.0.0.1, leads to the object store
  std::chrono::milliseconds ready_time{60'000};
  std::chrono::milliseconds call_time{60'000};  // of each read
};

// Destroying it ends the client and the mount.
class StoreMount {
 public:
  // Returns when the mount answers. Errors: store.no_client, store.not_mounted, store.timeout,
  // io.*.
  static Result<std::unique_ptr<StoreMount>> Start(const StoreMountOptions& options,
                                                   protocol::StoreAccess access);
  ~StoreMount();
  StoreMount(const StoreMount&) = delete;
  StoreMount& operator=(const StoreMount&) = delete;

  const std::string& folder() const { return options_.mountpoint; }
  // The volume's objects; each read has a deadline.
  Result<std::unique_ptr<dataset::CiphertextStore>> Open() const;
  // Readable (poll) once the client is gone.
  int EndFd() const { return process_->pidfd(); }
  // store.ended once the client is gone.
  Result<> CheckAlive();

 private:
  explicit StoreMount(const StoreMountOptions& options);
  Result<UniqueFd> MountFuse();
  Result<> AwaitReady();

  const StoreMountOptions options_;
  const std::shared_ptr<const store::CallGuard> guard_;
  std::optional<Subprocess> process_;
  bool mounted_ = false;
};

}  // namespace cce::tee_agent
