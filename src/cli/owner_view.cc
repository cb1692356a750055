#include "cli/owner_view.h"

#include <array>
#include <cstdio>

#include "cli/answer.h"

namespace cce::cli {
namespace {

constexpr int kMaxDepth = 16;

// A member's text, whatever it is; empty where it is absent or null.
std::string Text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  if (const json::string* text = value->if_string()) return Clean(*text);
  if (const double* number = value->if_double()) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f", *number);
    return text.data();
  }
  return Clean(ToJson(*value));
}

const json::array& List(const json::object& object, std::string_view key) {
  static const json::array kEmpty;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

void Line(std::string& out, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  out +=
      std::string(name) + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + value + "\n";
}

void AppendCheck(std::string& out, const json::object& check, int depth, bool all) {
  const std::string state = Text(check, "state");
  if (depth > kMaxDepth || (!all && state != "fail")) return;
  const std::string indent(static_cast<size_t>(2 * depth + 4), ' ');
  const std::string title = Text(check, "title");
  out += indent +
         (state == "pass"   ? "✓ "
          : state == "fail" ? "✗ "
                            : "· ") +
         (title.empty() ? Text(check, "rule") : title) + "\n";
  if (state == "fail") {
    for (const std::string_view key : {"expected", "actual", "mend"}) {
      const std::string value = Text(check, key);
      if (!value.empty()) out += indent + "    " + std::string(key) + ": " + value + "\n";
    }
  }
  for (const json::value& child : List(check, "checks")) {
    if (const json::object* object = child.if_object()) AppendCheck(out, *object, depth + 1, all);
  }
}

void AppendRefusal(std::string& out, const json::object& refusal) {
  const json::value* time = refusal.if_contains("time");
  out += "refused at " + Text(refusal, "step");
  if (time != nullptr && time->is_int64()) out += ", " + ShowTime(time->get_int64());
  out += "\n";
  Error error = MakeError("internal.bug", Text(refusal, "message"));
  error.code = Text(refusal, "code");
  error.expected = Text(refusal, "expected");
  error.found = Text(refusal, "found");
  error.next = Text(refusal, "next");
  const std::string text = FormatError(error);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += "  " + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  const std::string detail = Text(refusal, "detail");
  if (!detail.empty()) out += "    detail   " + detail + "\n";
  const json::value* verdict = refusal.if_contains("verdict");
  if (verdict != nullptr && verdict->is_object() && !verdict->get_object().empty()) {
    out += "  evidence:\n" + VerdictText(verdict->get_object(), false);
  }
}

void AppendReport(std::string& out, const json::object& report) {
  out += "gate\n";
  for (const std::string_view key : {"decision", "score", "threshold", "files", "output_bytes"}) {
    const std::string value = Text(report, key);
    if (!value.empty()) out += "  " + std::string(key) + " " + value + "\n";
  }
  for (const json::value& item : List(report, "findings")) {
    const json::object* finding = item.if_object();
    if (finding == nullptr) continue;
    out += "  ✗ " + Text(*finding, "class") + " (strength " + Text(*finding, "strength") + ") " +
           Text(*finding, "message") + "\n";
    const std::string file = Text(*finding, "file");
    if (!file.empty()) out += "      in " + file + " " + Text(*finding, "place") + "\n";
  }
}

}  // namespace

std::string VerdictText(const json::object& verdict, bool all) {
  std::string out;
  if (const json::value* nearest = verdict.if_contains("nearest_measurement");
      nearest != nullptr && nearest->is_object()) {
    out += "    nearest known guest: " + Text(nearest->get_object(), "name") + "\n";
    for (const json::value& item : List(nearest->get_object(), "differences")) {
      const json::object* difference = item.if_object();
      if (difference == nullptr) continue;
      out += "      " + Text(*difference, "register") + " expected " +
             Text(*difference, "expected") + "\n      " + Text(*difference, "register") +
             " found    " + Text(*difference, "actual") + "\n";
    }
  }
  for (const json::value& check : List(verdict, "checks")) {
    if (const json::object* object = check.if_object()) AppendCheck(out, *object, 0, all);
  }
  return out;
}

std::string OwnerJobLine(const json::object& job) {
  const json::value* waits = job.if_contains("waits_for_decision");
  const bool waiting = waits != nullptr && waits->is_bool() && waits->get_bool();
  return Text(job, "job") + "  " + Text(job, "state") + (waiting ? " (waits for you)" : "") + "  " +
         Text(job, "wallet") + "  " + Text(job, "title") + "\n";
}

std::string OwnerJobText(const json::object& job) {
  std::string out;
  Line(out, "job", Text(job, "job"));
  Line(out, "state", Text(job, "state"));
  Line(out, "outcome", Text(job, "outcome"));
  Line(out, "wallet", Text(job, "wallet"));
  Line(out, "title", Text(job, "title"));
  Line(out, "image", Text(job, "image"));
  if (!List(job, "command").empty()) Line(out, "command", Text(job, "command"));
  Line(out, "source", Text(job, "source_digest"));
  Line(out, "machine", Text(job, "measurement"));
  Line(out, "output", Text(job, "output"));
  if (!List(job, "stages").empty()) out += "stages\n";
  for (const json::value& item : List(job, "stages")) {
    if (const json::object* stage = item.if_object()) {
      Line(out, "  " + Text(*stage, "name"), Text(*stage, "millis") + " ms");
    }
  }
  for (const json::value& item : List(job, "refusals")) {
    if (const json::object* refusal = item.if_object()) AppendRefusal(out, *refusal);
  }
  if (const json::value* report = job.if_contains("report");
      report != nullptr && report->is_object() && !report->get_object().empty()) {
    AppendReport(out, report->get_object());
  }
  return out;
}

}  // namespace cce::cli
