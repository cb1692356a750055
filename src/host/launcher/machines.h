// The machines of this launcher: started on request, each with a relay of its own, kept track of to
// their end.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "host/launcher/config.h"
#include "host/launcher/cvm_provider.h"
#include "protocol/machine.h"

namespace cce::launcher {

// Thread-safe.
class Machines {
 public:
  Machines(const LauncherConfig& config, std::unique_ptr<CvmProvider> provider);
  ~Machines();  // ends all

  // A repeat of a request with the same id starts nothing new, whatever else it says.
  // Errors: machine.refused (beyond the configuration), machine.full, machine.start_failed,
  // chip.refused, ...
  Result<protocol::MachineState> Start(const protocol::MachineRequest& request);
  // Errors of these: machine.not_found; RenewLease also machine.ended.
  Result<protocol::MachineState> Find(const ByteArray<16>& id);
  Result<protocol::MachineState> RenewLease(const ByteArray<16>& id);
  Result<protocol::MachineState> End(const ByteArray<16>& id);

  size_t Running();

 private:
  struct Entry;
  Result<> Check(const protocol::MachineRequest& request) const;
  Result<> Launch(const protocol::MachineRequest& request, Entry& entry);
  std::shared_ptr<Entry> Lookup(const ByteArray<16>& id);
  void Forget();  // the oldest ended ones beyond a bound

  const LauncherConfig& config_;
  std::unique_ptr<CvmProvider> provider_;
  std::mutex mutex_;
  std::map<ByteArray<16>, std::shared_ptr<Entry>> entries_;
  uint64_t started_ = 0;
};

}  // namespace cce::launcher
