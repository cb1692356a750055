#include "privacy_plane/volumes/volumes.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "privacy_plane/volumes/volume_metadata.h"
#include "store/directory_store.h"
#include "store/juicefs.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;
using protocol::DatasetId;
using protocol::JobId;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kMountTime{20'000};
constexpr milliseconds kToolTime{90'000};
constexpr milliseconds kEndTime{3'000};     // what was acknowledged is durable already
constexpr milliseconds kRetryPause{2'000};  // between tries to mount
constexpr size_t kMaxLog = size_t{1} << 20;
constexpr std::string_view kProbeFile = ".probe";
constexpr size_t kProbeSize = 4096;
constexpr std::string_view kUserPrefix = "job-";

std::string VolumeName(const DatasetId& dataset) { return "ds-" + ToHex(dataset); }

// A job has one user for each of its datasets.
std::string UserName(const JobId& job, const DatasetId& dataset) {
  return std::string(kUserPrefix) + ToHex(job) + "-" +
         ToHex(ByteView(crypto::Sha256(dataset)).first(4));
}

std::string Replaced(std::string text, std::string_view what, const std::string& by) {
  const size_t at = text.find(what);
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

Result<SecretBytes> ReadKeyFile(const std::string& path) {
  ASSIGN_OR_RETURN(SecretBytes whole, ReadSecretFile(path, 4096));
  ByteView bytes = whole.Expose();
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) {
    bytes = bytes.first(bytes.size() - 1);
  }
  if (bytes.empty()) return Fail("config.invalid", path + " holds no key");
  return SecretBytes::CopyOf(bytes);
}

// The root of a mounted JuiceFS has inode 1 and a device of its own.
Result<> CheckMounted(const std::string& mountpoint) {
  struct stat root{};
  struct stat parent{};
  if (::stat(mountpoint.c_str(), &root) != 0) return FailErrno(mountpoint, errno);
  if (::stat((mountpoint + "/..").c_str(), &parent) != 0) return FailErrno(mountpoint, errno);
  if (root.st_ino == 1 && root.st_dev != parent.st_dev) return {};
  return Fail("store.not_mounted", mountpoint + " is no mount");
}

// Past every cache: the bytes come from the object store.
Result<> ReadProbe(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (!fd.valid()) return Fail("store.failed", path + ": " + std::strerror(errno));
  const std::unique_ptr<void, decltype(&std::free)> buffer(std::aligned_alloc(4096, kProbeSize),
                                                           &std::free);
  if (::pread(fd.get(), buffer.get(), kProbeSize, 0) != static_cast<ssize_t>(kProbeSize)) {
    return Fail("store.failed", path + ": " + std::strerror(errno));
  }
  return {};
}

}  // namespace

struct Volumes::Volume {
  DatasetId dataset{};
  std::string metadata;  // URL; empty: not looked up yet
  std::string mountpoint;
  std::string log;
  std::string home;

  std::mutex mutex;  // held while it is mounted or unmounted
  bool formatted = false;
  std::optional<Subprocess> process;
  SteadyClock::time_point tried;  // the last mount

  std::optional<Error> failure;  // under Volumes::mutex_

  std::string LogText() const { return ReadTextFile(log, kMaxLog).value_or(""); }
};

Volumes::Volumes(const JuicefsConfig& config, std::string folder, std::string numbers)
    : config_(config),
      folder_(std::move(folder)),
      numbers_(std::move(numbers)),
      guard_(std::make_shared<store::CallGuard>(milliseconds(config.call_seconds * 1000))) {}

Result<std::unique_ptr<Volumes>> Volumes::New(const JuicefsConfig& config,
                                              const std::string& folder,
                                              const std::string& numbers) {
  std::unique_ptr<Volumes> volumes(new Volumes(config, folder, numbers));
  TRY(volumes->ReadKeys());
  for (const char* name : {"/mounts", "/logs", "/home"}) TRY(MakeFolders(folder + name, 0700));
  volumes->watcher_ = std::thread([self = volumes.get()] { self->Watch(); });
  return volumes;
}

Volumes::~Volumes() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  for (const auto& [dataset, volume] : volumes_) Unmount(*volume);
}

Result<> Volumes::ReadKeys() {
  if (!config_.secret_key_file.empty()) {
    writer_keys_.access_key = config_.access_key;
    ASSIGN_OR_RETURN(writer_keys_.secret_key, ReadKeyFile(config_.secret_key_file));
  }
  if (!config_.admin_secret_key_file.empty()) {
    admin_keys_.access_key = config_.admin_access_key;
    ASSIGN_OR_RETURN(admin_keys_.secret_key, ReadKeyFile(config_.admin_secret_key_file));
  }
  if (!config_.metadata_password_file.empty()) {
    ASSIGN_OR_RETURN(metadata_password_, ReadKeyFile(config_.metadata_password_file));
  }
  return {};
}

Volumes::Volume& Volumes::VolumeOf(const DatasetId& dataset) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Volume>& volume = volumes_[dataset];
  if (!volume) {
    volume = std::make_unique<Volume>();
    const std::string name = ToHex(dataset);
    volume->dataset = dataset;
    volume->mountpoint = folder_ + "/mounts/" + name;
    volume->log = folder_ + "/logs/" + name + ".log";
    volume->home = folder_ + "/home/" + name;
  }
  return *volume;
}

Result<std::string> Volumes::MetadataUrl(const DatasetId& dataset) {
  std::string url = Replaced(config_.metadata, "{dataset}", ToHex(dataset));
  if (url.find("{number}") == std::string::npos) return url;
  const std::lock_guard lock(numbers_mutex_);
  json::object numbers;
  if (::access(numbers_.c_str(), F_OK) == 0) {
    ASSIGN_OR_RETURN(const std::string text, ReadTextFile(numbers_, size_t{64} << 20));
    ASSIGN_OR_RETURN(json::value parsed, ParseJson(text, {.max_bytes = size_t{64} << 20}));
    if (!parsed.is_object()) return Fail("input.malformed", numbers_ + " is no list of volumes");
    numbers = std::move(parsed.get_object());
  }
  const std::string name = ToHex(dataset);
  if (!numbers.contains(name)) {
    int64_t next = 1;
    for (const auto& [other, number] : numbers) {
      if (number.is_int64()) next = std::max(next, number.get_int64() + 1);
    }
    numbers[name] = next;
    TRY(WriteFileAtomic(numbers_, AsBytes(ToJson(numbers)), 0600));
  }
  const json::value& number = numbers[name];
  if (!number.is_int64()) return Fail("input.malformed", numbers_ + " holds no number");
  return Replaced(url, "{number}", std::to_string(number.get_int64()));
}

std::string Volumes::BucketOf(const DatasetId& dataset) const {
  return config_.bucket_prefix + ToHex(dataset);
}

std::string Volumes::BucketUrl(const DatasetId& dataset) const {
  if (config_.storage == "file") return config_.endpoint + "/" + BucketOf(dataset) + "/";
  return config_.endpoint + "/" + BucketOf(dataset);
}

Result<> Volumes::Run(const std::vector<std::string>& command, const std::string& what) {
  RunOptions options;
  options.environment = store::JuicefsEnvironment(
      {writer_keys_.access_key, &writer_keys_.secret_key, &metadata_password_}, folder_ + "/home",
      /*alone=*/false);
  options.deadline = kToolTime;
  ASSIGN_OR_RETURN(const RunOutcome outcome, RunProgram(command, options));
  if (outcome.ok()) return {};
  if (outcome.timed_out) return Fail("store.timeout", what + " takes too long");
  return Fail(store::JuicefsError("store.failed", what + " failed", AsText(outcome.stderr_bytes)));
}

Result<> Volumes::Format(Volume& volume) {
  if (config_.storage == "s3") TRY(s3_.EnsureBucket(BucketOf(volume.dataset)));
  if (config_.storage == "file") TRY(MakeFolders(BucketUrl(volume.dataset), 0700));
  // For a volume that is there already this checks its name and brings its settings up to date.
  TRY(Run({config_.program, "--no-agent", "format", "--trash-days",
           std::to_string(config_.trash_days), "--storage", config_.storage, "--bucket",
           BucketUrl(volume.dataset), volume.metadata, VolumeName(volume.dataset)},
          "formatting the volume of " + AddressText(volume.dataset)));
  volume.formatted = true;
  return {};
}

Result<> Volumes::AwaitMount(Volume& volume) {
  const auto deadline = SteadyClock::now() + kMountTime;
  while (SteadyClock::now() < deadline) {
    if (volume.process->Wait(milliseconds(50))) {
      return Fail(store::JuicefsError(
          "store.not_mounted",
          "the volume of " + AddressText(volume.dataset) + " could not be mounted",
          volume.LogText()));
    }
    const Result<> mounted =
        guard_->Run([path = volume.mountpoint] { return CheckMounted(path); }, milliseconds(5'000));
    if (mounted) return {};
  }
  return Fail(store::JuicefsError(
      "store.not_mounted",
      "the volume of " + AddressText(volume.dataset) + " was not mounted in time",
      volume.LogText()));
}

Result<> Volumes::Mount(Volume& volume) {
  if (volume.metadata.empty()) {
    ASSIGN_OR_RETURN(volume.metadata, MetadataUrl(volume.dataset));
  }
  // Of a client that died, here or in an earlier run; a second mount would stand on the dead one.
  Unmount(volume);
  if (!volume.formatted) TRY(Format(volume));
  TRY(MakeFolders(volume.mountpoint, 0700));
  TRY(MakeFolders(volume.home, 0700));
  const UniqueFd log(
      ::open(volume.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log.valid()) return FailErrno(volume.log, errno);
  const std::vector<std::string> command =
      store::JuicefsMountCommand({.program = config_.program,
                                  .metadata = volume.metadata,
                                  .mountpoint = volume.mountpoint,
                                  .bucket = BucketUrl(volume.dataset)});
  ASSIGN_OR_RETURN(
      Subprocess process,
      Subprocess::Start(
          command, {.environment = store::JuicefsEnvironment(
                        {writer_keys_.access_key, &writer_keys_.secret_key, &metadata_password_},
                        volume.home, /*alone=*/true),
                    .fds = {-1, log.get(), log.get()}}));
  volume.process.emplace(std::move(process));
  TRY(AwaitMount(volume));
  TRY(WriteProbe(volume));
  // Nothing writes here yet: who did before wrote to the mount that is gone.
  const auto swept = store::DirectoryStore::Open(volume.mountpoint, {.guard = guard_})
                         .and_then([](const auto& opened) { return opened->RemoveLeftovers(); });
  if (!swept) LogError(LogLevel::kWarn, "store.not_swept", swept.error());
  return {};
}

Result<> Volumes::WriteProbe(const Volume& volume) const {
  return guard_->Run([path = volume.mountpoint + "/" + std::string(kProbeFile)]() -> Result<> {
    if (::access(path.c_str(), F_OK) == 0) return {};
    return WriteFileAtomic(path, Bytes(kProbeSize, 0), 0400);
  });
}

void Volumes::Unmount(Volume& volume) {
  if (volume.process) {
    volume.process->Signal(SIGTERM);
    if (!volume.process->Wait(kEndTime)) volume.process->Signal(SIGKILL);
    volume.process.reset();
  }
  while (::umount2(volume.mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
}

Result<> Volumes::EnsureMounted(Volume& volume) {
  const std::lock_guard lock(volume.mutex);
  if (volume.process && !volume.process->Wait(milliseconds(0))) return {};
  {
    const std::lock_guard state(mutex_);
    if (volume.failure && SteadyClock::now() - volume.tried < kRetryPause) {
      return Fail(*volume.failure);
    }
  }
  if (volume.process)
    Log(LogLevel::kWarn, "store.client_ended", {{"volume", VolumeName(volume.dataset)}});
  const Result<> mounted = Mount(volume);
  volume.tried = SteadyClock::now();
  const std::lock_guard state(mutex_);
  volume.failure = mounted ? std::nullopt : std::optional(mounted.error());
  if (mounted) {
    Log(LogLevel::kInfo, "store.mounted", {{"volume", VolumeName(volume.dataset)}});
  } else {
    LogError(LogLevel::kError, "store.not_mounted", mounted.error());
    volume.process.reset();
  }
  return mounted;
}

Result<std::shared_ptr<dataset::CiphertextStore>> Volumes::Open(const DatasetId& dataset) {
  Volume& volume = VolumeOf(dataset);
  TRY(EnsureMounted(volume));
  ASSIGN_OR_RETURN(auto opened, store::DirectoryStore::Open(volume.mountpoint, {.guard = guard_}));
  return std::shared_ptr<dataset::CiphertextStore>(std::move(opened));
}

Result<> Volumes::Probe(const Volume& volume) const {
  return guard_->Run(
      [path = volume.mountpoint] {
        return CheckMounted(path).and_then(
            [&] { return ReadProbe(path + "/" + std::string(kProbeFile)); });
      },
      milliseconds(config_.probe_seconds * 1000));
}

Result<> Volumes::Health() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [dataset, volume] : volumes_) {
    if (volume->failure) return Fail(*volume->failure);
  }
  return {};
}

void Volumes::Watch() {
  while (true) {
    std::vector<Volume*> present;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::seconds(config_.probe_seconds),
                     [this] { return stopping_; });
      if (stopping_) return;
      for (const auto& [dataset, volume] : volumes_) present.push_back(volume.get());
    }
    for (Volume* volume : present) {
      if (!EnsureMounted(*volume)) continue;
      const Result<> answered = Probe(*volume);
      const std::lock_guard lock(mutex_);
      if (answered && volume->failure) {
        Log(LogLevel::kInfo, "store.answers_again", {{"volume", VolumeName(volume->dataset)}});
      }
      if (!answered && !volume->failure) {
        LogError(LogLevel::kError, "store.does_not_answer", answered.error());
      }
      volume->failure = answered ? std::nullopt : std::optional(answered.error());
    }
    EndKeys();
  }
}

// ---- readers

Result<std::string> Volumes::Dump(Volume& volume) {
  const std::string path = volume.home + "/" + ToHex(crypto::RandomBytes(8)) + ".json";
  const Result<> dumped = Run({config_.program, "--no-agent", "dump", volume.metadata, path},
                              "reading the metadata of " + AddressText(volume.dataset));
  Result<std::string> text = dumped ? ReadTextFile(path, kMaxVolumeMetadata) : Fail(dumped.error());
  ::unlink(path.c_str());
  return text;
}

Result<> Volumes::UpdateReaders(const DatasetId& dataset) {
  std::vector<S3Reader> readers;
  for (const auto& [name, reader] : readers_) {
    if (reader.dataset == dataset) readers.push_back({name, VolumeName(dataset) + "/chunks/"});
  }
  return s3_.SetReaders(BucketOf(dataset), readers);
}

Result<protocol::StoreAccess> Volumes::Grant(const JobId& job, const DatasetId& dataset,
                                             const std::set<dataset::ObjectName>& objects) {
  if (!HasReaders()) return Fail("store.no_reader", "no key for a job can be made");
  Volume& volume = VolumeOf(dataset);
  TRY(EnsureMounted(volume));
  ASSIGN_OR_RETURN(const std::string dump, Dump(volume));
  protocol::StoreAccess access{.kind = "juicefs", .bucket = BucketOf(dataset)};
  ASSIGN_OR_RETURN(access.metadata, SelectObjects(dump, objects));
  access.access_key = UserName(job, dataset);
  access.secret_key = SecretBytes::CopyOf(AsBytes(ToHex(crypto::RandomBytes(24))));
  const std::lock_guard lock(readers_mutex_);
  TRY(AdoptNow());
  TRY(s3_.CreateUser(access.access_key, access.secret_key));
  ending_.erase(access.access_key);
  readers_[access.access_key] = {job, dataset};
  if (auto set = UpdateReaders(dataset); !set) {
    readers_.erase(access.access_key);
    ending_.insert(access.access_key);
    return Fail(std::move(set).error());
  }
  Log(LogLevel::kInfo, "store.key_made", {{"user", access.access_key}});
  return access;
}

void Volumes::End(const JobId& job) {
  {
    const std::lock_guard lock(readers_mutex_);
    if (adopting_) std::erase_if(*adopting_, [&](const Running& r) { return r.job == job; });
    bool any = adopting_.has_value();
    for (const auto& [name, reader] : readers_) {
      if (reader.job == job) any = ending_.insert(name).second || any;
    }
    if (!any) return;
  }
  EndKeys();
}

// What cannot be done now is done by the watcher later.
void Volumes::EndKeys() {
  if (!HasReaders()) return;
  const std::lock_guard lock(readers_mutex_);
  if (const auto adopted = AdoptNow(); !adopted) {
    LogError(LogLevel::kWarn, "store.keys_not_checked", adopted.error());
    return;
  }
  const std::set<std::string> ending = ending_;
  for (const std::string& name : ending) {
    const auto reader = readers_.find(name);
    Result<> done;
    if (reader != readers_.end()) {
      const Reader gone = reader->second;
      readers_.erase(reader);
      done = UpdateReaders(gone.dataset);
      if (!done) readers_[name] = gone;
    }
    if (done) done = s3_.RemoveUser(name);
    if (done) {
      ending_.erase(name);
      Log(LogLevel::kInfo, "store.key_ended", {{"user", name}});
    } else {
      LogError(LogLevel::kWarn, "store.key_not_ended", done.error(), {{"user", name}});
    }
  }
}

void Volumes::Adopt(const std::vector<Running>& running) {
  if (!HasReaders()) return;
  const std::lock_guard lock(readers_mutex_);
  adopting_ = running;
}

Result<> Volumes::AdoptNow() {
  if (!adopting_) return {};
  std::map<std::string, Reader> known;
  for (const Running& running : *adopting_) {
    for (const DatasetId& dataset : running.datasets) {
      known[UserName(running.job, dataset)] = {running.job, dataset};
    }
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> users, s3_.ListUsers(kUserPrefix));
  for (const std::string& user : users) {
    if (const auto reader = known.find(user); reader != known.end()) {
      readers_.insert(*reader);
    } else {
      ending_.insert(user);
    }
  }
  adopting_.reset();
  return {};
}

}  // namespace cce::privacy_plane
