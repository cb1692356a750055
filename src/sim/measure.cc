#include "sim/measure.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cce::sim {
namespace {

constexpr std::string_view kCommandLineRole = "command-line";

// What stands at the root of a kind of guest: the file that MRTD is made of, as the firmware is in
// real hardware.
struct GuestKind {
  std::string_view name;
  std::string_view first_role;
};
constexpr GuestKind kGuestKinds[] = {
    {"process", "tee-agent"},  // tee-agent in namespaces of its own on this machine
    {"qemu", "firmware"},      // an emulated machine
    {"host-process", "cced"},  // a program of the host
};

// MFD_EXEC (Linux 6.3) asks for an executable memfd by name; older kernels know only executable
// ones.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

Result<UniqueFd> NewMemfd(const std::string& name) {
  UniqueFd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!fd.valid() && errno == EINVAL) {
    fd = UniqueFd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  }
  if (!fd.valid()) return FailErrno("making a memfd", errno);
  return fd;
}

// From offset 0 to the end, whatever the descriptor's own position is; the file may grow or shrink
// meanwhile.
Result<uint64_t> CopyInto(int target, int source) {
  Bytes buffer(1 << 20);
  uint64_t size = 0;
  while (true) {
    const ssize_t n = pread(source, buffer.data(), buffer.size(), static_cast<off_t>(size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("reading a file to be measured", errno);
    if (n == 0) return size;
    size += static_cast<uint64_t>(n);
    if (size > kMaxFileSize) {
      return Fail("input.too_large",
                  "a file to be measured exceeds " + std::to_string(kMaxFileSize) + " bytes");
    }
    TRY(WriteAll(target, ByteView(buffer).first(static_cast<size_t>(n))));
  }
}

Result<> HashSealed(SealedFile& file) {
  ByteView bytes;
  void* map = nullptr;
  if (file.size != 0) {
    map = mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.fd.get(), 0);
    if (map == MAP_FAILED) return FailErrno("mapping a sealed file", errno);
    bytes = {static_cast<const uint8_t*>(map), static_cast<size_t>(file.size)};
  }
  file.digest = crypto::Sha384(bytes);
  // Only a launch document's is of use, and large files need not be read twice.
  if (file.role == protocol::kLaunchDocumentRole) file.sha256 = crypto::Sha256(bytes);
  if (map != nullptr) munmap(map, file.size);
  return {};
}

// As TDG.MR.RTMR.EXTEND: the old value and a SHA-384 digest of the event.
void Extend(protocol::ChipRegister& rtmr, const SealedFile& file) {
  Bytes input = ToBytes(rtmr);
  Append(input, crypto::Sha384(
                    Frame("cce4long/v1/sim-event", {AsBytes(file.role), ByteView(file.digest)})));
  rtmr = crypto::Sha384(input);
}

}  // namespace

Result<SealedFile> SealFile(std::string role, int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return FailErrno("the file for role " + role, errno);
  if (!S_ISREG(info.st_mode)) {
    return Fail("input.malformed", "the file for role " + role + " is not a regular file");
  }
  ASSIGN_OR_RETURN(const UniqueFd writable, NewMemfd(role));
  SealedFile out{.role = std::move(role), .fd = {}};
  ASSIGN_OR_RETURN(out.size, CopyInto(writable.get(), fd));
  if (fchmod(writable.get(), 0555) != 0) return FailErrno("setting a memfd's mode", errno);
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (fcntl(writable.get(), F_ADD_SEALS, kSeals) != 0) {
    return FailErrno("sealing a memfd", errno);
  }
  const std::string self = "/proc/self/fd/" + std::to_string(writable.get());
  out.fd = UniqueFd(open(self.c_str(), O_RDONLY | O_CLOEXEC));
  if (!out.fd.valid()) return FailErrno("opening a sealed memfd", errno);
  TRY(HashSealed(out));
  return out;
}

Result<protocol::ChipMeasurement> Measure(const std::string& guest,
                                          std::span<const SealedFile> files) {
  const auto kind = std::find_if(std::begin(kGuestKinds), std::end(kGuestKinds),
                                 [&](const GuestKind& k) { return k.name == guest; });
  if (kind == std::end(kGuestKinds)) {
    return Fail(MakeError("input.malformed", "there is no such kind of guest")
                    .Expected("one of " + GuestKinds())
                    .Found(guest));
  }
  protocol::ChipMeasurement out;
  bool has_first = false;
  for (const SealedFile& file : files) {
    if (file.role == kind->first_role) {
      has_first = true;
      out.mrtd = crypto::Sha384(Frame("cce4long/v1/sim-guest",
                                      {AsBytes(guest), AsBytes(file.role), ByteView(file.digest)}));
    } else if (file.role == protocol::kLaunchDocumentRole) {
      out.mrconfigid = file.digest;
      out.host_data = file.sha256;
    } else {
      Extend(out.rtmr[file.role == kCommandLineRole ? 2 : 1], file);
    }
  }
  if (!has_first) {
    return Fail("input.malformed", "a guest of kind " + guest + " needs a file for the role " +
                                       std::string(kind->first_role));
  }
  out.launch_digest =
      crypto::Sha384(Frame("cce4long/v1/sim-launch-digest",
                           {ByteView(out.mrtd), ByteView(out.rtmr[1]), ByteView(out.rtmr[2])}));
  return out;
}

std::string GuestKinds() {
  std::string out;
  for (const GuestKind& kind : kGuestKinds) {
    out += (out.empty() ? "" : ", ") + std::string(kind.name);
  }
  return out;
}

Result<std::vector<SealedFile>> SealNamedFiles(const std::vector<std::string>& arguments) {
  protocol::ChipCreate names{.guest = "command line", .roles = {}};
  std::vector<SealedFile> out;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == std::string::npos) {
      return Fail(MakeError("input.malformed", "a file is not given as role=PATH").Found(argument));
    }
    const std::string path = argument.substr(equals + 1);
    names.roles.push_back(argument.substr(0, equals));
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return FailErrno(path, errno);
    ASSIGN_OR_RETURN(SealedFile file, SealFile(names.roles.back(), fd.get()));
    out.push_back(std::move(file));
  }
  // The same rules for role names as on the wire.
  if (const auto checked = protocol::DecodeChipCreate(protocol::EncodeChipCreate(names));
      !checked) {
    return Unexpected(checked.error());
  }
  return out;
}

}  // namespace cce::sim
