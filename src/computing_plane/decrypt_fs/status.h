// Reports to the parent on one descriptor, a JSON line each.
#pragma once

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
  // A read that failed; each code and message only once, and at most kMaxErrors in all.
  void ReadError(const Error& error);
  void Failed(const Error& error);

 private:
  static constexpr size_t kMaxErrors = 1024;
  const int fd_;
  std::mutex mutex_;
  std::set<std::string> told_;
};

}  // namespace cce::decrypt_fs
