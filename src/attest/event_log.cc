#include "attest/event_log.h"

#include "attest/little_endian.h"
#include "crypto/hash.h"

namespace cce::attest {
namespace {

constexpr size_t kMaxLog = 1 << 20;
constexpr size_t kMaxEvents = 65536;
constexpr uint32_t kNoAction = 3;
constexpr uint16_t kAlgSha384 = 0x000c;
constexpr uint32_t kDstackEvent = 0x08000001;

Unexpected Bad(std::string what) { return Fail("evidence.event_log", std::move(what)); }

struct TypeName {
  uint32_t type;
  std::string_view name;
};
constexpr TypeName kTypes[] = {
    {0x00000000, "EV_PREBOOT_CERT"},
    {0x00000001, "EV_POST_CODE"},
    {0x00000003, "EV_NO_ACTION"},
    {0x00000004, "EV_SEPARATOR"},
    {0x00000005, "EV_ACTION"},
    {0x00000006, "EV_EVENT_TAG"},
    {0x00000007, "EV_S_CRTM_CONTENTS"},
    {0x00000008, "EV_S_CRTM_VERSION"},
    {0x00000009, "EV_CPU_MICROCODE"},
    {0x0000000a, "EV_PLATFORM_CONFIG_FLAGS"},
    {0x0000000b, "EV_TABLE_OF_DEVICES"},
    {0x0000000c, "EV_COMPACT_HASH"},
    {0x0000000d, "EV_IPL"},
    {0x00000011, "EV_NONHOST_INFO"},
    {0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {0x80000002, "EV_EFI_VARIABLE_BOOT"},
    {0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"},
    {0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    {0x80000006, "EV_EFI_GPT_EVENT"},
    {0x80000007, "EV_EFI_ACTION"},
    {0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {0x80000009, "EV_EFI_HANDOFF_TABLES"},
    {0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {0x8000000b, "EV_EFI_HANDOFF_TABLES2"},
    {0x8000000c, "EV_EFI_VARIABLE_BOOT2"},
    {0x80000010, "EV_EFI_HCRTM_EVENT"},
    {0x800000e0, "EV_EFI_VARIABLE_AUTHORITY"},
    {0x800000e1, "EV_EFI_SPDM_FIRMWARE_BLOB"},
    {kDstackEvent, "DSTACK_RUNTIME_EVENT"},
};

void Extend(EventLog& log, const LogEvent& event) {
  Bytes input(log.rtmr[event.rtmr].begin(), log.rtmr[event.rtmr].end());
  Append(input, event.digest);
  log.rtmr[event.rtmr] = crypto::Sha384(input);
}

Result<> AddEvent(EventLog& log, LogEvent event) {
  if (log.events.size() >= kMaxEvents) return Bad("an event log holds too many events");
  if (event.extended) Extend(log, event);
  log.events.push_back(std::move(event));
  return {};
}

// A cursor over little-endian parts of a hostile log.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : rest_(bytes) {}
  size_t Remaining() const { return rest_.size(); }
  ByteView rest() const { return rest_; }
  Result<ByteView> Take(size_t n) {
    if (n > rest_.size()) return Bad("an event log is cut short inside an event");
    const ByteView out = rest_.first(n);
    rest_ = rest_.subspan(n);
    return out;
  }
  Result<uint16_t> U16() {
    ASSIGN_OR_RETURN(const ByteView b, Take(2));
    return LoadU16(b.data());
  }
  Result<uint32_t> U32() {
    ASSIGN_OR_RETURN(const ByteView b, Take(4));
    return LoadU32(b.data());
  }

 private:
  ByteView rest_;
};

// TCG_PCClientPCREvent with the "Spec ID Event03" structure: which digests later events carry.
struct Algorithm {
  uint16_t id;
  uint16_t size;
};
Result<std::vector<Algorithm>> ReadSpecId(Cursor& in) {
  ASSIGN_OR_RETURN(const uint32_t index, in.U32());
  ASSIGN_OR_RETURN(const uint32_t type, in.U32());
  TRY(in.Take(20));
  ASSIGN_OR_RETURN(const uint32_t size, in.U32());
  ASSIGN_OR_RETURN(const ByteView data, in.Take(size));
  static_cast<void>(index);
  if (type != kNoAction || size < 28 || AsText(data.first(15)) != "Spec ID Event03") {
    return Bad("an event log does not begin with the Spec ID event of TCG2");
  }
  Cursor spec(data.subspan(24));
  ASSIGN_OR_RETURN(const uint32_t count, spec.U32());
  if (count < 1 || count > 16) return Bad("an event log states no sensible number of algorithms");
  std::vector<Algorithm> out;
  for (uint32_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const uint16_t id, spec.U16());
    ASSIGN_OR_RETURN(const uint16_t digest_size, spec.U16());
    if (digest_size > 64 || (id == kAlgSha384 && digest_size != 48)) {
      return Bad("an event log states a wrong digest size");
    }
    out.push_back({id, digest_size});
  }
  return out;
}

// The log area is larger than the log: what follows the last event is 0xff or zero throughout.
bool IsUnusedTail(ByteView rest) {
  if (rest.size() < 8) return true;
  const uint8_t fill = rest[0];
  if (fill != 0 && fill != 0xff) return false;
  return std::all_of(rest.begin(), rest.end(), [&](uint8_t b) { return b == fill; });
}

Result<LogEvent> ReadEvent(Cursor& in, const std::vector<Algorithm>& algorithms) {
  LogEvent out;
  ASSIGN_OR_RETURN(const uint32_t register_index, in.U32());
  ASSIGN_OR_RETURN(out.type, in.U32());
  ASSIGN_OR_RETURN(const uint32_t count, in.U32());
  if (count < 1 || count > algorithms.size())
    return Bad("an event states a wrong number of digests");
  bool found = false;
  for (uint32_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const uint16_t id, in.U16());
    const auto algorithm = std::find_if(algorithms.begin(), algorithms.end(),
                                        [&](const Algorithm& a) { return a.id == id; });
    if (algorithm == algorithms.end()) return Bad("an event has a digest of an unknown algorithm");
    ASSIGN_OR_RETURN(const ByteView digest, in.Take(algorithm->size));
    if (id != kAlgSha384) continue;
    if (found) return Bad("an event has two SHA-384 digests");
    std::copy(digest.begin(), digest.end(), out.digest.begin());
    found = true;
  }
  ASSIGN_OR_RETURN(const uint32_t size, in.U32());
  ASSIGN_OR_RETURN(const ByteView data, in.Take(size));
  out.data = ToBytes(data);
  out.extended = out.type != kNoAction;
  if (!found && out.extended) return Bad("an event has no SHA-384 digest");
  // Measurement register 0 is MRTD, which no event extends.
  if (register_index < 1 || register_index > 4) {
    if (out.extended) {
      return Bad("an event extends register " + std::to_string(register_index) + ", not 1 to 4");
    }
    out.rtmr = 0;
  } else {
    out.rtmr = register_index - 1;
  }
  return out;
}

}  // namespace

Result<EventLog> ParseCcel(ByteView bytes) {
  if (bytes.size() > kMaxLog) return Bad("an event log exceeds 1 MiB");
  Cursor in(bytes);
  ASSIGN_OR_RETURN(const std::vector<Algorithm> algorithms, ReadSpecId(in));
  EventLog out;
  while (!IsUnusedTail(in.rest())) {
    ASSIGN_OR_RETURN(LogEvent event, ReadEvent(in, algorithms));
    TRY(AddEvent(out, std::move(event)));
  }
  return out;
}

Result<EventLog> ParseDstackLog(std::string_view text) {
  const auto parsed = ParseJson(text, {.max_bytes = kMaxLog});
  if (!parsed) return Bad(parsed.error().message);
  json::value log = *parsed;
  if (const json::object* object = log.if_object()) {
    const json::value* member = object->if_contains("event_log");
    if (member == nullptr) return Bad("a JSON event log lacks 'event_log'");
    log = json::value(*member);
  }
  if (const json::string* inner = log.if_string()) {
    Result<json::value> again = ParseJson(std::string_view(*inner), {.max_bytes = kMaxLog});
    if (!again) return Bad(again.error().message);
    log = std::move(*again);
  }
  const json::array* array = log.if_array();
  if (array == nullptr) return Bad("a JSON event log is no list");
  EventLog out;
  for (const json::value& item : *array) {
    if (!item.is_object()) return Bad("a JSON event log holds an item that is no object");
    Fields f(item.get_object(), "event log");
    LogEvent event;
    event.rtmr = f.Uint("imr", {.max = 3});
    event.type = static_cast<uint32_t>(f.Uint("event_type", {.max = UINT32_MAX}));
    const Bytes digest = f.Hex("digest", 48);
    event.name = f.String("event", {.max = 4096, .fallback = ""});
    event.data = f.Hex("event_payload", 0, /*optional=*/true);
    if (const Result<> read = f.Finish(); !read) return Bad(read.error().message);
    std::copy(digest.begin(), digest.end(), event.digest.begin());
    event.extended = event.type != kNoAction;
    TRY(AddEvent(out, std::move(event)));
  }
  return out;
}

Result<EventLog> ParseEventLog(ByteView bytes) {
  const std::string_view text = AsText(bytes);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && (text[first] == '[' || text[first] == '{')) {
    return ParseDstackLog(text);
  }
  return ParseCcel(bytes);
}

std::string_view EventTypeName(uint32_t type) {
  for (const TypeName& known : kTypes) {
    if (known.type == type) return known.name;
  }
  return "";
}

std::vector<size_t> DifferingRtmrs(const EventLog& log, const TdBody& body) {
  std::vector<size_t> out;
  for (size_t i = 0; i < log.rtmr.size(); ++i) {
    if (log.rtmr[i] != body.rtmr[i]) out.push_back(i);
  }
  return out;
}

json::object ToJsonObject(const EventLog& log) {
  json::array events;
  for (const LogEvent& event : log.events) {
    json::object item{{"rtmr", event.rtmr},
                      {"type", event.type},
                      {"type_name", EventTypeName(event.type)},
                      {"digest", ToHex(event.digest)},
                      {"extended", event.extended}};
    if (!event.name.empty()) item["name"] = event.name;
    item["data"] = ToHex(event.data);
    events.push_back(std::move(item));
  }
  json::object out{{"events", std::move(events)}};
  for (size_t i = 0; i < log.rtmr.size(); ++i) {
    out["rtmr" + std::to_string(i)] = ToHex(log.rtmr[i]);
  }
  return out;
}

}  // namespace cce::attest
