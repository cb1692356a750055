#include "cli/verify_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/arguments.h"
#include "base/file.h"
#include "cli/answer.h"

namespace cce::cli {
namespace {

constexpr size_t kMaxResult = size_t{2} << 30;
constexpr size_t kColumn = 18;

struct VerifyOptions {
  std::string result;
  std::string manifest;
};

// Untrusted text within one line.
std::string OneLine(std::string_view text) {
  std::string out = Clean(text);
  std::ranges::replace(out, '\n', ' ');
  return out;
}

std::string Padded(std::string_view name) {
  std::string out(name);
  out.resize(std::max(kColumn, out.size() + 1), ' ');
  return out;
}

std::string Line(std::string_view name, std::string_view value) {
  return "  " + Padded(name) + OneLine(value) + "\n";
}

std::string WordsOf(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out.empty() ? "the image's own command" : out;
}

std::string DecisionOf(const manifest::Statement& s) {
  std::string out = s.decision == "approved" ? "by people:" : "by the output gate alone";
  for (const protocol::Wallet& wallet : s.decided_by) out += " " + protocol::AddressText(wallet);
  return out + ", " + ShowTime(s.decided_at);
}

// "score 0.25 of 0.50, small_cell 1"; what has another form is shown as it is.
std::string GateText(const json::object& gate) {
  const auto number = [&gate](std::string_view name) -> std::optional<std::string> {
    const json::value* value = gate.if_contains(name);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f", value->to_number<double>());
    return text.data();
  };
  const auto score = number("score"), threshold = number("threshold");
  const json::value* findings = gate.if_contains("findings");
  if (!score || !threshold || findings == nullptr || !findings->is_object()) return ToJson(gate);
  std::string out = "score " + *score + ", threshold " + *threshold;
  for (const auto& finding : findings->get_object()) {
    out += ", " + std::string(finding.key()) + " " + ToJson(finding.value());
  }
  return out + (findings->get_object().empty() ? ", no findings" : "");
}

// What an accepted manifest says.
std::string StatementText(const manifest::Report& report, const manifest::Statement& s) {
  std::string out = Line("engine", report.cced);
  out +=
      Line("job", ToHex(s.job) + ", attempt " + std::to_string(s.attempt) + ", of wallet " +
                      protocol::AddressText(s.wallet) + " on chain " + std::to_string(s.chain_id));
  out += Line("was run", s.image_repository + "@" + s.image_digest);
  out += Line("", WordsOf(s.command));
  if (!s.source_digest.empty()) out += Line("from source", s.source_digest);
  out += Line("and ended", s.outcome);
  for (const manifest::DatasetUse& use : s.datasets) {
    out += Line("on dataset", protocol::AddressText(use.dataset));
    out += Line("", "snapshot " + ToHex(use.snapshot));
    out += Line("", "policy version " + std::to_string(use.policy_version) + ", access mode " +
                        use.access_mode);
  }
  out += Line("in machine", "'" + s.measurement + "'");
  for (const std::string_view name : {"tee", "mrtd", "measurement"}) {
    const json::value* field = s.machine.if_contains(name);
    if (field != nullptr && field->is_string()) {
      out += Line("", std::string(name) + " " + std::string(field->get_string()));
    }
  }
  out += Line("decided", DecisionOf(s));
  out += Line("gate", GateText(s.gate));
  out += Line("result", "sha256 " + ToHex(s.output) + ", " + std::to_string(s.files.size()) +
                            (s.files.size() == 1 ? " file" : " files"));
  for (const std::string& part : report.development) out += Line("DEVELOPMENT", part);
  if (report.development.empty()) out += Line("development", "no development part");
  return out;
}

json::object ErrorJson(const Error& error) {
  const ErrorInfo* info = FindErrorInfo(error.code);
  return {{"code", error.code},
          {"message", error.message},
          {"expected", error.expected},
          {"found", error.found},
          {"next", error.next.empty() && info != nullptr ? std::string(info->next) : error.next},
          {"detail", error.detail}};
}

struct Inputs {
  Bytes tar;
  std::string bundle;
  manifest::Trust trust;
};

Result<Inputs> ReadInputs(const VerifyOptions& options, const GlobalOptions& global) {
  Inputs in;
  std::string tar = options.result;
  struct stat info{};
  if (::stat(tar.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) tar += "/output.tar";
  std::string path = options.manifest;
  if (path.empty()) {
    const size_t slash = tar.rfind('/');
    path = (slash == std::string::npos ? "" : tar.substr(0, slash + 1)) + "manifest.json";
  }
  std::string trust = global.trust;
  if (trust.empty()) {
    ASSIGN_OR_RETURN(const Settings settings, LoadSettings(global));
    trust = settings.trust;
  }
  ASSIGN_OR_RETURN(const Document document, LoadToml(trust));
  ASSIGN_OR_RETURN(in.trust, manifest::ReadTrust(document));
  ASSIGN_OR_RETURN(in.bundle, ReadTextFile(path, manifest::kMaxBundle));
  ASSIGN_OR_RETURN(in.tar, ReadFile(tar, kMaxResult));
  return in;
}

// A bundle that does not decode is a refusal like any other.
manifest::Report Judge(const Inputs& in, bool allow_development) {
  const Result<manifest::Bundle> bundle = manifest::DecodeBundle(in.bundle);
  if (bundle) return manifest::Examine(in.tar, *bundle, in.trust, allow_development);
  manifest::Report report;
  report.steps.push_back({"form", false, bundle.error().message});
  report.error = bundle.error();
  return report;
}

int Run(const VerifyOptions& options, const GlobalOptions& global) {
  const Result<Inputs> in = ReadInputs(options, global);
  if (!in) {
    std::fprintf(stderr, "%s\n", Clean(FormatError(in.error())).c_str());
    if (global.json) {
      std::fputs(
          ToPrettyJson(json::object{{"accepted", false}, {"error", ErrorJson(in.error())}}).c_str(),
          stdout);
    }
    return 2;
  }
  const manifest::Report report = Judge(*in, global.allow_development);
  const std::string text = global.json ? ToPrettyJson(ReportJson(report)) : ReportText(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return !report.error && report.statement ? 0 : 1;
}

}  // namespace

std::string ReportText(const manifest::Report& report) {
  std::string out;
  for (const manifest::Step& step : report.steps) {
    // A policy's name holds an address: it stands on a line of its own.
    const bool wide = step.name.size() >= kColumn;
    out += std::string(Mark(step.passed)) + " " + (wide ? step.name + "\n  " : "") +
           Padded(wide ? "" : step.name) + OneLine(step.says) + "\n";
  }
  if (!report.error && report.statement) {
    return out + "\nACCEPTED\n" + StatementText(report, *report.statement);
  }
  const Error error = report.error.value_or(MakeError("internal.bug", "nothing was examined"));
  const ErrorInfo* info = FindErrorInfo(error.code);
  out += "\nREFUSED\n" + Line("why", error.code + ": " + error.message);
  if (!error.expected.empty()) out += Line("expected", error.expected);
  if (!error.found.empty()) out += Line("found", error.found);
  if (!error.next.empty() || info != nullptr) {
    out += Line("next", error.next.empty() ? info->next : std::string_view(error.next));
  }
  return out;
}

json::object ReportJson(const manifest::Report& report) {
  json::array steps;
  for (const manifest::Step& step : report.steps) {
    steps.push_back(
        json::object{{"name", step.name}, {"passed", step.passed}, {"says", step.says}});
  }
  const bool accepted = !report.error && report.statement;
  json::object out{
      {"accepted", accepted},
      {"engine", report.cced},
      {"steps", std::move(steps)},
      {"development", json::array(report.development.begin(), report.development.end())}};
  if (!report.error && report.statement) {
    // As signed; only of what was accepted.
    Result<json::value> tree = ParseJson(manifest::EncodeStatement(*report.statement),
                                         {.max_bytes = manifest::kMaxStatement});
    if (tree) out["statement"] = std::move(*tree);
  } else {
    out["error"] =
        ErrorJson(report.error.value_or(MakeError("internal.bug", "nothing was examined")));
  }
  return out;
}

void AddVerifyCommand(args::Command& app, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<VerifyOptions>();
  args::Command* verify = app.AddCommand(
      "verify", "check a result and its manifest, offline: what was run, on what, and where");
  verify
      ->AddOption("RESULT", options->result,
                  "output.tar as it was delivered, or a folder that holds it (the unpacked files "
                  "alone do not do: their packing is what was signed)")
      ->Required();
  verify->AddOption("--manifest", options->manifest,
                    "the Result Manifest; else manifest.json beside output.tar");
  verify->Footer(
      "Example:\n  cce verify result --manifest result/manifest.json --trust trust.toml\n"
      "Takes --trust, --json and --allow-development of the options that every command has.\n"
      "Exit code: 0 accepted, 1 refused, 2 the input cannot be used.");
  verify->OnParsed([options, &global, &exit_code] { exit_code = Run(*options, global); });
}

}  // namespace cce::cli
