#include "cli/job_commands.h"

#include <chrono>
#include <optional>
#include <thread>

#include "base/arguments.h"
#include "base/clock.h"
#include "chain/abi.h"
#include "cli/answer.h"
#include "cli/example_files.h"
#include "cli/job_file.h"
#include "cli/job_state.h"
#include "cli/owner_client.h"
#include "cli/owner_view.h"
#include "cli/result_files.h"
#include "cli/verify_command.h"

namespace cce::cli {
namespace {

struct Options {
  std::string file = "job.toml";
  std::string job;
  std::string dataset;
  std::string out;
  bool force = false;
  bool follow = false;
};

Result<Answer> Init(const Options& options) {
  std::vector<std::pair<std::string, std::string>> values;
  if (!options.dataset.empty()) {
    ASSIGN_OR_RETURN(const chain::EthAddress dataset, chain::ParseAddress(options.dataset));
    values.emplace_back("dataset", "\"" + protocol::AddressText(dataset) + "\"");
  }
  TRY(WriteNewFile(options.file, FillExample(kExampleJob, values), options.force));
  return Answer{
      "wrote " + options.file + "\nnext  edit it, then: cce job check " + options.file + "\n",
      {{"file", options.file}}};
}

// -- check

// Checks as a list that people and --json see alike.
class CheckList {
 public:
  void Pass(const std::string& name, const std::string& says = {}) {
    text_ += "✓ " + name + (says.empty() ? "" : ": " + Clean(says)) + "\n";
    checks_.push_back(json::object{{"name", name}, {"passed", true}});
  }
  void Refuse(const std::string& name, const Error& error) {
    failed_ = true;
    std::string lines = Clean(FormatError(error));
    for (size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; at += 5) {
      lines.insert(at + 1, "    ");
    }
    text_ += "✗ " + name + "\n    " + lines + "\n";
    checks_.push_back(json::object{{"name", name},
                                   {"passed", false},
                                   {"code", error.code},
                                   {"message", error.message},
                                   {"expected", error.expected},
                                   {"found", error.found},
                                   {"next", error.next}});
  }
  // Gives the value on, or notes the refusal.
  template <typename T>
  std::optional<T> Take(const std::string& name, Result<T> result, const std::string& says = {}) {
    if (!result) {
      Refuse(name, result.error());
      return std::nullopt;
    }
    Pass(name, says);
    return std::move(*result);
  }
  Answer Finish() {
    if (!failed_) text_ += "nothing would refuse this job\n";
    return {
        std::move(text_), {{"passed", !failed_}, {"checks", std::move(checks_)}}, failed_ ? 1 : 0};
  }

