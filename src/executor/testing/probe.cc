// Runs inside a test's container and says what it finds there. Statically linked: the container
// image holds nothing else.
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

void Say(const char* what, long result) {
  printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

int Sockets() {
  Say("unix", socket(AF_UNIX, SOCK_STREAM, 0));
  Say("inet", socket(AF_INET, SOCK_STREAM, 0));
  Say("inet6", socket(AF_INET6, SOCK_STREAM, 0));
  Say("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  Say("vsock-wide", syscall(SYS_socket, (1L << 32) + AF_VSOCK, SOCK_STREAM, 0));
  Say("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  Say("packet", socket(AF_PACKET, SOCK_RAW, 0));
  Say("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
  io_uring_params params{};
  Say("io_uring", syscall(SYS_io_uring_setup, 4, &params));
  // Beyond loopback there is no route.
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  inet_pton(AF_INET, "198.51.100.1", &address.sin_addr);
  Say("egress", connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address));
  return 0;
}

// Calls getpid through another of the processor's interfaces, in a child; says what became of it.
template <typename Call>
void SayChild(const char* what, Call call) {
  const pid_t pid = fork();
  if (pid == 0) {
    call();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  printf("%s %s\n", what, WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "ok");
}

void OtherInterfaces() {
  SayChild("i386", [] {
    long result = 20;
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  });
  SayChild("x32", [] { syscall(0x40000000 + SYS_getpid); });
}

int Calls() {
  Say("unshare-user", unshare(CLONE_NEWUSER));
  Say("mount", mount("x", "/tmp", "tmpfs", 0, nullptr));
  Say("ptrace", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  Say("keyctl", syscall(SYS_keyctl, 0, 0, 0));
  Say("bpf", syscall(SYS_bpf, 0, nullptr, 0));
  Say("clone3", syscall(SYS_clone3, nullptr, 0));
  Say("clone-newuser", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
  Say("setuid", setuid(1));
  OtherInterfaces();
  return 0;
}

int Forks() {
  int made = 0;
  for (; made < 4096; ++made) {
    const pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  printf("forks %d\n", made);
  return 0;
}

int Memory() {
  constexpr size_t kSize = size_t{512} << 20;
  void* p = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return 3;
  memset(p, 1, kSize);
  return 0;
}

int Wait() {
  pause();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IONBF, 0);
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "sockets") == 0) return Sockets();
  if (strcmp(what, "calls") == 0) return Calls();
  if (strcmp(what, "forks") == 0) return Forks();
  if (strcmp(what, "memory") == 0) return Memory();
  if (strcmp(what, "wait") == 0) return Wait();
  return 2;
}
