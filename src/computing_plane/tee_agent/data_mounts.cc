#include "computing_plane/tee_agent/data_mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <numeric>
#include <thread>

#include "base/log.h"
#include "base/subprocess.h"
#include "computing_plane/decrypt_fs/start_message.h"
#include "dataset/sealed_object.h"
#include "dataset/snapshot_reader.h"
#include "store/directory_store.h"

namespace cce::tee_agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMountTime{600'000};  // reads and checks all that was declared
constexpr milliseconds kEndTime{5'000};
constexpr size_t kMaxStatusLine = size_t{128} << 10;
constexpr uint64_t kMaxIndex = uint64_t{4} << 30;

class HttpObjectSource : public ObjectSource {
 public:
  HttpObjectSource(net::HttpClient& http, const std::string& token)
      : http_(http), authorization_("Bearer " + token) {}

  Result<> Fetch(const dataset::DatasetId& dataset, const dataset::ObjectName& object,
                 const Sink& sink) override {
    net::ClientRequest request;
    request.path = "/v1/store/" + protocol::AddressText(dataset) + "/" + ToHex(object);
    request.headers["authorization"] = authorization_;
    request.sink = sink;
    TRY(http_.SendOk(request));
    return {};
  }

 private:
  net::HttpClient& http_;
  const std::string authorization_;
};

class StoreObjectSource : public ObjectSource {
 public:
  explicit StoreObjectSource(dataset::CiphertextStore& store) : store_(store) {}

  Result<> Fetch(const dataset::DatasetId&, const dataset::ObjectName& object,
                 const Sink& sink) override {
    ASSIGN_OR_RETURN(const auto reader, store_.Open(object));
    return dataset::ForEachSlice(*reader, sink);
  }

 private:
  dataset::CiphertextStore& store_;
};

// The next line of a status pipe; nothing at its end, or after `timeout`.
std::optional<std::string> ReadLine(int fd, milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::string line;
  while (line.size() < kMaxStatusLine) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd readable{fd, POLLIN, 0};
    const int wait =
        timeout.count() < 0 ? -1 : static_cast<int>(std::max<int64_t>(left.count(), 0));
    const int ready = ::poll(&readable, 1, wait);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    char c = 0;
    const ssize_t n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    if (c == '\n') return line;
    line += c;
  }
  return std::nullopt;
}

Result<> AwaitReady(int status) {
  const auto line = ReadLine(status, kMountTime);
  if (!line) return Fail("mount.failed", "decrypt-fs said nothing");
  ASSIGN_OR_RETURN(const decrypt_fs::StatusEvent event, decrypt_fs::ParseStatus(*line));
  if (event.event == "ready") return {};
  if (FindErrorInfo(event.code) != nullptr) return Fail(MakeError(event.code, event.message));
  return Fail(MakeError("mount.failed", "decrypt-fs ended before it was ready"));
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<> Empty(dataset::CiphertextStore& store) {
  std::vector<dataset::ObjectName> names;
  TRY(store.List([&](const dataset::StoredObject& object) -> Result<> {
    names.push_back(object.name);
    return {};
  }));
  for (const dataset::ObjectName& name : names) TRY(store.Remove(name));
  return {};
}

dataset::EpochKeys CopyKeys(const std::vector<protocol::EpochKey>& keys) {
  dataset::EpochKeys out;
  for (const protocol::EpochKey& key : keys) out.emplace(key.epoch, key.dek.Clone());
  return out;
}

}  // namespace

std::unique_ptr<ObjectSource> NewHttpObjectSource(net::HttpClient& http, const std::string& token) {
  return std::make_unique<HttpObjectSource>(http, token);
}

std::unique_ptr<ObjectSource> NewStoreObjectSource(dataset::CiphertextStore& store) {
  return std::make_unique<StoreObjectSource>(store);
}

Result<> FetchObject(ObjectSource& source, const dataset::DatasetId& dataset,
                     const dataset::ObjectName& object, uint64_t max_size,
                     dataset::CiphertextStore& store) {
  ASSIGN_OR_RETURN(const auto writer, store.NewObject(0));
  uint64_t size = 0;
  TRY(source.Fetch(dataset, object, [&](ByteView bytes) -> Result<> {
    size += bytes.size();
    if (size > max_size) {
      return Fail("dataset.corrupt", "object " + ToHex(object) + " is longer than it may be");
    }
    return writer->Write(bytes);
  }));
  ASSIGN_OR_RETURN(const dataset::StoredObject stored, writer->Commit());
  if (stored.name == object) return {};
  TRY(store.Remove(stored.name));
  return Fail(MakeError("dataset.corrupt", "an object's digest differs from its name")
                  .Expected(ToHex(object))
                  .Found(ToHex(stored.name)));
}

struct DataMounts::Mounted {
  std::string name;  // 0x<address>
  std::string mountpoint;
  executor::ScratchFolder ciphertext;
  UniqueFd start;  // decrypt-fs ends when it closes
  UniqueFd status;
  std::optional<Subprocess> process;
  std::mutex mutex;
  std::optional<Error> read_error;  // the first that is not the reader's own doing
  std::jthread follower;

