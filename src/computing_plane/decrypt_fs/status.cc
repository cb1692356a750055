#include "computing_plane/decrypt_fs/status.h"

#include "base/file.h"

namespace cce::decrypt_fs {
namespace {

std::string TextOf(const Error& error) {
  std::string text = error.message;
  if (!error.expected.empty()) text += "; expected " + error.expected;
  if (!error.found.empty()) text += "; found " + error.found;
  return text;
}

}  // namespace

void StatusReporter::Report(const StatusEvent& event) {
  const std::lock_guard lock(mutex_);
  (void)WriteAll(fd_, AsBytes(EncodeStatus(event)));
}

void StatusReporter::ReadError(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    std::set<std::string>& told = told_[error.code];
    if (told.size() >= kMaxErrors || !told.insert(error.message).second) return;
  }
  Report({.event = "read_error", .code = error.code, .message = TextOf(error)});
}

void StatusReporter::Failed(const Error& error) {
  Report({.event = "failed", .code = error.code, .message = TextOf(error)});
}

}  // namespace cce::decrypt_fs
