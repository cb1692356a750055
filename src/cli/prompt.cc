#include "cli/prompt.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/file.h"

namespace cce::cli {
namespace {

constexpr size_t kMaxLine = 1024;

Result<UniqueFd> Terminal() {
  UniqueFd fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return Fail("cli.no_terminal", "there is no terminal to ask at");
  return fd;
}

// Echo off while it lives. A signal that ends the program would leave the terminal mute: the usual
// ones wait until the line is read.
class EchoOff {
 public:
  explicit EchoOff(int fd) : fd_(fd) {
    sigset_t set;
    sigemptyset(&set);
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) sigaddset(&set, s);
    sigprocmask(SIG_BLOCK, &set, &old_mask_);
    changed_ = tcgetattr(fd_, &old_) == 0;
    termios silent = old_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (changed_) changed_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  ~EchoOff() {
    if (changed_) tcsetattr(fd_, TCSAFLUSH, &old_);
    sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  int fd_;
  termios old_{};
  sigset_t old_mask_{};
  bool changed_ = false;
};

// One line without its end.
Result<SecretBytes> ReadLine(int fd) {
  SecretBytes buffer(kMaxLine);
  size_t size = 0;
  while (size < kMaxLine) {
    const ssize_t n = ::read(fd, buffer.ExposeMutable().data() + size, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("the terminal", errno);
    if (n == 0 || buffer.Expose()[size] == '\n')
      return SecretBytes::CopyOf(buffer.Expose().first(size));
    ++size;
  }
  return Fail("input.too_large", "a line exceeds " + std::to_string(kMaxLine) + " bytes");
}

SecretBytes FirstLine(const SecretBytes& text) {
  const ByteView all = text.Expose();
  auto end = std::ranges::find(all, '\n');
  if (end != all.begin() && *(end - 1) == '\r') --end;
  return SecretBytes::CopyOf(all.first(static_cast<size_t>(end - all.begin())));
}

}  // namespace

Result<SecretBytes> AskSecret(const std::string& question) {
  ASSIGN_OR_RETURN(const UniqueFd terminal, Terminal());
  TRY(WriteAll(terminal.get(), AsBytes(question + ": ")));
  const EchoOff off(terminal.get());
  Result<SecretBytes> line = ReadLine(terminal.get());
  TRY(WriteAll(terminal.get(), AsBytes("\n")));
  return line;
}

Result<SecretBytes> AskPassphrase(const Settings& settings, const std::string& question,
                                  bool twice) {
  SecretBytes passphrase;
  if (!settings.password_file.empty()) {
    ASSIGN_OR_RETURN(const SecretBytes text, ReadSecretFile(settings.password_file, kMaxLine));
    passphrase = FirstLine(text);
  } else {
    Result<SecretBytes> asked = AskSecret(question);
    if (!asked && asked.error().code == "cli.no_terminal") {
      asked.error().next = "Give the passphrase with --password-file.";
    }
    if (!asked) return asked;
    passphrase = std::move(*asked);
    if (twice) {
      ASSIGN_OR_RETURN(const SecretBytes again, AskSecret(question + " (again)"));
      if (!ConstantTimeEqual(passphrase.Expose(), again.Expose())) {
        return Fail("cli.passphrase_differs", "the two passphrases differ");
      }
    }
  }
  if (passphrase.empty()) return Fail("wallet.passphrase", "the passphrase is empty");
  return passphrase;
}

Result<> Confirm(const Settings& settings, const std::string& question) {
  if (settings.yes) return {};
  Result<UniqueFd> terminal = Terminal();
  if (!terminal) {
    terminal.error().next = "Give --yes to go on without being asked.";
    return Fail(std::move(terminal).error());
  }
  TRY(WriteAll(terminal->get(), AsBytes(question + " [y/N] ")));
  ASSIGN_OR_RETURN(const SecretBytes line, ReadLine(terminal->get()));
  const std::string_view answer = AsText(line.Expose());
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return Fail("cli.declined", "nothing was done");
}

}  // namespace cce::cli
