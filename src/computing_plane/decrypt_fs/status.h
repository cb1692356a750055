// Reports to the parent on one descriptor, a JSON line each.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "computing_plane/decrypt_fs/start_message.h"

namespace cce::decrypt_fs {

// Thread-safe. A parent that is gone is no error here: its closing is noticed elsewhere.
class StatusReporter {
 public:
  explicit StatusReporter(int fd) : fd_(fd) {}
  void Report(const StatusEvent& event);
  // A read that failed; each message only once, and at most kMaxErrors of a code: so what a reader
  // can bring about at will, by asking for undeclared files, hides no damage.
  void ReadError(const Error& error);
  void Failed(const Error& error);

 private:
  static constexpr size_t kMaxErrors = 256;
  const int fd_;
  std::mutex mutex_;
  std::map<std::string, std::set<std::string>> told_;  // messages by code
};

}  // namespace cce::decrypt_fs
