// cce job submit

#include "base/arguments.h"
#include "base/clock.h"
#include "chain/rental.h"
#include "cli/answer.h"
#include "cli/job_commands.h"
#include "cli/job_file.h"
#include "cli/job_state.h"
#include "cli/prompt.h"

namespace cce::cli {
namespace {

// A rental that is on chain but not final yet is waited for; one that is not there is refused here,
// before anything is signed. Without chain endpoints in the settings cced decides alone.
Result<> WaitForRentals(const Settings& settings, const protocol::JobSpec& spec) {
  if (settings.chain_id == 0 || settings.chain_endpoints.empty()) return {};
  ASSIGN_OR_RETURN(const auto client, NeedChain(settings));
  chain::ChainRental rental(client);
  for (const protocol::JobDataset& dataset : spec.datasets) {
    const std::string name = protocol::AddressText(dataset.dataset);
    ASSIGN_OR_RETURN(const chain::RentalAnswer final_answer,
                     rental.HasAccess(dataset.dataset, spec.wallet));
    if (final_answer.has_access) continue;
    ASSIGN_OR_RETURN(const chain::Block head, client->LatestBlock());
    ASSIGN_OR_RETURN(const chain::RentalAnswer now,
                     rental.HasAccess(dataset.dataset, spec.wallet, head));
    if (!now.has_access) {
      return Fail(MakeError("rental.none", "wallet " + protocol::AddressText(spec.wallet) +
                                               " has no access to " + name)
                      .Expected("hasAccess = true")
                      .Found("false at block " + std::to_string(head.number))
                      .Next("cce rent " + name + " --hours 24"));
    }
    const int64_t start = SystemClock().NowMillis();
    Notice("rental of " + name + ": seen at block " + std::to_string(head.number) +
           ", waiting until it is final");
    ASSIGN_OR_RETURN(const chain::Block reached, chain::WaitFinal(*client, head.number));
    Notice("rental of " + name + ": final at block " + std::to_string(reached.number) + " after " +
           std::to_string((SystemClock().NowMillis() - start) / 1000) + " s");
  }
  return {};
}

std::string Describe(const protocol::JobSpec& spec) {
  std::string text = "job  " + (spec.title.empty() ? "(no title)" : Clean(spec.title)) +
                     "\n  image    " + spec.image_repository + "@" + spec.image_digest + "\n";
  for (const protocol::JobDataset& dataset : spec.datasets) {
    text += "  dataset  " + protocol::AddressText(dataset.dataset) + " snapshot " +
            ToHex(dataset.snapshot) + "\n";
  }
  return text + "  wallet   " + protocol::AddressText(spec.wallet);
}

Result<Answer> Submit(const Settings& settings, const std::string& file) {
  ASSIGN_OR_RETURN(const Document document, LoadToml(file));
  ASSIGN_OR_RETURN(const JobFile job, ReadJobFile(document));
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  ASSIGN_OR_RETURN(const chain::EthAddress address, WalletAddress(settings));
  ASSIGN_OR_RETURN(const crypto::P256PrivateKey key, crypto::P256PrivateKey::Generate());
  ASSIGN_OR_RETURN(const protocol::JobSpec spec,
                   MakeJobSpec(job, client, address, key.public_key()));
  TRY(WaitForRentals(settings, spec));
  if (!settings.yes) {
    Notice(Describe(spec));
    TRY(Confirm(settings, "Sign and submit it?"));
  }
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
  JobState state{.server = client.server(), .job_spec = protocol::EncodeJobSpec(spec)};
  const protocol::Digest32 hash = protocol::JobSpecHash(state.job_spec);
  // Before the submission: a job whose result nobody can open must not exist.
  TRY(SaveConsumerKey(settings, hash, key));
  protocol::SubmitJobRequest request{.job_spec = state.job_spec};
  ASSIGN_OR_RETURN(request.sign_in, client.SignIn(wallet, protocol::JobResource(hash),
                                                  "Run this job, and no other."));
  ASSIGN_OR_RETURN(const std::string text,
                   client.Send("POST", "/v1/jobs", "", protocol::ToJsonObject(request)));
  ASSIGN_OR_RETURN(const protocol::SubmitJobReply reply, protocol::ReadSubmitJobReply(text));
  state.job = reply.job;
  state.token = reply.token;
  state.submitted_at = SystemClock().Now();
  TRY(SaveJob(settings, state));
  const std::string id = ToHex(state.job);
  return Answer{"job  " + id + "\nnext cce job status " + id + " --follow\n",
                {{"job_id", id}, {"job_spec", ToHex(hash)}, {"submitted_at", state.submitted_at}}};
}

}  // namespace

void AddJobSubmitCommand(args::Command& job, const GlobalOptions& global, int& exit_code) {
  auto file = std::make_shared<std::string>("job.toml");
  args::Command* submit = job.AddCommand(
      "submit", "sign the job (EIP-4361, bound to its hash) and submit it; waits for the rental");
  submit->AddOption("FILE", *file, "the job")->ShowDefault();
  submit->Footer("Example:\n  cce job submit job.toml");
  Bind(*submit, global, exit_code, [file](const Settings& s) { return Submit(s, *file); });
}

}  // namespace cce::cli
