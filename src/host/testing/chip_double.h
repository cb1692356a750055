// A chip that measures nothing: seals the files and offers a plain folder as the front. For tests
// of the machine's isolation; the chip itself has tests of its own.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"

namespace cce::launcher {

class ChipDouble {
 public:
  explicit ChipDouble(std::string folder);
  ~ChipDouble();
  std::string socket_path() const { return folder_ + "/chip.sock"; }
  std::vector<std::string> roles() const { return roles_; }  // of the last create

 private:
  void Serve();
  void Answer(UniqueFd connection);
  std::string folder_;
  UniqueFd listener_;
  std::vector<std::string> roles_;
  std::vector<UniqueFd> connections_;
  std::thread thread_;
};

}  // namespace cce::launcher
