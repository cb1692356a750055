#include "sim/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "protocol/simulated_chip.h"
#include "sim/chip.h"
#include "sim/collateral_service.h"
#include "sim/front.h"
#include "sim/measure.h"
#include "sim/snp_report.h"
#include "sim/tdx_quote.h"

namespace cce::sim {
namespace {

constexpr size_t kMaxMachines = 64;

// A folder that ends with this object.
class FrontFolder {
 public:
  static Result<FrontFolder> New(const std::string& run) {
    std::string path = run + "/front-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return FailErrno("making a folder in " + run, errno);
    FrontFolder out(path);
    // Guests reach the front through a bind made by the launcher, as users of their own.
    if (chmod(path.c_str(), 0755) != 0) return FailErrno(path, errno);
    return out;
  }
  FrontFolder(FrontFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  FrontFolder& operator=(FrontFolder&&) = delete;
  ~FrontFolder() {
    if (!path_.empty()) rmdir(path_.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  explicit FrontFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class Server {
 public:
  Server(Chip chip, const ServeOptions& options) : chip_(std::move(chip)), options_(options) {}
  ~Server() { Stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Result<> Start();
  Result<> Run();

 private:
  struct Worker {
    std::atomic<bool> done = false;
    std::thread thread;
  };
  // Made at the first machine or request that needs it: its keys take seconds to find.
  Result<const SnpChip*> Snp();
  Result<std::unique_ptr<const ReportSource>> NewSource(
      const std::string& tee, const protocol::ChipMeasurement& measurement,
      const std::string& defect);
  Result<> PrepareRunFolder();
  Result<> StartCollateralService();
  Result<> StartPermanentFront();
  void AnnounceReady() const;
  void Stop();
  void Reap();
  void Accept();
  void ServeConnection(UniqueFd connection);
  Result<> ServeMachine(int connection);

  const Chip chip_;
  const ServeOptions options_;
  const Clock& clock_ = SystemClock();
  std::mutex snp_mutex_;
  std::optional<const SnpChip> snp_;
  std::unique_ptr<net::HttpServer> collateral_;
  std::string run_;    // absolute
  std::string mount_;  // of the permanent front, absolute
  UniqueFd run_lock_;
  UniqueFd stop_;     // readable: all threads end
  UniqueFd signals_;  // SIGINT, SIGTERM
  UniqueFd listener_;
  std::optional<protocol::ChipMeasurement> permanent_;
  std::list<Worker> workers_;
};

Result<const SnpChip*> Server::Snp() {
  const std::scoped_lock lock(snp_mutex_);
  if (!snp_) {
    ASSIGN_OR_RETURN(SnpChip chip, SnpChip::Open(SnpFolder(options_.state, options_.snp_product),
                                                 options_.snp_product, clock_));
    snp_.emplace(std::move(chip));
  }
  return &*snp_;
}

Result<std::unique_ptr<const ReportSource>> Server::NewSource(
    const std::string& tee, const protocol::ChipMeasurement& measurement,
    const std::string& defect) {
  if (tee == "snp") {
    ASSIGN_OR_RETURN(const SnpDefect* row, FindSnpDefect(defect));
    ASSIGN_OR_RETURN(const SnpChip* chip, Snp());
    return std::make_unique<SnpReportSource>(*chip, measurement, *row);
  }
  ASSIGN_OR_RETURN(const Defect* row, FindDefect(defect));
  return std::make_unique<TdxQuoteSource>(chip_, measurement, *row);
}

Result<> Server::StartCollateralService() {
  ASSIGN_OR_RETURN(const CollateralDefect* defect,
                   FindCollateralDefect(options_.collateral_defect));
  ASSIGN_OR_RETURN(
      collateral_,
      net::HttpServer::Start({.port = *options_.collateral_port, .worker_threads = 4},
                             CollateralRoutes(chip_, [this] { return Snp(); }, clock_, *defect)));
  return {};
}

Result<> Server::PrepareRunFolder() {
  run_ = options_.run;
  if (run_.empty()) run_ = std::filesystem::path(options_.socket).parent_path() / "fronts";
  TRY(MakeFolders(run_));
  std::error_code error;
  run_ = std::filesystem::canonical(run_, error);
  if (error) return Fail("io.failed", "the run folder: " + error.message());
  // One chip a run folder: a second would unmount the first one's fronts as stale.
  run_lock_ = UniqueFd(open((run_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!run_lock_.valid()) return FailErrno(run_ + "/lock", errno);
  if (flock(run_lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail("io.failed", "another tsm-sim uses the run folder " + run_);
  }
  TRY(UnmountStaleFronts(run_));
  for (const auto& entry : std::filesystem::directory_iterator(run_, error)) {
    if (entry.path().filename().string().starts_with("front-")) rmdir(entry.path().c_str());
  }
  return {};
}

Result<> Server::StartPermanentFront() {
  TRY(MakeFolders(options_.mount));
  std::error_code error;
  mount_ = std::filesystem::canonical(options_.mount, error);
  if (error) return Fail("io.failed", options_.mount + ": " + error.message());
  ASSIGN_OR_RETURN(const std::vector<SealedFile> files, SealNamedFiles(options_.files));
  ASSIGN_OR_RETURN(permanent_, Measure(options_.guest, files));
  ASSIGN_OR_RETURN(auto source, NewSource(options_.tee, *permanent_, options_.defect));
  ASSIGN_OR_RETURN(auto front, Front::Mount(mount_, std::move(source)));
  Worker& worker = workers_.emplace_back();
  worker.thread = std::thread([this, &worker, front = std::move(front)]() mutable {
    if (!front->Serve({stop_.get()})) Log(LogLevel::kError, "permanent front was unmounted");
    front.reset();
    worker.done = true;
  });
  return {};
}

Result<> Server::Start() {
  // Every thread inherits this mask: the signals come by way of the descriptor only.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return FailErrno("blocking signals", error);
  }
  signals_ = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC));
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!signals_.valid() || !stop_.valid()) return FailErrno("setting up signals", errno);
  if (!options_.mount.empty()) {
    // A predecessor's mount would make even canonical() fail.
    TRY(UnmountStaleFronts(std::filesystem::absolute(options_.mount).lexically_normal()));
    TRY(StartPermanentFront());
  }
  if (!options_.socket.empty()) {
    TRY(PrepareRunFolder());
    ASSIGN_OR_RETURN(listener_, protocol::ListenSeqpacket(options_.socket));
  }
  if (options_.collateral_port) TRY(StartCollateralService());
  AnnounceReady();
  return {};
}

void Server::AnnounceReady() const {
  json::object line{{"ready", true}};
  if (listener_.valid()) line["socket"] = options_.socket;
  if (permanent_) {
    line["front"] = json::object{{"name", options_.front},
                                 {"mount", mount_},
                                 {"measurement", protocol::ChipMeasurementToJson(*permanent_)}};
  }
  if (collateral_) line["collateral"] = "http://127.0.0.1:" + std::to_string(collateral_->port());
  std::puts(ToJson(line).c_str());
  std::fflush(stdout);
}

Result<> Server::Run() {
  while (true) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (poll(fds, listener_.valid() ? 2 : 1, -1) < 0) {
      if (errno == EINTR) continue;
      return FailErrno("waiting for connections", errno);
    }
    if (fds[0].revents != 0) return {};
    if (fds[1].revents != 0) Accept();
  }
}

void Server::Accept() {
  UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.valid()) return;
  Reap();
  if (workers_.size() >= kMaxMachines) {
    const Error error = MakeError("internal.unavailable", "the chip serves too many machines");
    (void)protocol::SendFdMessage(connection.get(), protocol::EncodeChipError(error), {});
    return;
  }
  Worker& worker = workers_.emplace_back();
  worker.thread = std::thread([this, &worker, connection = std::move(connection)]() mutable {
    ServeConnection(std::move(connection));
    worker.done = true;
  });
}

void Server::ServeConnection(UniqueFd connection) {
  // The first message, or the end, whichever comes first.
  pollfd fds[] = {{connection.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  if (fds[1].revents != 0) return;
  const Result<> served = ServeMachine(connection.get());
  if (served) return;
  LogError(LogLevel::kWarn, "machine refused", served.error());
  (void)protocol::SendFdMessage(connection.get(), protocol::EncodeChipError(served.error()), {});
}

Result<> Server::ServeMachine(int connection) {
  ASSIGN_OR_RETURN(protocol::FdMessage message, protocol::ReceiveFdMessage(connection));
  if (message.text.empty()) return {};
  ASSIGN_OR_RETURN(const protocol::ChipCreate create, protocol::DecodeChipCreate(message.text));
  if (message.fds.size() != create.roles.size()) {
    return Fail(MakeError("input.malformed", "there must be one file for each role")
                    .Expected(std::to_string(create.roles.size()))
                    .Found(std::to_string(message.fds.size())));
  }
  std::vector<SealedFile> files;
  for (size_t i = 0; i < create.roles.size(); ++i) {
    ASSIGN_OR_RETURN(SealedFile file, SealFile(create.roles[i], message.fds[i].get()));
    files.push_back(std::move(file));
  }
  message.fds.clear();
  ASSIGN_OR_RETURN(const protocol::ChipMeasurement measurement, Measure(create.guest, files));
  ASSIGN_OR_RETURN(auto source, NewSource(create.tee, measurement,
                                          create.defect.empty() ? options_.defect : create.defect));
  ASSIGN_OR_RETURN(const FrontFolder folder, FrontFolder::New(run_));
  ASSIGN_OR_RETURN(const auto front, Front::Mount(folder.path(), std::move(source)));
  std::vector<int> fds;
  fds.reserve(files.size());
  for (const SealedFile& file : files) fds.push_back(file.fd.get());
  TRY(protocol::SendFdMessage(
      connection, protocol::EncodeChipCreated({.front = folder.path(), .measurement = measurement}),
      fds));
  files.clear();  // the launcher holds them now
  Log(LogLevel::kInfo, "machine created",
      {{"front", folder.path()},
       {"tee", create.tee},
       {"guest", create.guest},
       {"mrtd", ToHex(measurement.mrtd)},
       {"launch_digest", ToHex(measurement.launch_digest)}});
  front->Serve({connection, stop_.get()});
  Log(LogLevel::kInfo, "machine ended", {{"front", folder.path()}});
  return {};
}

void Server::Reap() {
  for (auto it = workers_.begin(); it != workers_.end();) {
    if (!it->done) {
      ++it;
      continue;
    }
    it->thread.join();
    it = workers_.erase(it);
  }
}

void Server::Stop() {
  collateral_.reset();
  const uint64_t one = 1;
  if (stop_.valid()) (void)!write(stop_.get(), &one, sizeof(one));
  for (Worker& worker : workers_) {
    if (worker.thread.joinable()) worker.thread.join();
  }
  workers_.clear();
  if (listener_.valid()) unlink(options_.socket.c_str());
}

}  // namespace

Result<> Serve(const ServeOptions& options) {
  if (options.socket.empty() && options.mount.empty() && !options.collateral_port) {
    return Fail("input.missing_member",
                "serve needs --socket, --collateral-port, or --mount with --file");
  }
  // Before anything exists: a wrong name is an error at start, not at the first machine.
  const auto defect = FindDefect(options.defect);
  if (!defect && !FindSnpDefect(options.defect)) return Unexpected(defect.error());
  const auto product = FindSnpProduct(options.snp_product);
  if (!product) return Unexpected(product.error());
  ASSIGN_OR_RETURN(Chip chip, Chip::Open(options.state, SystemClock()));
  Server server(std::move(chip), options);
  TRY(server.Start());
  return server.Run();
}

}  // namespace cce::sim