  ~Mounted() { End(); }

  // Afterwards everything that decrypt-fs reported has been read.
  void End() {
    start.Reset();
    if (process && !process->Wait(kEndTime)) process.reset();
    if (follower.joinable()) follower.join();
    // Where decrypt-fs could not.
    ::umount2(mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }

  std::optional<Error> ReadError() {
    const std::lock_guard lock(mutex);
    return read_error;
  }

  // Reads what decrypt-fs reports while the container runs, to the end, lest it blocks. A reader
  // that met damage may go on without what it could not read, and its result would not be one of
  // this dataset: so the process is ended, which stops the container.
  void Follow(const UniqueFd& child) {
    while (const auto line = ReadLine(status.get(), milliseconds(-1))) {
      const auto event = decrypt_fs::ParseStatus(*line);
      if (!event || event->event != "read_error") continue;
      Log(LogLevel::kWarn, "data.read_error", {{"dataset", name}, {"code", event->code}});
      if (event->code == "dataset.not_prefetched") continue;
      const bool named = event->code.starts_with("dataset.") || event->code.starts_with("store.");
      {
        const std::lock_guard lock(mutex);
        if (!read_error) {
          read_error = MakeError(named ? event->code : "store.failed",
                                 "a read of " + name + " failed: " + event->message);
        }
      }
      ::syscall(SYS_pidfd_send_signal, child.get(), SIGKILL, nullptr, 0);
    }
  }
};

DataMounts::DataMounts(DataMountOptions options) : options_(std::move(options)) {}
DataMounts::~DataMounts() { End(); }
void DataMounts::End() { mounted_.clear(); }

Result<> DataMounts::EndWell() {
  TRY(CheckAlive());
  std::optional<Error> error;
  for (const auto& mounted : mounted_) {
    mounted->End();
    if (!error) error = mounted->ReadError();
  }
  mounted_.clear();
  if (error) return Fail(std::move(*error));
  return {};
}

std::vector<executor::DatasetMount> DataMounts::mounts() const {
  std::vector<executor::DatasetMount> out;
  out.reserve(mounted_.size());
  for (const auto& mounted : mounted_) out.push_back({mounted->name, mounted->mountpoint});
  return out;
}

std::vector<int> DataMounts::EndFds() const {
  std::vector<int> out;
  out.reserve(mounted_.size());
  for (const auto& mounted : mounted_) out.push_back(mounted->process->pidfd());
  return out;
}

Result<> DataMounts::CheckAlive() const {
  for (const auto& mounted : mounted_) {
    if (auto error = mounted->ReadError()) return Fail(std::move(*error));
    const std::optional<int> status = mounted->process->Wait(milliseconds(0));
    if (!status) continue;
    return Fail(MakeError("mount.crashed", "the process that shows " + mounted->name + " has ended")
                    .Found(WIFSIGNALED(*status)
                               ? "signal " + std::to_string(WTERMSIG(*status))
                               : "exit code " + std::to_string(WEXITSTATUS(*status))));
  }
  return {};
}

namespace {

// The index first, as only it tells what else is needed; then those objects. Returns their bytes.
Result<uint64_t> Prefetch(const protocol::JobDataset& declared,
                          const protocol::ReleasedDataset& released, ObjectSource& source,
                          dataset::CiphertextStore& store, uint64_t room, const RetryRule& retry) {
  const auto fetch = [&](const dataset::ObjectName& name, uint64_t max_size) {
    return Repeat(retry,
                  [&] { return FetchObject(source, released.dataset, name, max_size, store); });
  };
  const uint64_t max_index = std::min(room, kMaxIndex);
  TRY(fetch(released.snapshot, max_index));
  ASSIGN_OR_RETURN(const auto reader, dataset::SnapshotReader::Open(
                                          store, released.dataset, released.snapshot,
                                          CopyKeys(released.keys), {.max_index_bytes = max_index}));
  const std::vector<dataset::IndexObject>& all = reader->index().objects();
  std::vector<uint32_t> needed(all.size());
  std::iota(needed.begin(), needed.end(), 0);
  if (!declared.files.empty()) {
    ASSIGN_OR_RETURN(needed, reader->ObjectsFor(declared.files));
  }
  const uint64_t bytes = reader->SealedBytes(needed);
  if (bytes > room) {
    return Fail(MakeError("dataset.too_large", "the declared files do not fit the machine's memory")
                    .Expected("at most " + std::to_string(room) + " bytes")
                    .Found(std::to_string(bytes) + " bytes"));
  }
  for (const uint32_t object : needed) TRY(fetch(all[object].name, all[object].sealed_size));
  return bytes;
}

}  // namespace

Result<> DataMounts::Add(const protocol::JobDataset& declared, protocol::ReleasedDataset released,
                         ObjectSource& source) {
  if (released.access_mode != "prefetch") {
    return Fail(MakeError("policy.access_mode", "this guest fetches data before the job starts")
                    .Expected("prefetch")
                    .Found(released.access_mode));
  }
  ASSIGN_OR_RETURN(auto mounted, NewMounted(released.dataset));
  const std::string store_folder = options_.folder + "/store-" + mounted->name;
  const uint64_t room = options_.room - used_;
  // More than the objects take: the index, folders and pages half filled.
  ASSIGN_OR_RETURN(mounted->ciphertext,
                   executor::ScratchFolder::Mount(store_folder, room + room / 2 + (1 << 20)));
  ASSIGN_OR_RETURN(const auto store, store::DirectoryStore::Open(store_folder, {.keep_free = 0}));
  ASSIGN_OR_RETURN(const uint64_t bytes,
                   Prefetch(declared, released, source, *store, room, options_.retry));
  used_ += bytes;
  // The whole snapshot lies here and is read from here. A selection decrypt-fs takes into its own
  // memory: it then tells a file that was not declared from one that is damaged.
  std::optional<std::vector<std::string>> prefetch;
  if (!declared.files.empty()) prefetch = declared.files;
  TRY(StartDecryptFs(*mounted, std::move(released), store_folder, prefetch, room));
  if (prefetch) TRY(Empty(*store));
  mounted_.push_back(std::move(mounted));
  return {};
}

Result<> DataMounts::AddOnDemand(protocol::ReleasedDataset released,
                                 const std::string& store_folder) {
  ASSIGN_OR_RETURN(auto mounted, NewMounted(released.dataset));
  TRY(StartDecryptFs(*mounted, std::move(released), store_folder, std::nullopt, 0));
  mounted_.push_back(std::move(mounted));
  return {};
}

Result<std::unique_ptr<DataMounts::Mounted>> DataMounts::NewMounted(
    const dataset::DatasetId& dataset) const {
  auto mounted = std::make_unique<Mounted>();
  mounted->name = protocol::AddressText(dataset);
  mounted->mountpoint = options_.folder + "/" + mounted->name;
  TRY(MakeFolders(mounted->mountpoint, 0711));
  return mounted;
}

Result<> DataMounts::StartDecryptFs(Mounted& mounted, protocol::ReleasedDataset released,
                                    const std::string& store_folder,
                                    const std::optional<std::vector<std::string>>& prefetch,
                                    uint64_t room) {
  decrypt_fs::StartMessage message{.dataset = released.dataset,
                                   .snapshot = released.snapshot,
                                   .store_dir = store_folder,
                                   .mountpoint = mounted.mountpoint,
                                   .uid = options_.owner,
                                   .gid = options_.owner,
                                   .prefetch = prefetch,
                                   .prefetch_max_bytes = room};
  for (protocol::EpochKey& key : released.keys) {
    message.keys.emplace(key.epoch, std::move(key.dek));
  }
  ASSIGN_OR_RETURN(Pipe start, MakePipe());
  ASSIGN_OR_RETURN(Pipe status, MakePipe());
  ASSIGN_OR_RETURN(
      Subprocess process,
      Subprocess::Start({options_.decrypt_fs},
                        {.fds = {-1, -1, STDERR_FILENO, start.reader.get(), status.writer.get()}}));
  mounted.process.emplace(std::move(process));
  mounted.start = std::move(start.writer);
  mounted.status = std::move(status.reader);
  start.reader.Reset();
  status.writer.Reset();
  TRY(WriteAll(mounted.start.get(), decrypt_fs::EncodeStartMessage(message).Expose()));
  message.keys.clear();
  TRY(AwaitReady(mounted.status.get()));
  UniqueFd child(::fcntl(mounted.process->pidfd(), F_DUPFD_CLOEXEC, 0));
  if (!child.valid()) return FailErrno("a process descriptor", errno);
  mounted.follower = std::jthread([&mounted, child = std::move(child)] { mounted.Follow(child); });
  return {};
}

}  // namespace cce::tee_agent
