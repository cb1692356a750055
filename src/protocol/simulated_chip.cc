#include "protocol/simulated_chip.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

namespace cce::protocol {
namespace {

constexpr std::array<std::string_view, 4> kRtmrNames = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};

bool IsRoleName(std::string_view role) {
  if (role.empty() || role.size() > 32) return false;
  return role.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

template <size_t Size = 48>
ByteArray<Size> ReadRegister(Fields& fields, std::string_view name) {
  ByteArray<Size> out{};
  const Bytes bytes = fields.Hex(name, out.size());
  if (bytes.size() == out.size()) std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Result<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Fail(MakeError("input.malformed", "a socket's path has an unusable length")
                    .Expected("1 to " + std::to_string(sizeof(address.sun_path) - 1) + " bytes")
                    .Found(std::to_string(path.size()) + " bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> SeqpacketSocket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno("making a socket", errno);
  return fd;
}

}  // namespace

json::object ChipMeasurementToJson(const ChipMeasurement& measurement) {
  json::object out;
  out["mrtd"] = ToHex(measurement.mrtd);
  for (size_t i = 0; i < kRtmrNames.size(); ++i) out[kRtmrNames[i]] = ToHex(measurement.rtmr[i]);
  out["mrconfigid"] = ToHex(measurement.mrconfigid);
  out["launch_digest"] = ToHex(measurement.launch_digest);
  out["host_data"] = ToHex(measurement.host_data);
  return out;
}

ChipMeasurement ReadChipMeasurement(Fields fields) {
  ChipMeasurement out;
  out.mrtd = ReadRegister(fields, "mrtd");
  for (size_t i = 0; i < kRtmrNames.size(); ++i) {
    out.rtmr[i] = ReadRegister(fields, kRtmrNames[i]);
  }
  out.mrconfigid = ReadRegister(fields, "mrconfigid");
  out.launch_digest = ReadRegister(fields, "launch_digest");
  out.host_data = ReadRegister<32>(fields, "host_data");
  return out;
}

std::string EncodeChipCreate(const ChipCreate& create) {
  json::array roles;
  for (const std::string& role : create.roles) roles.emplace_back(role);
  json::object out{
      {"op", "create"}, {"tee", create.tee}, {"guest", create.guest}, {"roles", std::move(roles)}};
  if (!create.defect.empty()) out["defect"] = create.defect;
  return ToJson(out);
}

Result<ChipCreate> DecodeChipCreate(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "create message", {.max_bytes = kChipMaxMessage}));
  Fields fields(document);
  fields.Choice("op", {"create"});
  ChipCreate out;
  out.tee = fields.Choice("tee", {"tdx", "snp"});
  out.guest = fields.String("guest", {.min = 1, .max = 32});
  out.roles = fields.Strings("roles", {.min = 1, .max = kChipMaxFiles, .max_item = 32});
  out.defect = fields.String("defect", {.max = 64, .fallback = ""});
  std::set<std::string_view> seen;
  for (const std::string& role : out.roles) {
    if (!IsRoleName(role)) fields.Reject("roles", "a role is not of the form [a-z0-9-]{1,32}");
    if (!seen.insert(role).second) fields.Reject("roles", "the role '" + role + "' occurs twice");
  }
  TRY(fields.Finish());
  return out;
}

std::string EncodeChipCreated(const ChipCreated& created) {
  return ToJson(json::object{{"front", created.front},
                             {"measurement", ChipMeasurementToJson(created.measurement)}});
}

std::string EncodeChipError(const Error& error) {
  // Cut to size: a message that does not fit would leave the launcher without any reason.
  const auto cut = [](const std::string& text) { return text.substr(0, 2048); };
  return ToJson(json::object{{"error", json::object{{"code", error.code},
                                                    {"message", cut(error.message)},
                                                    {"expected", cut(error.expected)},
                                                    {"found", cut(error.found)}}}});
}

Result<ChipCreated> DecodeChipCreated(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "the chip's answer", {.max_bytes = kChipMaxMessage}));
  Fields fields(document);
  if (fields.Has("error")) {
    Fields error = fields.Object("error");
    const std::string code = error.String("code", {.max = 64});
    const std::string message = error.String("message", {});
    const std::string expected = error.String("expected", {});
    const std::string found = error.String("found", {});
    TRY(fields.Finish());
    return Fail(MakeError("chip.refused", "the chip refused: " + code + ": " + message)
                    .Expected(expected)
                    .Found(found));
  }
  ChipCreated out;
  out.front = fields.String("front", {.min = 1, .max = 4096});
  out.measurement = ReadChipMeasurement(fields.Object("measurement"));
  if (!out.front.starts_with('/')) fields.Reject("front", "the front's path is not absolute");
  TRY(fields.Finish());
  return out;
}

Result<> SendFdMessage(int socket, std::string_view text, std::span<const int> fds) {
  if (text.empty() || text.size() > kChipMaxMessage || fds.size() > kChipMaxFiles) {
    return Fail("input.too_large", "a message to or from the chip exceeds its limits");
  }
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kChipMaxFiles * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return FailErrno("sending to the chip's socket", errno);
  return {};
}

Result<FdMessage> ReceiveFdMessage(int socket) {
  FdMessage out;
  out.text.resize(kChipMaxMessage);
  iovec part{out.text.data(), out.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kChipMaxFiles * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return FailErrno("reading from the chip's socket", errno);
  // Every descriptor is owned before anything can fail.
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
      out.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return Fail("input.too_large", "a message to or from the chip exceeds its limits");
  }
  out.text.resize(static_cast<size_t>(got));
  return out;
}

Result<ChipGuest> CreateChipGuest(const std::string& socket_path, const ChipCreate& create,
                                  std::span<const int> files) {
  ASSIGN_OR_RETURN(const sockaddr_un address, SocketAddress(socket_path));
  ChipGuest out;
  ASSIGN_OR_RETURN(out.connection, SeqpacketSocket());
  if (connect(out.connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    return Fail(MakeError("internal.unavailable", "no chip listens at " + socket_path)
                    .Found(std::strerror(errno)));
  }
  TRY(SendFdMessage(out.connection.get(), EncodeChipCreate(create), files));
  ASSIGN_OR_RETURN(FdMessage answer, ReceiveFdMessage(out.connection.get()));
  if (answer.text.empty()) {
    return Fail("internal.unavailable", "the chip closed the connection without an answer");
  }
  ASSIGN_OR_RETURN(ChipCreated created, DecodeChipCreated(answer.text));
  if (answer.fds.size() != create.roles.size()) {
    return Fail(MakeError("input.malformed", "the chip returned another number of files")
                    .Expected(std::to_string(create.roles.size()))
                    .Found(std::to_string(answer.fds.size())));
  }
  out.front = std::move(created.front);
  out.measurement = created.measurement;
  out.files = std::move(answer.fds);
  return out;
}

Result<UniqueFd> ListenSeqpacket(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, SocketAddress(path));
  ASSIGN_OR_RETURN(UniqueFd fd, SeqpacketSocket());
  struct stat old{};
  if (lstat(path.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) unlink(path.c_str());
  // The mode of a socket file is that of its inode at bind(): no moment with a wider one.
  if (fchmod(fd.get(), 0600) != 0) return FailErrno("setting the mode of a socket", errno);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return FailErrno("binding the socket " + path, errno);
  }
  if (chmod(path.c_str(), 0600) != 0) return FailErrno("setting the mode of " + path, errno);
  if (listen(fd.get(), 64) != 0) return FailErrno("listening at " + path, errno);
  return fd;
}

}  // namespace cce::protocol
