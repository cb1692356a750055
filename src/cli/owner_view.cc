#include "cli/owner_view.h"

#include <array>
#include <cstdio>

#include "cli/answer.h"
#include "cli/json_view.h"

namespace cce::cli {
namespace {

constexpr int kMaxDepth = 16;

void Line(std::string& out, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  out +=
      std::string(name) + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + value + "\n";
}

void AppendCheck(std::string& out, const json::object& check, int depth, bool all) {
  const std::string state = TextOf(check, "state");
  if (depth > kMaxDepth || (!all && state != "fail")) return;
  const std::string indent(static_cast<size_t>(2 * depth + 4), ' ');
  const std::string title = TextOf(check, "title");
  out += indent +
         (state == "pass"   ? "✓ "
          : state == "fail" ? "✗ "
                            : "· ") +
         (title.empty() ? TextOf(check, "rule") : title) + "\n";
  if (state == "fail") {
    for (const std::string_view key : {"expected", "actual", "mend"}) {
      const std::string value = TextOf(check, key);
      if (value.empty()) continue;
      out.append(indent).append("    ").append(key).append(": ").append(value).append("\n");
    }
  }
  for (const json::value& child : ListOf(check, "checks")) {
    if (const json::object* object = child.if_object()) AppendCheck(out, *object, depth + 1, all);
  }
}

void AppendRefusal(std::string& out, const json::object& refusal) {
  const json::value* time = refusal.if_contains("time");
  out += "refused at " + TextOf(refusal, "step");
  if (time != nullptr && time->is_int64()) out += ", " + ShowTime(time->get_int64());
  out += "\n";
  Error error = MakeError("internal.bug", TextOf(refusal, "message"));
  error.code = TextOf(refusal, "code");
  error.expected = TextOf(refusal, "expected");
  error.found = TextOf(refusal, "found");
  error.next = TextOf(refusal, "next");
  const std::string text = FormatError(error);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += "  " + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  const std::string detail = TextOf(refusal, "detail");
  if (!detail.empty()) out += "    detail   " + detail + "\n";
  const json::value* verdict = refusal.if_contains("verdict");
  if (verdict != nullptr && verdict->is_object() && !verdict->get_object().empty()) {
    out += "  evidence:\n" + VerdictText(verdict->get_object(), false);
  }
}

void AppendReport(std::string& out, const json::object& report) {
  out += "gate\n";
  for (const std::string_view key : {"decision", "score", "threshold", "files", "output_bytes"}) {
    const std::string value = TextOf(report, key);
    if (!value.empty()) out += "  " + std::string(key) + " " + value + "\n";
  }
  for (const json::value& item : ListOf(report, "findings")) {
    const json::object* finding = item.if_object();
    if (finding == nullptr) continue;
    out += "  ✗ " + TextOf(*finding, "class") + " (strength " + TextOf(*finding, "strength") +
           ") " + TextOf(*finding, "message") + "\n";
    const std::string file = TextOf(*finding, "file");
    if (!file.empty()) out += "      in " + file + " " + TextOf(*finding, "place") + "\n";
  }
}

}  // namespace

std::string VerdictText(const json::object& verdict, bool all) {
  std::string out;
  if (const json::value* nearest = verdict.if_contains("nearest_measurement");
      nearest != nullptr && nearest->is_object()) {
    out += "    nearest known guest: " + TextOf(nearest->get_object(), "name") + "\n";
    for (const json::value& item : ListOf(nearest->get_object(), "differences")) {
      const json::object* difference = item.if_object();
      if (difference == nullptr) continue;
      out += "      " + TextOf(*difference, "register") + " expected " +
             TextOf(*difference, "expected") + "\n      " + TextOf(*difference, "register") +
             " found    " + TextOf(*difference, "actual") + "\n";
    }
  }
  for (const json::value& check : ListOf(verdict, "checks")) {
    if (const json::object* object = check.if_object()) AppendCheck(out, *object, 0, all);
  }
  return out;
}

std::string OwnerJobLine(const json::object& job) {
  const json::value* waits = job.if_contains("waits_for_decision");
  const bool waiting = waits != nullptr && waits->is_bool() && waits->get_bool();
  return TextOf(job, "job") + "  " + TextOf(job, "state") + (waiting ? " (waits for you)" : "") +
         "  " + TextOf(job, "wallet") + "  " + TextOf(job, "title") + "\n";
}

std::string OwnerJobText(const json::object& job) {
  std::string out;
  Line(out, "job", TextOf(job, "job"));
  Line(out, "state", TextOf(job, "state"));
  Line(out, "outcome", TextOf(job, "outcome"));
  Line(out, "wallet", TextOf(job, "wallet"));
  Line(out, "title", TextOf(job, "title"));
  Line(out, "image", TextOf(job, "image"));
  if (!ListOf(job, "command").empty()) Line(out, "command", TextOf(job, "command"));
  Line(out, "source", TextOf(job, "source_digest"));
  Line(out, "machine", TextOf(job, "measurement"));
  Line(out, "output", TextOf(job, "output"));
  if (!ListOf(job, "stages").empty()) out += "stages\n";
  for (const json::value& item : ListOf(job, "stages")) {
    if (const json::object* stage = item.if_object()) {
      Line(out, "  " + TextOf(*stage, "name"), TextOf(*stage, "millis") + " ms");
    }
  }
  for (const json::value& item : ListOf(job, "refusals")) {
    if (const json::object* refusal = item.if_object()) AppendRefusal(out, *refusal);
  }
  if (const json::value* report = job.if_contains("report");
      report != nullptr && report->is_object() && !report->get_object().empty()) {
    AppendReport(out, report->get_object());
  }
  return out;
}

}  // namespace cce::cli
