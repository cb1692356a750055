#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cce {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Milliseconds until `deadline` for poll, never negative.
int Remaining(SteadyClock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, 1 << 30));
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

struct SpawnState {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnState() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnState() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnState(const SpawnState&) = delete;
  SpawnState& operator=(const SpawnState&) = delete;
};

// Reads what is there into `kept`, up to `max`; false once the pipe has ended.
bool Drain(int fd, size_t max, Bytes& kept, bool& cut) {
  uint8_t buffer[16384];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  const size_t take = std::min(static_cast<size_t>(n), max - kept.size());
  kept.insert(kept.end(), buffer, buffer + take);
  cut = cut || take < static_cast<size_t>(n);
  return true;
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Writes what the pipe takes; false once all is written or the reader is gone.
bool Feed(int fd, ByteView& rest) {
  const ssize_t n = write(fd, rest.data(), rest.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  rest = rest.subspan(static_cast<size_t>(n));
  return !rest.empty();
}

// A write to a child that has gone must be an error, not a signal: blocks SIGPIPE for this thread
// and takes one that came up meanwhile.
class SigpipeBlock {
 public:
  SigpipeBlock() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeBlock() {
    const timespec now{};
    if (!sigismember(&before_, SIGPIPE)) sigtimedwait(&pipe_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlock(const SigpipeBlock&) = delete;
  SigpipeBlock& operator=(const SigpipeBlock&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
};

constexpr std::chrono::milliseconds kAskAgain{20};

// When the child must end and what has been done about it.
class Ending {
 public:
  explicit Ending(const RunOptions& options)
      : options_(options), next_(SteadyClock::now() + options.deadline) {}

  // For poll.
  int Left() const { return Remaining(next_); }
  // What to watch; nothing once the child's end has begun.
  std::vector<pollfd> StopFds() const {
    std::vector<pollfd> out;
    if (begun_) return out;
    for (const int fd : options_.stop_fds) out.push_back({fd, POLLIN, 0});
    return out;
  }
  // Does what is due. True: the child is to be killed.
  bool Advance(bool stop, RunOutcome& outcome) {
    const SteadyClock::time_point now = SteadyClock::now();
    if (!stop && now < next_) return false;
    if (!std::exchange(begun_, true)) {
      outcome.stopped = stop;
      outcome.timed_out = !stop;
      last_ = options_.end_child ? now + options_.grace : now;
    }
    if (now >= last_) return true;
    next_ = options_.end_child() ? last_ : std::min(last_, now + kAskAgain);
    return false;
  }

 private:
  const RunOptions& options_;
  SteadyClock::time_point next_;
  SteadyClock::time_point last_;
  bool begun_ = false;
};

std::string LastLine(ByteView bytes) {
  std::string_view text = AsText(bytes);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const size_t start = text.rfind('\n');
  if (start != std::string_view::npos) text.remove_prefix(start + 1);
  std::string out(text.substr(0, 500));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace

Result<Subprocess> Subprocess::Start(const std::vector<std::string>& argv,
                                     const SpawnOptions& options) {
  if (argv.empty()) return Fail("internal.bug", "a program without a name");
  // Sources are first copied above the child's range, so that no dup2 there overwrites a later
  // one's source.
  const int first_free = static_cast<int>(options.fds.size()) + 8;
  UniqueFd null_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_fd.valid()) return FailErrno("opening /dev/null", errno);
  SpawnState state;
  std::vector<UniqueFd> copies;
  for (size_t i = 0; i < options.fds.size(); ++i) {
    const int source = options.fds[i] < 0 ? null_fd.get() : options.fds[i];
    UniqueFd copy(fcntl(source, F_DUPFD_CLOEXEC, first_free));
    if (!copy.valid()) return FailErrno("copying a descriptor", errno);
    posix_spawn_file_actions_adddup2(&state.actions, copy.get(), static_cast<int>(i));
    copies.push_back(std::move(copy));
  }
  posix_spawn_file_actions_addclosefrom_np(&state.actions, static_cast<int>(options.fds.size()));
  if (!options.working_folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&state.actions, options.working_folder.c_str());
  }
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setflags(&state.attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setpgroup(&state.attributes, 0);
  posix_spawnattr_setsigdefault(&state.attributes, &all);
  posix_spawnattr_setsigmask(&state.attributes, &none);

  const std::vector<char*> arguments = Pointers(argv);
  const std::vector<char*> environment = Pointers(options.environment);
  Subprocess out;
  const int error = posix_spawn(&out.pid_, argv[0].c_str(), &state.actions, &state.attributes,
                                arguments.data(), environment.data());
  if (error != 0) {
    out.pid_ = -1;
    return FailErrno("starting " + argv[0], error);
  }
  out.pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, out.pid_, 0)));
  if (!out.pidfd_.valid()) return FailErrno("pidfd_open", errno);
  return out;
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    End();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

Subprocess::~Subprocess() { End(); }

void Subprocess::End() {
  if (pid_ < 0 || status_) return;
  Signal(SIGKILL);
  Wait(std::chrono::milliseconds(-1));
  pid_ = -1;
}

void Subprocess::Signal(int signal) {
  if (pid_ > 0 && !status_) kill(-pid_, signal);
}

std::optional<int> Subprocess::Wait(std::chrono::milliseconds timeout) {
  if (pid_ < 0 || status_) return status_;
  const bool forever = timeout.count() < 0;
  const SteadyClock::time_point deadline = SteadyClock::now() + timeout;
  while (true) {
    int status = 0;
    const pid_t got = waitpid(pid_, &status, pidfd_.valid() && !forever ? WNOHANG : 0);
    if (got == pid_) return status_ = status;
    if (got < 0 && errno != EINTR) return status_ = W_EXITCODE(255, 0);  // reaped by another
    if (got == 0) {
      const int left = Remaining(deadline);
      pollfd ended{pidfd_.get(), POLLIN, 0};
      if (poll(&ended, 1, left) == 0 && SteadyClock::now() >= deadline) return std::nullopt;
    }
  }
}

Result<RunOutcome> RunProgram(const std::vector<std::string>& argv, const RunOptions& options) {
  const SigpipeBlock sigpipe;
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  Pipe in;
  if (!options.input.empty()) {
    ASSIGN_OR_RETURN(in, MakePipe());
    fcntl(in.write_end.get(), F_SETFL, O_NONBLOCK);
  }
  SpawnOptions spawn{.environment = options.environment,
                     .working_folder = options.working_folder,
                     .fds = {in.read_end.get(), out.write_end.get(), err.write_end.get()}};
  spawn.fds.insert(spawn.fds.end(), options.more_fds.begin(), options.more_fds.end());
  ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(argv, spawn));
  in.read_end.Reset();
  out.write_end.Reset();
  err.write_end.Reset();

  RunOutcome result;
  Ending ending(options);
  ByteView rest = options.input;
  bool out_open = true;
  bool err_open = true;
  // Ends when the child has: a grandchild that keeps a pipe open does not hold this up.
  bool child_alive = true;
  while (child_alive || out_open || err_open) {
    std::vector<pollfd> fds = {{out_open ? out.read_end.get() : -1, POLLIN, 0},
                               {err_open ? err.read_end.get() : -1, POLLIN, 0},
                               {in.write_end.get(), POLLOUT, 0},
                               {child_alive ? child.pidfd() : -1, POLLIN, 0}};
    const std::vector<pollfd> stops = ending.StopFds();
    fds.insert(fds.end(), stops.begin(), stops.end());
    const int ready = poll(fds.data(), fds.size(), child_alive ? ending.Left() : 0);
    if (ready < 0 && errno != EINTR) return FailErrno("poll", errno);
    if (ready == 0 && !child_alive) break;
    const bool stop = ready > 0 && std::any_of(fds.begin() + 4, fds.end(),
                                               [](const pollfd& fd) { return fd.revents != 0; });
    if (child_alive && fds[3].revents == 0 && ending.Advance(stop, result)) {
      child.Signal(SIGKILL);
      child.Wait(std::chrono::milliseconds(-1));
      child_alive = false;
      continue;
    }
    if (ready <= 0) continue;
    if (fds[0].revents) {
      out_open =
          Drain(out.read_end.get(), options.max_stdout, result.stdout_bytes, result.stdout_cut);
    }
    if (fds[1].revents) {
      err_open =
          Drain(err.read_end.get(), options.max_stderr, result.stderr_bytes, result.stderr_cut);
    }
    if (fds[2].revents && !Feed(in.write_end.get(), rest)) in.write_end.Reset();
    if (fds[3].revents) child_alive = false;
  }
  const int status = child.Wait(std::chrono::milliseconds(-1)).value_or(W_EXITCODE(255, 0));
  if (WIFSIGNALED(status)) {
    result.signal = WTERMSIG(status);
  } else {
    result.exit_code = WEXITSTATUS(status);
  }
  return result;
}

Result<RunOutcome> RunProgramOk(const std::vector<std::string>& argv, const RunOptions& options) {
  ASSIGN_OR_RETURN(RunOutcome outcome, RunProgram(argv, options));
  if (outcome.ok()) return outcome;
  const std::string name = argv[0].substr(argv[0].rfind('/') + 1);
  if (outcome.timed_out) {
    return Fail(MakeError("subprocess.timed_out", name + " did not end in time")
                    .Expected("an end within " + std::to_string(options.deadline.count()) + " ms")
                    .Detail(LastLine(outcome.stderr_bytes)));
  }
  const std::string how = outcome.signal != 0 ? "signal " + std::to_string(outcome.signal)
                                              : "exit code " + std::to_string(outcome.exit_code);
  return Fail(MakeError("subprocess.failed", name + " failed")
                  .Expected("exit code 0")
                  .Found(how)
                  .Detail(LastLine(outcome.stderr_bytes)));
}

}  // namespace cce
