// Event logs: what was measured into the RTMRs, replayed. Two forms: TCG2 crypto-agile (the ACPI
// CCEL table's log area; measurement register 1..4 is RTMR0..3) and the JSON that dstack writes
// (array of {imr, event_type, digest, event, event_payload}). An event means something only after
// the replayed registers equal a verified quote's. Errors: evidence.event_log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/types.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace cce::attest {

struct LogEvent {
  size_t rtmr = 0;  // 0..3
  uint32_t type = 0;
  ByteArray<48> digest{};
  std::string name;  // dstack's event name; else empty
  Bytes data;
  bool extended = true;  // EV_NO_ACTION is not
};

struct EventLog {
  std::vector<LogEvent> events;
  std::array<ByteArray<48>, 4> rtmr{};  // replayed from zero
};

// At most 1 MiB and 65,536 events; the log area's unused tail (0xff or zeros) ends a CCEL.
Result<EventLog> ParseCcel(ByteView log);
Result<EventLog> ParseDstackLog(std::string_view json);  // the array, or an object with "event_log"
// By the first bytes.
Result<EventLog> ParseEventLog(ByteView bytes);

std::string_view EventTypeName(uint32_t type);  // "EV_SEPARATOR"; empty where unknown

// Registers whose replayed value differs from the quote's; empty: the log is what was measured.
std::vector<size_t> DifferingRtmrs(const EventLog& log, const TdBody& body);

json::object ToJsonObject(const EventLog& log);

}  // namespace cce::attest
