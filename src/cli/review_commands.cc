#include "cli/review_commands.h"

#include <algorithm>

#include "base/arguments.h"
#include "chain/eip712.h"
#include "cli/answer.h"
#include "cli/owner_client.h"
#include "cli/owner_view.h"
#include "cli/prompt.h"
#include "protocol/job_api.h"

namespace cce::cli {
namespace {

struct Options {
  std::string dataset;
  std::string job;
  std::string reason;
  bool all = false;
};

bool Waits(const json::value& job) {
  const json::object* object = job.if_object();
  const json::value* waits =
      object == nullptr ? nullptr : object->if_contains("waits_for_decision");
  return waits != nullptr && waits->is_bool() && waits->get_bool();
}

Result<Answer> List(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(const json::array jobs, owner.Jobs());
  Answer answer;
  json::array shown;
  for (const json::value& job : jobs) {
    if (!job.is_object() || (!options.all && !Waits(job))) continue;
    answer.text += OwnerJobLine(job.get_object());
    shown.push_back(job);
  }
  if (shown.empty()) answer.text = options.all ? "no jobs\n" : "no result waits for a decision\n";
  answer.data = {{"jobs", std::move(shown)}};
  return answer;
}

Result<Answer> Show(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(json::object job, owner.Job(options.job));
  return Answer{OwnerJobText(job), std::move(job)};
}

// What the decision is about, as cced names it: the result under review, not another one.
struct UnderReview {
  protocol::JobId job{};
  uint32_t attempt = 0;
  protocol::Digest32 output{};
};

Result<UnderReview> ReadUnderReview(const json::object& job) {
  if (!Waits(job)) return Fail("review.not_waiting", "the job waits for no decision of yours");
  const json::value* attempt = job.if_contains("attempt");
  const json::value* output = job.if_contains("output");
  const json::value* id = job.if_contains("job");
  if (attempt == nullptr || !attempt->is_int64() || output == nullptr || !output->is_string() ||
      id == nullptr || !id->is_string()) {
    return Fail("net.bad_answer", "cced's answer does not name the result under review");
  }
  UnderReview under;
  under.attempt = static_cast<uint32_t>(attempt->get_int64());
  ASSIGN_OR_RETURN(under.job, ArrayFromHex<16>(std::string_view(id->get_string())));
  ASSIGN_OR_RETURN(under.output, ArrayFromHex<32>(std::string_view(output->get_string())));
  return under;
}

Result<Answer> Decide(const Settings& settings, const Options& options,
                      const std::string& decision) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(const json::object job, owner.Job(options.job));
  ASSIGN_OR_RETURN(const UnderReview under, ReadUnderReview(job));
  if (!settings.yes) {
    Notice(OwnerJobText(job));
    TRY(Confirm(settings, "Sign the decision to " + decision + " this result?"));
  }
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
  chain::ReviewDecisionDocument document{.dataset = owner.dataset(),
                                         .attempt = under.attempt,
                                         .result = under.output,
                                         .decision = decision,
                                         .reason = options.reason};
  std::ranges::copy(under.job, document.job.begin());  // bytes32: the job id, then zeros
  ASSIGN_OR_RETURN(const crypto::EthSignature signature,
                   crypto::EthSignDigest(
                       wallet.key, chain::HashReviewDecision(owner.client().chain_id(), document)));
  const protocol::ReviewDecisionRequest request{.decision = decision,
                                                .reason = options.reason,
                                                .attempt = under.attempt,
                                                .output = under.output,
                                                .signer = wallet.address,
                                                .signature = ToBytes(signature)};
  ASSIGN_OR_RETURN(json::object after, owner.Post("/jobs/" + ToHex(under.job) + "/decision",
                                                  protocol::ToJsonObject(request)));
  return Answer{"decided: " + decision + " job " + ToHex(under.job) + "\n", std::move(after)};
}

}  // namespace

void AddReviewCommands(args::Command& app, const GlobalOptions& global, int& exit_code) {
  const std::string id = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045";
  auto options = std::make_shared<Options>();
  args::Command* review = app.AddCommand("review", "decide about results that the gate holds back");
  review->RequireCommand();
  const auto add = [&](const std::string& name, const std::string& help,
                       std::function<Result<Answer>(const Settings&, const Options&)> run,
                       const std::string& example) {
    args::Command* command = review->AddCommand(name, help);
    command->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
    command->Footer("Example:\n  cce review " + name + " " + id + example);
    Bind(*command, global, exit_code,
         [options, run = std::move(run)](const Settings& s) { return run(s, *options); });
    return command;
  };
  add("list", "list the results that wait for a decision", List, "")
      ->AddFlag("--all", options->all, "all jobs of the dataset");
  add("show", "show a job with the gate's findings", Show, " 4f1c")
      ->AddOption("JOB", options->job, "job id, or its beginning")
      ->Required();
  for (const std::string decision : {"approve", "reject"}) {
    args::Command* command = add(
        decision, "sign the decision to " + decision + " a result (EIP-712)",
        [decision](const Settings& s, const Options& o) { return Decide(s, o, decision); },
        " 4f1c --reason \"counts only\"");
    command->AddOption("JOB", options->job, "job id, or its beginning")->Required();
    command->AddOption("--reason", options->reason, "for the journal and the other owners")
        ->Required()
        ->AtMostBytes(2048);
  }
}

}  // namespace cce::cli
