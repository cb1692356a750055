#include "executor/testing/local_registry.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

namespace cce::executor {
namespace {

namespace fs = std::filesystem;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

Result<uint16_t> FreePort() {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return FailErrno("finding a free port", errno);
  }
  return ntohs(address.sin_port);
}

Result<> WaitUntilItListens(uint16_t port, Subprocess& process) {
  for (int i = 0; i < 500; ++i) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = Loopback(port);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return {};
    }
    if (process.Wait(std::chrono::milliseconds(20))) break;
  }
  return Fail("internal.unavailable", "docker-registry did not start");
}

constexpr std::string_view kMakeImage = R"(
set -e
umoci init --layout layout
umoci new --image layout:i
mkdir -p root/bin root/etc
cp /bin/busybox root/bin/
cp "$PROBE" root/bin/probe
for n in sh cat ls id env touch ln dd mkdir sleep echo head yes; do ln -s busybox root/bin/$n; done
echo 'root:x:0:0::/:/bin/sh' > root/etc/passwd
echo 'ann:x:1000:1000::/:/bin/sh' >> root/etc/passwd
umoci insert --image layout:i root /
umoci config --image layout:i --config.entrypoint /bin/probe --config.cmd sockets \
  --config.env FROM_IMAGE=yes --config.user ann --architecture amd64 --os linux
skopeo --insecure-policy copy --quiet --dest-tls-verify=false oci:layout:i docker://$REGISTRY/test/probe:1
skopeo inspect --raw --tls-verify=false docker://$REGISTRY/test/probe:1 | sha256sum | head -c 64
)";

}  // namespace

Result<LocalRegistry> LocalRegistry::Start(const std::string& probe) {
  LocalRegistry out;
  char name[] = "/tmp/cce-registry-XXXXXX";
  if (mkdtemp(name) == nullptr) return FailErrno("mkdtemp", errno);
  out.folder_ = name;
  ASSIGN_OR_RETURN(out.port_, FreePort());
  const std::string config =
      "version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
      "{rootdirectory: " +
      out.folder_ + "/data}, delete: {enabled: true}}\nhttp: {addr: \"" + out.address() + "\"}\n";
  TRY(WriteFileAtomic(out.folder_ + "/config.yml", AsBytes(config)));
  ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start({"/usr/bin/docker-registry", "serve",
                                                          out.folder_ + "/config.yml"},
                                                         {.environment = {"PATH=/usr/bin:/bin"}}));
  out.process_.emplace(std::move(process));
  TRY(WaitUntilItListens(out.port_, *out.process_));
  ASSIGN_OR_RETURN(
      const RunOutcome run,
      RunProgramOk({"/bin/sh", "-c", std::string(kMakeImage)},
                   {.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + out.folder_,
                                    "PROBE=" + probe, "REGISTRY=" + out.address()},
                    .working_folder = out.folder_}));
  out.digest_ = "sha256:" + std::string(AsText(run.stdout_bytes));
  return out;
}

LocalRegistry::~LocalRegistry() {
  process_.reset();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

}  // namespace cce::executor
