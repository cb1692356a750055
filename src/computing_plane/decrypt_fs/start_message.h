// How decrypt-fs is started and what it reports: no secret in argv or environment.
//
//   fd 3, parent to decrypt-fs:  u32 big-endian length, JSON, then one 32-byte DEK per item of
//   "epochs", in that order.
//                                The parent keeps its end open: decrypt-fs unmounts and ends when
//                                it closes.
//   fd 4, decrypt-fs to parent: one JSON object a line:
//     {"event":"ready","files":N,"bytes":N}
//     {"event":"failed","code":"area.reason","message":TEXT}      before ready: the mount did not
//     come
//                                                                  about; the program ends with 1
//     {"event":"read_error","code":"area.reason","message":TEXT}  the reader got EIO (EACCES for
//                                                                  dataset.not_prefetched); each
//                                                                  text once
//     {"event":"ended","reason":"unmounted" | "parent_closed" | "signal"}
//
// JSON: {"dataset":HEX20,"snapshot":HEX32,"store_dir":PATH,"mountpoint":PATH,"epochs":[N..],
//        "read_ahead_kb":N,"threads":N,"cache_mib":N,"allow_other":BOOL,"uid":N,"gid":N,
//        "prefetch":[PATTERN..] (absent: demand), "prefetch_max_bytes":N}
#pragma once

#include <algorithm>
#include <optional>
#include <thread>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "dataset/format.h"
#include "dataset/snapshot_reader.h"

namespace cce::decrypt_fs {

constexpr int kStartFd = 3;
constexpr int kStatusFd = 4;

struct StartMessage {
  dataset::DatasetId dataset{};
  dataset::SnapshotId snapshot{};
  std::string store_dir;
  std::string mountpoint;
  uint32_t read_ahead_kb = 0;  // 0: what suits the store
  // More of them only push each other's bytes out of the cores' caches.
  uint32_t threads = std::clamp(2 * std::thread::hardware_concurrency(), 4u, 64u);
  uint32_t cache_mib = 16;  // decrypted chunks
  bool allow_other = true;  // the container's uids are not decrypt-fs's
  uint32_t uid = 0;         // owner shown for every entry
  uint32_t gid = 0;
  std::optional<std::vector<std::string>> prefetch;  // unset: demand
  uint64_t prefetch_max_bytes = uint64_t{1} << 30;
  dataset::EpochKeys keys;
};

// The whole message. Its bytes hold keys, hence the type.
SecretBytes EncodeStartMessage(const StartMessage& message);
// Reads it from a descriptor. input.*, io.*.
Result<StartMessage> ReadStartMessage(int fd);

struct StatusEvent {
  std::string event;    // "ready", "failed", "read_error", "ended"
  std::string code;     // of failed, read_error
  std::string message;  // of failed, read_error: names the object
  std::string reason;   // of ended
  uint64_t files = 0;   // of ready
  uint64_t bytes = 0;
};
std::string EncodeStatus(const StatusEvent& event);  // with the line's end
Result<StatusEvent> ParseStatus(std::string_view line);

}  // namespace cce::decrypt_fs
