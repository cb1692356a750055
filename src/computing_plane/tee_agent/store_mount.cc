#include "computing_plane/tee_agent/store_mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "base/file.h"
#include "base/log.h"
#include "computing_plane/tee_agent/store_jail.h"
#include "store/directory_store.h"

namespace cce::tee_agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kEndTime{5'000};

}  // namespace

StoreMount::StoreMount(const StoreMountOptions& options)
    : options_(options), guard_(std::make_shared<store::CallGuard>(options.call_time)) {}

StoreMount::~StoreMount() {
  if (process_) {
    process_->Signal(SIGKILL);  // read-only: there is nothing to flush
    process_->Wait(kEndTime);
    process_.reset();
  }
  if (mounted_) ::umount2(options_.mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

Result<UniqueFd> StoreMount::MountFuse() {
  TRY(MakeFolders(options_.mountpoint, 0711));
  UniqueFd fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!fuse.valid()) return FailErrno("/dev/fuse", errno);
  const std::string user = std::to_string(options_.user);
  const std::string data = "fd=" + std::to_string(fuse.get()) + ",rootmode=40000,user_id=" + user +
                           ",group_id=" + user + ",default_permissions,allow_other";
  if (::mount("juicefs", options_.mountpoint.c_str(), "fuse.juicefs",
              MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, data.c_str()) != 0) {
    return FailErrno("mounting " + options_.mountpoint, errno);
  }
  mounted_ = true;
  return fuse;
}

Result<> StoreMount::AwaitReady() {
  // The first question waits until the client serves, and fails once the client is gone.
  const Result<> answered = guard_->Run(
      [path = options_.mountpoint]() -> Result<> {
        struct stat root{};
        if (::stat(path.c_str(), &root) != 0 || root.st_ino != 1) {
          return FailErrno(path, errno);
        }
        return {};
      },
      options_.ready_time);
  if (answered) return {};
  return Fail(MakeError("store.not_mounted", "the dataset's volume did not come up")
                  .Detail(answered.error().message));
}

Result<std::unique_ptr<StoreMount>> StoreMount::Start(const StoreMountOptions& options,
                                                      protocol::StoreAccess access) {
  if (::access(options.program.c_str(), X_OK) != 0) {
    return Fail("store.no_client", "the guest has no program " + options.program);
  }
  std::unique_ptr<StoreMount> mount(new StoreMount(options));
  ASSIGN_OR_RETURN(UniqueFd fuse, mount->MountFuse());
  const JailOrder order{
      .program = options.program,
      .mountpoint = options.mountpoint,
      .bucket = "http://127.0.0.1:" + std::to_string(options.port) + "/" + access.bucket,
      .user = options.user,
      .access_key = access.access_key,
      .secret_key = std::move(access.secret_key),
      .metadata = std::move(access.metadata)};
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  UniqueFd reader(pipe[0]);
  UniqueFd writer(pipe[1]);
  ASSIGN_OR_RETURN(Subprocess process,
                   Subprocess::Start({options.self, std::string(kJailArgument)},
                                     {.fds = {-1, -1, STDERR_FILENO, reader.get(), fuse.get()}}));
  mount->process_.emplace(std::move(process));
  reader.Reset();
  fuse.Reset();  // the client alone holds it: its end is the mount's
  std::string text = EncodeJailOrder(order);
  const Result<> told = WriteAll(writer.get(), AsBytes(text));
  Wipe(text);
  TRY(told);
  writer.Reset();
  TRY(mount->AwaitReady());
  Log(LogLevel::kInfo, "agent.store_mounted", {{"bucket", access.bucket}});
  return mount;
}

Result<std::unique_ptr<dataset::CiphertextStore>> StoreMount::Open() const {
  ASSIGN_OR_RETURN(auto opened,
                   store::DirectoryStore::Open(options_.mountpoint, {.guard = guard_}));
  return std::unique_ptr<dataset::CiphertextStore>(std::move(opened));
}

Result<> StoreMount::CheckAlive() {
  if (process_ && !process_->Wait(milliseconds(0))) return {};
  return Fail("store.ended", "the client of the dataset's volume has ended");
}

}  // namespace cce::tee_agent
