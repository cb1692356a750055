// cce dataset policy init | set
#include <optional>

#include "attest/policy.h"
#include "base/arguments.h"
#include "chain/eip712.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/dataset_commands.h"
#include "cli/example_files.h"
#include "cli/prompt.h"
#include "cli/wallet.h"
#include "protocol/upload.h"

namespace cce::cli {
namespace {

struct PolicyOptions {
  std::string dataset;
  std::string file = "policy.toml";
  bool force = false;
};

Result<Answer> Init(const Settings& settings, const PolicyOptions& options) {
  ASSIGN_OR_RETURN(const chain::EthAddress dataset, chain::ParseAddress(options.dataset));
  const uint64_t chain_id = settings.chain_id == 0 ? 1 : settings.chain_id;
  const std::string text =
      FillExample(kExamplePolicy, {{"dataset", "\"" + protocol::AddressText(dataset) + "\""},
                                   {"chain_id", std::to_string(chain_id)}});
  TRY(WriteNewFile(options.file, text, options.force));
  return Answer{"wrote " + options.file + "\nnext  edit it, then: cce dataset policy set " +
                    protocol::AddressText(dataset) + " " + options.file + "\n",
                {{"file", options.file}}};
}

// The policy in force, or none for a dataset that cced does not know yet.
Result<std::optional<protocol::DatasetInfo>> Present(Client& client, const std::string& dataset) {
  const Result<std::string> text = client.Get("/v1/datasets/" + dataset);
  if (!text && text.error().code == "dataset.unknown") return std::nullopt;
  if (!text) return Fail(text.error());
  ASSIGN_OR_RETURN(protocol::DatasetInfo info, protocol::ReadDatasetInfo(*text));
  return info;
}

// The file as the next version, checked with the readers that cced uses.
Result<protocol::DatasetPolicy> NextPolicy(const Document& document,
                                           const chain::EthAddress& dataset,
                                           const std::optional<protocol::DatasetInfo>& present) {
  ASSIGN_OR_RETURN(protocol::DatasetPolicy policy, protocol::ReadPolicy(document));
  if (policy.dataset != dataset) {
    return Fail(MakeError("policy.wrong_dataset", document.name + " is for another dataset")
                    .Expected(protocol::AddressText(dataset))
                    .Found(protocol::AddressText(policy.dataset)));
  }
  TRY(attest::ReadPolicy(policy.attestation, document.name + ": attestation"));
  const uint64_t version = present ? present->policy_version + 1 : 1;
  if (document.root.contains("version") && policy.version != version) {
    return Fail(MakeError("policy.version", "the policy does not follow the one in force")
                    .Expected("version " + std::to_string(version) + ", or none in the file")
                    .Found("version " + std::to_string(policy.version)));
  }
  policy.version = version;
  policy.previous = present ? present->policy_hash : protocol::Digest32{};
  return policy;
}

Result<Answer> Set(const Settings& settings, const PolicyOptions& options) {
  ASSIGN_OR_RETURN(const chain::EthAddress dataset, chain::ParseAddress(options.dataset));
  ASSIGN_OR_RETURN(const Document document, LoadToml(options.file));
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  const std::string name = protocol::AddressText(dataset);
  ASSIGN_OR_RETURN(const auto present, Present(client, name));
  ASSIGN_OR_RETURN(const protocol::DatasetPolicy policy, NextPolicy(document, dataset, present));
  const std::string summary = protocol::PolicySummary(policy);
  if (!settings.yes) {
    Notice(summary);
    TRY(Confirm(settings, "Sign this policy?"));
  }
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
  protocol::SetPolicyRequest request{.document = protocol::EncodePolicy(policy),
                                     .signer = wallet.address};
  const chain::Hash32 digest =
      chain::HashDatasetPolicy(policy.chain_id, {.dataset = dataset,
                                                 .version = policy.version,
                                                 .previous = policy.previous,
                                                 .document = protocol::PolicyHash(request.document),
                                                 .summary = summary});
  ASSIGN_OR_RETURN(const crypto::EthSignature signature, crypto::EthSignDigest(wallet.key, digest));
  request.signature = ToBytes(signature);
  ASSIGN_OR_RETURN(const std::string text, client.Send("PUT", "/v1/datasets/" + name + "/policy",
                                                       "", protocol::ToJsonObject(request)));
  ASSIGN_OR_RETURN(const protocol::DatasetInfo info, protocol::ReadDatasetInfo(text));
  return Answer{summary + "\nin force as " + ToHex(info.policy_hash) + "\n",
                {{"dataset", name},
                 {"version", info.policy_version},
                 {"policy_hash", ToHex(info.policy_hash)},
                 {"summary", summary}}};
}

}  // namespace

void AddPolicyCommands(args::Command& dataset, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<PolicyOptions>();
  args::Command* policy = dataset.AddCommand("policy", "say who may compute on a dataset, and how");
  policy->RequireCommand();
  args::Command* init = policy->AddCommand("init", "write a commented policy file");
  init->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  init->AddOption("--out", options->file, "file to write")->ShowDefault();
  init->AddFlag("--force", options->force, "overwrite the file");
  init->Footer("Example:\n  cce dataset policy init 0xd8da6bf26964af9d7eed9e03e53415d37aa96045");
  Bind(*init, global, exit_code, [options](const Settings& s) { return Init(s, *options); });
  args::Command* set = policy->AddCommand("set", "sign a policy (EIP-712) and put it in force");
  set->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  set->AddOption("FILE", options->file, "the policy")->ShowDefault();
  set->Footer(
      "Example:\n  cce dataset policy set 0xd8da6bf26964af9d7eed9e03e53415d37aa96045 policy.toml");
  Bind(*set, global, exit_code, [options](const Settings& s) { return Set(s, *options); });
}

}  // namespace cce::cli
