// decrypt-fs: shows one snapshot of one dataset as a read-only file system (start_message.h says
// how it is started).
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "computing_plane/decrypt_fs/filesystem.h"
#include "store/directory_store.h"

namespace cce::decrypt_fs {
namespace {

// Blocked in every thread; read by the watcher.
Result<UniqueFd> CatchSignals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd.valid()) return FailErrno("signalfd", errno);
  return fd;
}

// Nothing else that the parent had open stays, and libfuse's mount helper, if it must run, gets
// neither end.
void KeepOnlyOwnDescriptors() {
  (void)::close_range(kStatusFd + 1, ~0U, 0);
  (void)::fcntl(kStartFd, F_SETFD, FD_CLOEXEC);
  (void)::fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
}

void AllowManyDescriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// Returns why to end: the parent closed its end, or a signal came.
std::string AwaitEnd(int signals) {
  pollfd fds[] = {{.fd = kStartFd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
  while (true) {
    if (::poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return "signal";
    }
    if (fds[1].revents != 0) return "signal";
    if (fds[0].revents != 0) {
      uint8_t byte;
      const ssize_t n = ::read(kStartFd, &byte, 1);
      if (n == 0 || (n < 0 && errno != EINTR)) return "parent_closed";
    }
  }
}

// Ends the process when the mount is gone, the parent is gone or a signal came. Requests under way
// end with the process: a reader gets an error, never waits for a dead mount.
[[noreturn]] void Serve(Mount& mount, const ContentCounts& counts, int signals,
                        StatusReporter& status) {
  std::atomic<bool> ending = false;
  const std::jthread watcher([&] {
    const std::string reason = AwaitEnd(signals);
    if (ending.exchange(true)) return;
    mount.Detach();
    status.Report({.event = "ended", .reason = reason});
    ::_exit(0);
  });
  const std::jthread starter([&] {
    if (const auto ready = mount.AwaitReady(); !ready) {
      status.Failed(ready.error());
      ::_exit(1);
    }
    status.Report({.event = "ready", .files = counts.files, .bytes = counts.bytes});
  });
  const Result<> served = mount.Serve();
  if (ending.exchange(true)) {
    while (true) ::pause();  // the watcher's detaching ended it, and it ends the process
  }
  if (!served) {
    status.Failed(served.error());
    ::_exit(1);
  }
  status.Report({.event = "ended", .reason = "unmounted"});
  ::_exit(0);
}

// Measured. In the page cache a store is as near as what is read: the window should still lie in
// the core's cache when it is copied. A distant one answers the better the more it is asked.
uint32_t ReadAheadFor(const store::DirectoryStore& store) {
  return store.distributed() ? 4096 : 2048;  // KiB
}

Result<> Run(int signals, StatusReporter& status) {
  ASSIGN_OR_RETURN(StartMessage message, ReadStartMessage(kStartFd));
  ASSIGN_OR_RETURN(const auto store, store::DirectoryStore::Open(message.store_dir));
  ASSIGN_OR_RETURN(const auto reader,
                   dataset::SnapshotReader::Open(*store, message.dataset, message.snapshot,
                                                 std::move(message.keys),
                                                 {.cache_bytes = size_t{message.cache_mib} << 20}));
  message.keys.clear();
  if (message.prefetch) {
    ASSIGN_OR_RETURN(const std::vector<uint32_t> objects, reader->ObjectsFor(*message.prefetch));
    TRY(reader->Prefetch(objects, message.prefetch_max_bytes));
  }
  if (message.read_ahead_kb == 0) message.read_ahead_kb = ReadAheadFor(*store);
  ASSIGN_OR_RETURN(const auto mount, Mount::New(message, *reader, status));
  Serve(*mount, reader->index().counts(), signals, status);
}

}  // namespace
}  // namespace cce::decrypt_fs

int main() {
  using namespace cce;
  using namespace cce::decrypt_fs;
  KeepOnlyOwnDescriptors();
  StartLog("decrypt-fs", LogLevel::kInfo);
  StatusReporter status(kStatusFd);
  const auto run = [&]() -> Result<> {
    TRY(HardenProcess());
    ASSIGN_OR_RETURN(const UniqueFd signals, CatchSignals());
    AllowManyDescriptors();
    return Run(signals.get(), status);
  };
  const Result<> outcome = run();
  if (!outcome) {
    status.Failed(outcome.error());
    LogError(LogLevel::kError, "decrypt_fs.failed", outcome.error());
    return 1;
  }
  return 0;
}
