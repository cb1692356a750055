#include "computing_plane/decrypt_fs/start_message.h"

#include "base/file.h"
#include "base/json.h"

namespace cce::decrypt_fs {
namespace {

constexpr size_t kMaxJson = size_t{4} << 20;
constexpr size_t kKeySize = 32;
constexpr size_t kMaxEpochs = 256;
constexpr size_t kMaxPatterns = 65536;

json::object ToObject(const StartMessage& message) {
  json::object out;
  out["dataset"] = ToHex(message.dataset);
  out["snapshot"] = ToHex(message.snapshot);
  out["store_dir"] = message.store_dir;
  out["mountpoint"] = message.mountpoint;
  json::array epochs;
  for (const auto& [epoch, key] : message.keys) epochs.emplace_back(epoch);
  out["epochs"] = std::move(epochs);
  out["read_ahead_kb"] = message.read_ahead_kb;
  out["threads"] = message.threads;
  out["cache_mib"] = message.cache_mib;
  out["allow_other"] = message.allow_other;
  out["uid"] = message.uid;
  out["gid"] = message.gid;
  if (message.prefetch) {
    json::array patterns;
    for (const std::string& pattern : *message.prefetch) patterns.emplace_back(pattern);
    out["prefetch"] = std::move(patterns);
  }
  out["prefetch_max_bytes"] = message.prefetch_max_bytes;
  return out;
}

uint32_t Uint32(Fields& fields, std::string_view key, uint64_t min, uint64_t max) {
  return static_cast<uint32_t>(fields.Uint(key, {.min = min, .max = max}));
}

Result<std::vector<uint32_t>> ReadEpochs(Fields& fields) {
  const json::value* raw = fields.Raw("epochs");
  std::vector<uint32_t> epochs;
  if (raw == nullptr || !raw->is_array() || raw->get_array().empty() ||
      raw->get_array().size() > kMaxEpochs) {
    return Fail("input.malformed", "epochs is no list of 1 to 256 numbers");
  }
  for (const json::value& item : raw->get_array()) {
    const bool number = item.is_int64() && item.get_int64() >= 0 && item.get_int64() <= UINT32_MAX;
    if (!number || (!epochs.empty() && item.get_int64() <= epochs.back())) {
      return Fail("input.malformed", "epochs are no ascending 32-bit numbers");
    }
    epochs.push_back(static_cast<uint32_t>(item.get_int64()));
  }
  return epochs;
}

Result<StartMessage> FromText(std::string_view text, std::vector<uint32_t>& epochs) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "start message", {.max_bytes = kMaxJson}));
  Fields fields(document);
  StartMessage message;
  const Bytes dataset = fields.Hex("dataset", message.dataset.size());
  const Bytes snapshot = fields.Hex("snapshot", message.snapshot.size());
  message.store_dir = fields.String("store_dir", {.min = 1});
  message.mountpoint = fields.String("mountpoint", {.min = 1});
  ASSIGN_OR_RETURN(epochs, ReadEpochs(fields));
  message.read_ahead_kb = Uint32(fields, "read_ahead_kb", 0, 65536);
  message.threads = Uint32(fields, "threads", 1, 256);
  message.cache_mib = Uint32(fields, "cache_mib", 1, 64);
  message.allow_other = fields.Bool("allow_other");
  message.uid = Uint32(fields, "uid", 0, UINT32_MAX);
  message.gid = Uint32(fields, "gid", 0, UINT32_MAX);
  if (fields.Has("prefetch")) {
    message.prefetch = fields.Strings("prefetch", {.max = kMaxPatterns});
  }
  message.prefetch_max_bytes = fields.Uint("prefetch_max_bytes", {});
  TRY(fields.Finish());
  std::copy(dataset.begin(), dataset.end(), message.dataset.begin());
  std::copy(snapshot.begin(), snapshot.end(), message.snapshot.begin());
  return message;
}

}  // namespace

SecretBytes EncodeStartMessage(const StartMessage& message) {
  const std::string text = ToJson(ToObject(message));
  Bytes front;
  AppendU32(front, static_cast<uint32_t>(text.size()));
  Append(front, AsBytes(text));
  SecretBytes out(front.size() + message.keys.size() * kKeySize);
  auto at = std::copy(front.begin(), front.end(), out.ExposeMutable().begin());
  for (const auto& [epoch, key] : message.keys) {
    const ByteView bytes = key.Expose().first(std::min(key.size(), kKeySize));
    std::copy(bytes.begin(), bytes.end(), at);
    at += kKeySize;
  }
  return out;
}

Result<StartMessage> ReadStartMessage(int fd) {
  ByteArray<4> length;
  TRY(ReadExact(fd, length));
  const uint32_t size = ReadU32(length.data());
  if (size > kMaxJson) return Fail("input.too_large", "a start message exceeds 4 MiB");
  Bytes text(size);
  TRY(ReadExact(fd, text));
  std::vector<uint32_t> epochs;
  ASSIGN_OR_RETURN(StartMessage message, FromText(AsText(text), epochs));
  for (const uint32_t epoch : epochs) {
    SecretBytes key(kKeySize);
    TRY(ReadExact(fd, key.ExposeMutable()));
    message.keys.emplace(epoch, std::move(key));
  }
  return message;
}

std::string EncodeStatus(const StatusEvent& event) {
  json::object out;
  out["event"] = event.event;
  if (event.event == "ready") {
    out["files"] = event.files;
    out["bytes"] = event.bytes;
  } else if (event.event == "ended") {
    out["reason"] = event.reason;
  } else {
    out["code"] = event.code;
    out["message"] = event.message;
  }
  return ToJson(out) + "\n";
}

Result<StatusEvent> ParseStatus(std::string_view line) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(line, "decrypt-fs status"));
  Fields fields(document);
  StatusEvent event;
  event.event = fields.Choice("event", {"ready", "failed", "read_error", "ended"});
  if (event.event == "ready") {
    event.files = fields.Uint("files", {});
    event.bytes = fields.Uint("bytes", {});
  } else if (event.event == "ended") {
    event.reason = fields.Choice("reason", {"unmounted", "parent_closed", "signal"});
  } else {
    event.code = fields.String("code", {.max = 64});
    event.message = fields.String("message", {.max = 65536});
  }
  TRY(fields.Finish());
  return event;
}

}  // namespace cce::decrypt_fs
