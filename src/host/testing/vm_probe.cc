// Runs inside a guest in tests of the channel over a virtio-serial port: takes the launch document,
// moves bytes through the name `echo` and asks for a name that is off the list. One line an
// outcome, on standard output.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "channel/launch_message.h"
#include "channel/tunnel_client.h"

namespace {

namespace fs = std::filesystem;
using cce::Bytes;
using cce::ByteView;
using cce::Result;

constexpr const char* kPortName = "cvm.stream";
constexpr size_t kEchoed = 8 << 20;

// A port reads as ended, and polls as hung up, until the host's end has been announced; there is no
// event for that (drivers/char/virtio_console.c, port_fops_poll).
Result<> WaitForHost(int port) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  pollfd waiting{.fd = port, .events = POLLIN, .revents = 0};
  while (poll(&waiting, 1, 0) >= 0 && (waiting.revents & POLLHUP) != 0) {
    if (std::chrono::steady_clock::now() > end) return cce::Fail("net.timeout", "no host");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {};
}

Result<cce::UniqueFd> OpenPort() {
  for (const auto& port : fs::directory_iterator("/sys/class/virtio-ports")) {
    std::string name;
    std::ifstream(port.path() / "name") >> name;
    if (name != kPortName) continue;
    cce::UniqueFd fd(open(("/dev/" + port.path().filename().string()).c_str(), O_RDWR | O_CLOEXEC));
    if (!fd.valid()) return cce::FailErrno("opening the port", errno);
    TRY(WaitForHost(fd.get()));
    return fd;
  }
  return cce::Fail("io.failed", "there is no port of that name");
}

Bytes Pattern() {
  Bytes out(kEchoed);
  uint32_t x = 1;
  for (uint8_t& b : out) b = static_cast<uint8_t>((x = x * 1664525 + 1013904223) >> 24);
  return out;
}

std::string Echo(cce::channel::TunnelClient& tunnel) {
  const auto socket = tunnel.Connect("echo");
  if (!socket) return socket.error().code;
  const Bytes sent = Pattern();
  bool wrote = false;
  std::thread writer([&] {
    wrote = cce::WriteAll(socket->get(), ByteView(sent)).has_value();
    shutdown(socket->get(), SHUT_WR);
  });
  const auto received = cce::ReadToEnd(socket->get(), kEchoed + 1);
  writer.join();
  if (!wrote) return "write failed";
  if (!received) return received.error().code;
  return *received == sent ? "equal" : "different after " + std::to_string(received->size());
}

void Say(const std::string& what, const std::string& outcome) {
  std::printf("probe %s %s\n", what.c_str(), outcome.c_str());
  std::fflush(stdout);
}

}  // namespace

int main() {
  auto port = OpenPort();
  if (!port) return Say("port", port.error().code), 1;
  const auto document = cce::channel::ReceiveLaunchDocument(port->get());
  if (!document) return Say("launch", document.error().code), 1;
  Say("launch", std::string(cce::AsText(*document)));
  auto tunnel = cce::channel::TunnelClient::Start(std::move(*port));
  if (!tunnel) return Say("tunnel", tunnel.error().code), 1;
  Say("echo", Echo(**tunnel));
  const auto elsewhere = (*tunnel)->Connect("elsewhere");
  Say("elsewhere", elsewhere ? "connected" : elsewhere.error().code);
  return 0;
}