 private:
  std::string text_;
  json::array checks_;
  bool failed_ = false;
};

Result<protocol::JobCheckReply> AskServer(Client& client, const protocol::JobSpec& spec) {
  ASSIGN_OR_RETURN(const std::string text,
                   client.Send("POST", "/v1/jobs/check", protocol::EncodeJobSpec(spec)));
  return protocol::ReadJobCheckReply(text);
}

Result<Answer> Check(const Settings& settings, const Options& options) {
  CheckList list;
  const auto read = [&]() -> Result<JobFile> {
    ASSIGN_OR_RETURN(const Document document, LoadToml(options.file));
    return ReadJobFile(document);
  };
  std::optional<JobFile> job = list.Take("job file", read());
  const auto wallet = list.Take("wallet", WalletAddress(settings));
  std::optional<Client> client = list.Take("engine", Client::Connect(settings));
  if (!job || !wallet || !client) return list.Finish();
  // Any key does for the check: what is signed gets one of its own at submission.
  ASSIGN_OR_RETURN(const crypto::P256PrivateKey key, crypto::P256PrivateKey::Generate());
  const auto spec = list.Take("job spec", MakeJobSpec(*job, *client, *wallet, key.public_key()));
  if (!spec) return list.Finish();
  const Result<protocol::JobCheckReply> reply = AskServer(*client, *spec);
  if (!reply) {
    list.Refuse("checks at the engine", reply.error());
    return list.Finish();
  }
  for (const protocol::JobCheck& check : reply->checks) {
    if (check.passed) {
      list.Pass(Clean(check.name));
      continue;
    }
    Error error = MakeError("internal.bug", check.message);
    error.code = check.code;
    error.expected = check.expected;
    error.found = check.found;
    error.next = check.next;
    list.Refuse(Clean(check.name), error);
  }
  return list.Finish();
}

// -- status, fetch, cancel

struct OwnJob {
  Client client;
  JobState state;
};

// A job of this folder, at the engine that it was submitted to.
Result<OwnJob> ConnectForJob(Settings settings, const std::string& id) {
  ASSIGN_OR_RETURN(JobState state, FindJob(settings, id));
  settings.server = state.server;
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  return OwnJob{std::move(client), std::move(state)};
}

Result<protocol::JobStatus> AskStatus(Client& client, const JobState& state) {
  ASSIGN_OR_RETURN(const std::string text, client.Get("/v1/jobs/" + ToHex(state.job), state.token));
  return protocol::ReadJobStatus(text);
}

std::string StatusText(const protocol::JobStatus& status) {
  std::string text = std::string(protocol::JobStateName(status.state));
  if (status.state == protocol::JobState::kFailed) {
    text += " (" + std::string(protocol::OutcomeName(status.outcome)) + ")";
  }
  return text;
}

// Asks twice a second until the job ends; states are shown as they change.
Result<protocol::JobStatus> Follow(Client& client, const JobState& state, bool quiet) {
  std::optional<protocol::JobState> shown;
  while (true) {
    ASSIGN_OR_RETURN(const protocol::JobStatus status, AskStatus(client, state));
    if (!quiet && shown != status.state && !protocol::IsFinal(status.state)) {
      Notice(ShowTime(SystemClock().Now()) + "  " + StatusText(status));
    }
    shown = status.state;
    if (protocol::IsFinal(status.state)) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

Answer StatusAnswer(const protocol::JobStatus& status) {
  Answer answer{"job " + ToHex(status.job) + ": " + StatusText(status) + "\n",
                protocol::ToJsonObject(status)};
  if (status.state == protocol::JobState::kReleased) {
    answer.text += "next cce job fetch " + ToHex(status.job) + " --out result\n";
  }
  return answer;
}

Result<Answer> Status(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnJob own, ConnectForJob(settings, options.job));
  auto& [client, state] = own;
  ASSIGN_OR_RETURN(const protocol::JobStatus status, options.follow
                                                         ? Follow(client, state, settings.json)
                                                         : AskStatus(client, state));
  Answer answer = StatusAnswer(status);
  const bool released = status.state == protocol::JobState::kReleased;
  if (options.follow && !released) answer.exit_code = 1;
  return answer;
}

Result<Answer> Cancel(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnJob own, ConnectForJob(settings, options.job));
  auto& [client, state] = own;
  ASSIGN_OR_RETURN(
      const std::string text,
      client.Send("POST", "/v1/jobs/" + ToHex(state.job) + "/cancel", state.token, json::object{}));
  ASSIGN_OR_RETURN(const protocol::JobStatus status, protocol::ReadJobStatus(text));
  return StatusAnswer(status);
}

Result<Answer> Fetch(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnJob own, ConnectForJob(settings, options.job));
  auto& [client, state] = own;
  const std::string folder =
      options.out.empty() ? "result-" + ToHex(state.job).substr(0, 8) : options.out;
  ASSIGN_OR_RETURN(const manifest::Report report, FetchResult(settings, client, state, folder));
  const manifest::Statement& statement = *report.statement;
  Answer answer;
  answer.text = ReportText(report) + "\nresult in " + folder +
                "/output\nanybody verifies it with: cce verify " + folder +
                "/output.tar --manifest " + folder + "/manifest.json --trust " + settings.trust +
                (report.development.empty() ? "\n" : " --allow-development\n");
  json::array files;
  for (const manifest::FileSubject& file : statement.files) files.emplace_back(file.path);
  answer.data = {{"job_id", ToHex(state.job)},
                 {"result_digest", ToHex(statement.output)},
                 {"result", folder + "/output.tar"},
                 {"output", folder + "/output"},
                 {"manifest", folder + "/manifest.json"},
                 {"trust", settings.trust},
                 {"decision", statement.decision},
                 {"files", std::move(files)}};
  return answer;
}

Result<Answer> Explain(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(json::object job, owner.Job(options.job));
  return Answer{OwnerJobText(job), std::move(job)};
}

}  // namespace

void AddJobCommands(args::Command& app, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<Options>();
  args::Command* job = app.AddCommand("job", "run a container on rented datasets");
  job->RequireCommand();
  const auto add = [&](const char* name, const char* help, const char* example,
                       std::function<Result<Answer>(const Settings&, const Options&)> run) {
    args::Command* command = job->AddCommand(name, help);
    command->Footer(std::string("Example:\n  ") + example);
    Bind(*command, global, exit_code,
         [options, run = std::move(run)](const Settings& s) { return run(s, *options); });
    return command;
  };
  args::Command* init = add("init", "write a commented job file", "cce job init --out job.toml",
                            [](const Settings&, const Options& o) { return Init(o); });
  init->AddOption("--out", options->file, "file to write")->ShowDefault();
  init->AddOption("--dataset", options->dataset, "the dataset to name in it");
  init->AddFlag("--force", options->force, "overwrite the file");
  args::Command* check =
      add("check", "tell everything that would refuse the job, before anything is signed",
          "cce job check job.toml", Check);
  check->AddOption("FILE", options->file, "the job")->ShowDefault();
  AddJobTryCommand(*job, global, exit_code);
  AddJobSubmitCommand(*job, global, exit_code);

  const char* kJob = "job id, or its beginning; else the newest";
  args::Command* status =
      add("status", "show a job's state; with --follow until it ends (exit 1 unless released)",
          "cce job status --follow", Status);
  status->AddOption("JOB", options->job, kJob);
  status->AddFlag("--follow", options->follow, "wait until the job ends");
  args::Command* fetch = add("fetch", "download, open, verify and unpack a released result",
                             "cce job fetch --out result", Fetch);
  fetch->AddOption("JOB", options->job, kJob);
  fetch->AddOption("--out", options->out, "folder for output.tar, output/ and manifest.json");
  args::Command* cancel = add("cancel", "end a job", "cce job cancel 4f1c", Cancel);
  cancel->AddOption("JOB", options->job, kJob);
  args::Command* explain =
      add("explain", "show a job as its dataset's owner sees it: stages, refusals, findings",
          "cce job explain 0xd8da6bf26964af9d7eed9e03e53415d37aa96045 4f1c...", Explain);
  explain->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  explain->AddOption("JOB", options->job, "job id, or its beginning")->Required();
}

}  // namespace cce::cli
