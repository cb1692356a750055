// Stands in for tee-agent in tests: takes the launch document from descriptor 3 as its order, and
// writes what it sees back, ending with a NUL.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

extern char** environ;

namespace {

constexpr int kStream = 3;

std::string ReadOrder() {
  uint8_t prefix[4];
  if (read(kStream, prefix, 4) != 4) return {};
  const uint32_t size = (uint32_t{prefix[0]} << 24) | (uint32_t{prefix[1]} << 16) |
                        (uint32_t{prefix[2]} << 8) | uint32_t{prefix[3]};
  std::string out(size, '\0');
  size_t at = 0;
  while (at < size) {
    const ssize_t n = read(kStream, out.data() + at, size - at);
    if (n <= 0) return {};
    at += static_cast<size_t>(n);
  }
  return out;
}

std::string File(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Folder(const std::string& path) {
  std::string out;
  DIR* const dir = opendir(path.c_str());
  if (dir == nullptr) return strerrorname_np(errno);
  while (const dirent* item = readdir(dir)) {
    if (item->d_name[0] != '.') out += std::string(out.empty() ? "" : " ") + item->d_name;
  }
  closedir(dir);
  return out;
}

const char* Try(int result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

std::string Descriptors() {
  std::string out;
  for (int fd = 0; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    char target[256] = {};
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
    out += std::to_string(fd) + "=" + std::string(target).substr(0, 8) + " ";
  }
  return out;
}

std::string Egress() {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  inet_pton(AF_INET, "198.51.100.1", &address.sin_addr);
  return Try(connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address));
}

std::string Report(int argc, char** argv) {
  std::ostringstream out;
  out << "argc " << argc << " " << argv[0] << "\n";
  out << "env " << (environ[0] == nullptr ? "none" : environ[0]) << "\n";
  out << "fds " << Descriptors() << "\n";
  out << "pid " << getpid() << " uid " << getuid() << "\n";
  out << "uid_map " << File("/proc/self/uid_map");
  out << "cgroup " << (File("/proc/self/cgroup").find("cce-") == std::string::npos ? "own" : "seen")
      << "\n";
  out << "net " << Folder("/sys/class/net") << "\n";
  out << "root " << Folder("/") << "\n";
  out << "bin " << Folder("/opt/cce/bin") << "\n";
  out << "tsm " << Folder("/sys/kernel/config/tsm") << "\n";
  out << "host-run " << Folder("/run") << "\n";
  out << "write-root " << Try(mkdir("/x", 0755)) << "\n";
  out << "write-usr " << Try(open("/usr/x", O_CREAT | O_WRONLY, 0644)) << "\n";
  mount("none", "/usr", nullptr, MS_REMOUNT | MS_BIND, nullptr);
  out << "write-usr-again " << Try(open("/usr/x", O_CREAT | O_WRONLY, 0644)) << "\n";
  out << "write-run " << Try(mkdir("/run/x", 0755)) << "\n";
  out << "fuse " << Try(open("/dev/fuse", O_RDWR)) << "\n";
  out << "vda " << Try(open("/dev/vda", O_RDONLY)) << "\n";
  out << "vsock " << Try(socket(AF_VSOCK, SOCK_STREAM, 0)) << "\n";
  out << "egress " << Egress() << "\n";
  char host[64] = {};
  gethostname(host, sizeof host - 1);
  out << "hostname " << host << "\n";
  out << "mounts\n" << File("/proc/self/mounts");
  return out.str();
}

// Fills more memory than the machine has; the kernel ends it.
void EatMemory() {
  constexpr size_t kSize = size_t{1} << 30;
  void* const p = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p != MAP_FAILED) memset(p, 1, kSize);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string order = ReadOrder();
  if (order == "memory") {
    EatMemory();
    return 1;
  }
  if (order == "fork" && fork() == 0) {  // a child that outlives it, were the namespace not ended
    setsid();
    pause();
  }
  if (order == "print") printf("a secret on standard output\n");
  const std::string report = Report(argc, argv);
  if (write(kStream, report.c_str(), report.size() + 1) < 0) return 1;
  if (order == "wait") pause();
  return 0;
}
