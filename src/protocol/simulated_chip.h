// The conversation between a launcher and the simulated chip (docs/formats/simulated-chip.md): one
// create message a connection, over a Unix SOCK_SEQPACKET socket. The launcher hands over open
// files, never digests; it gets back sealed copies of them, which is what the chip has measured and
// what the machine must be started from. The machine's front (a folder with the kernel's
// configfs-tsm ABI) lives as long as the connection.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "base/result.h"

namespace cce::protocol {

constexpr size_t kChipMaxMessage = 64 << 10;  // bytes of one message's text
constexpr size_t kChipMaxFiles = 32;          // files of one message
// The role whose file is the launch document: it gives MRCONFIGID and HOST_DATA, and nothing else.
constexpr std::string_view kLaunchDocumentRole = "launch-document";

using ChipRegister = ByteArray<48>;  // SHA-384

// What the chip measured, in the registers of both kinds of TEE.
struct ChipMeasurement {
  ChipRegister mrtd{};
  std::array<ChipRegister, 4> rtmr{};
  ChipRegister mrconfigid{};
  ChipRegister launch_digest{};  // SNP: MEASUREMENT
  ByteArray<32> host_data{};     // SNP
  bool operator==(const ChipMeasurement&) const = default;
};

// {"mrtd": hex, "rtmr0": hex, .. "rtmr3": hex, "mrconfigid": hex, "launch_digest": hex,
// "host_data": hex}
json::object ChipMeasurementToJson(const ChipMeasurement& measurement);
ChipMeasurement ReadChipMeasurement(Fields fields);  // failures stand in `fields`

// {"op": "create", "tee": "tdx" or "snp", "guest": KIND, "roles": [...], "defect": NAME (optional)}
struct ChipCreate {
  std::string tee = "tdx";  // of the machine: "tdx", "snp"
  std::string guest;        // kind of machine: "process", "qemu"
  std::vector<std::string>
      roles;           // one a file, in the files' order: [a-z0-9-], 1 to 32 characters, unique
  std::string defect;  // a defect for negative tests; empty: none
};
std::string EncodeChipCreate(const ChipCreate& create);
Result<ChipCreate> DecodeChipCreate(std::string_view text);

// {"front": path, "measurement": {...}} or {"error": {"code", "message", "expected", "found"}}
struct ChipCreated {
  std::string front;  // absolute path of the folder to bind at /sys/kernel/config/tsm
  ChipMeasurement measurement;
};
std::string EncodeChipCreated(const ChipCreated& created);
std::string EncodeChipError(const Error& error);
// chip.refused for an error answer, with the chip's own words.
Result<ChipCreated> DecodeChipCreated(std::string_view text);

// One message with descriptors (SCM_RIGHTS, close-on-exec at the receiver) on a SOCK_SEQPACKET
// socket.
struct FdMessage {
  std::string text;  // empty: the other side has closed
  std::vector<UniqueFd> fds;
};
Result<> SendFdMessage(int socket, std::string_view text, std::span<const int> fds);
// Blocks. input.too_large for a message or a set of descriptors beyond the limits above.
Result<FdMessage> ReceiveFdMessage(int socket);

// A machine that the chip has measured. Keep `connection` open for the machine's life: closing it
// ends the front.
struct ChipGuest {
  UniqueFd connection;
  std::string front;
  ChipMeasurement measurement;
  std::vector<UniqueFd>
      files;  // sealed, read-only, in the order of `roles`; start the machine from these
};
// The launcher's whole side. `files` stay the caller's. internal.unavailable where no chip listens;
// chip.refused.
Result<ChipGuest> CreateChipGuest(const std::string& socket_path, const ChipCreate& create,
                                  std::span<const int> files);

// A SOCK_SEQPACKET socket that listens at `path` with mode 0600; an old socket file there is
// replaced.
Result<UniqueFd> ListenSeqpacket(const std::string& path);

}  // namespace cce::protocol
