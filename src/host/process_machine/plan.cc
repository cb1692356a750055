#include "host/process_machine/plan.h"

#include "base/json.h"

namespace cce::process_machine {
namespace {

constexpr uint64_t kMaxMillis = uint64_t{8} * 86'400'000;

struct ReportRow {
  Report report;
  std::string_view name;
};
constexpr ReportRow kReports[] = {
    {Report::kRunning, "running"}, {Report::kExited, "exited"},   {Report::kDeadline, "deadline"},
    {Report::kLease, "lease"},     {Report::kDeleted, "deleted"}, {Report::kFailed, "failed"},
};

}  // namespace

std::string EncodePlan(const MachinePlan& plan) {
  return ToJson(json::object{{"name", plan.name},
                             {"front", plan.front},
                             {"mount_point", plan.mount_point},
                             {"tools", json::array(plan.tools.begin(), plan.tools.end())},
                             {"first_id", plan.first_id},
                             {"id_count", plan.id_count},
                             {"memory_mib", plan.memory_mib},
                             {"cpu_millis", plan.cpu_millis},
                             {"pids", plan.pids},
                             {"deadline_ms", plan.deadline.count()},
                             {"lease_ms", plan.lease.count()},
                             {"agent_log", plan.agent_log}});
}

Result<MachinePlan> DecodePlan(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "machine plan"));
  Fields f(document);
  const auto number = [&f](std::string_view key, uint64_t min, uint64_t max) {
    return static_cast<uint32_t>(f.Uint(key, {.min = min, .max = max}));
  };
  const auto millis = [&f](std::string_view key) {
    return std::chrono::milliseconds(f.Uint(key, {.min = 1, .max = kMaxMillis}));
  };
  MachinePlan plan;
  plan.name = f.String("name", {.min = 1, .max = 128});
  plan.front = f.String("front", {.min = 1});
  plan.mount_point = f.String("mount_point", {.min = 1});
  plan.tools = f.Strings("tools", {.max = 16, .max_item = 32});
  plan.first_id = number("first_id", 1, UINT32_MAX);
  plan.id_count = number("id_count", 131072, UINT32_MAX);
  plan.memory_mib = number("memory_mib", 64, 1 << 20);
  plan.cpu_millis = number("cpu_millis", 10, 1 << 20);
  plan.pids = number("pids", 16, 1 << 20);
  plan.deadline = millis("deadline_ms");
  plan.lease = millis("lease_ms");
  plan.agent_log = f.String("agent_log", {});
  TRY(f.Finish());
  return plan;
}

std::string EncodeLease(std::chrono::milliseconds lease) {
  return ToJson(json::object{{"lease_ms", lease.count()}});
}

Result<std::chrono::milliseconds> DecodeLease(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "lease"));
  Fields f(document);
  const uint64_t lease = f.Uint("lease_ms", {.min = 1, .max = kMaxMillis});
  TRY(f.Finish());
  return std::chrono::milliseconds(lease);
}

std::string_view ReportName(Report report) {
  for (const ReportRow& row : kReports) {
    if (row.report == report) return row.name;
  }
  return "failed";
}

std::string EncodeReport(const ReportMessage& report) {
  return ToJson(json::object{{"state", ReportName(report.report)}, {"message", report.message}});
}

Result<ReportMessage> DecodeReport(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "machine report"));
  Fields f(document);
  const std::string name = f.String("state", {.max = 32});
  ReportMessage out;
  out.message = f.String("message", {});
  TRY(f.Finish());
  for (const ReportRow& row : kReports) {
    if (row.name == name) {
      out.report = row.report;
      return out;
    }
  }
  return Fail("input.malformed", "a machine's report has an unknown state");
}

}  // namespace cce::process_machine
