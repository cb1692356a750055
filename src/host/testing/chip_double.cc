#include "host/testing/chip_double.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/simulated_chip.h"

namespace cce::launcher {
namespace {

UniqueFd Seal(int source) {
  UniqueFd memory(memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  lseek(source, 0, SEEK_SET);
  uint8_t buffer[65536];
  ssize_t n = 0;
  while ((n = read(source, buffer, sizeof buffer)) > 0) {
    (void)WriteAll(memory.get(), {buffer, static_cast<size_t>(n)});
  }
  fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  // Read-only, as the chip gives it: a file open for writing cannot be executed.
  return UniqueFd(
      open(("/proc/self/fd/" + std::to_string(memory.get())).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

ChipDouble::ChipDouble(std::string folder) : folder_(std::move(folder)) {
  (void)MakeFolders(folder_ + "/front/report");
  auto listener = protocol::ListenSeqpacket(socket_path());
  if (listener) listener_ = std::move(*listener);
  thread_ = std::thread([this] { Serve(); });
}

ChipDouble::~ChipDouble() {
  shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void ChipDouble::Serve() {
  while (true) {
    UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    Answer(std::move(connection));
  }
}

void ChipDouble::Answer(UniqueFd connection) {
  auto message = protocol::ReceiveFdMessage(connection.get());
  if (!message) return;
  const auto create = protocol::DecodeChipCreate(message->text);
  if (!create) return;
  roles_ = create->roles;
  std::vector<UniqueFd> sealed;
  std::vector<int> fds;
  for (const UniqueFd& file : message->fds) {
    sealed.push_back(Seal(file.get()));
    fds.push_back(sealed.back().get());
  }
  protocol::ChipCreated created;
  created.front = folder_ + "/front";
  (void)protocol::SendFdMessage(connection.get(), protocol::EncodeChipCreated(created), fds);
  connections_.push_back(std::move(connection));
}

}  // namespace cce::launcher
