#include "cli/dataset_commands.h"

#include "base/arguments.h"
#include "chain/rental.h"
#include "cli/answer.h"
#include "cli/chain_wait.h"
#include "cli/client.h"
#include "cli/prompt.h"
#include "cli/wallet.h"
#include "protocol/upload.h"

namespace cce::cli {
namespace {

struct DatasetOptions {
  std::string dataset;
  std::string price_wei = "0";
  bool full = false;
};

Result<Answer> Create(const Settings& settings, const DatasetOptions& options) {
  ASSIGN_OR_RETURN(const chain::U256 price, chain::U256::FromDecimal(options.price_wei));
  ASSIGN_OR_RETURN(const auto client, NeedChain(settings));
  ASSIGN_OR_RETURN(const chain::SendRequest request, chain::DeployRentalRequest(price));
  TRY(Confirm(settings, "Create a rental contract at " + chain::FormatWei(price) + " an hour?"));
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
  ASSIGN_OR_RETURN(const chain::Receipt receipt,
                   chain::SendAndWait(*client, wallet.key, request, ShowSending("contract")));
  if (!receipt.contract) return Fail("chain.malformed", "the receipt names no contract");
  const std::string dataset = protocol::AddressText(*receipt.contract);
  return Answer{"dataset " + dataset + "\nowner   " + protocol::AddressText(wallet.address) +
                    "\nnext    cce dataset policy init " + dataset + "\n",
                {{"dataset", dataset},
                 {"owner", protocol::AddressText(wallet.address)},
                 {"price_wei", price.ToDecimal()},
                 {"transaction", "0x" + ToHex(receipt.transaction)},
                 {"block", receipt.block_number}}};
}

Result<Answer> ShowDataset(const Settings& settings, const DatasetOptions& options) {
  if (options.full) return ShowOwnDataset(settings, options.dataset);
  ASSIGN_OR_RETURN(const chain::EthAddress id, chain::ParseAddress(options.dataset));
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  ASSIGN_OR_RETURN(const std::string text, client.Get("/v1/datasets/" + protocol::AddressText(id)));
  ASSIGN_OR_RETURN(const protocol::DatasetInfo info, protocol::ReadDatasetInfo(text));
  ASSIGN_OR_RETURN(const protocol::DatasetPolicy policy, protocol::DecodePolicy(info.policy));
  Answer answer;
  answer.text = "dataset  " + protocol::AddressText(info.dataset) + "\nowner    " +
                protocol::AddressText(info.owner) + "\npolicy   version " +
                std::to_string(info.policy_version) + ", " + ToHex(info.policy_hash) +
                "\n         " + protocol::PolicySummary(policy) + "\n";
  for (const protocol::DatasetInfo::Snapshot& s : info.snapshots) {
    answer.text += "snapshot " + ToHex(s.id) + "\n         " + ShowTime(s.time) + ", " +
                   std::to_string(s.counts.files) + " files, " + FormatBytes(s.counts.bytes) +
                   (s.leak_index ? "" : ", leak index not built yet") + "\n";
  }
  if (info.snapshots.empty()) answer.text += "no snapshot yet\n";
  answer.data = protocol::ToJsonObject(info);
  ASSIGN_OR_RETURN(answer.data["policy"], ParseJson(AsText(info.policy)));
  return answer;
}

}  // namespace

void AddDatasetCommands(args::Command& app, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<DatasetOptions>();
  args::Command* dataset = app.AddCommand("dataset", "offer a dataset: policy, upload, receipt");
  dataset->RequireCommand();
  args::Command* create =
      dataset->AddCommand("create", "create the development rental contract; prints the id");
  create->AddOption("--price-wei", options->price_wei, "price of an hour, in wei")->ShowDefault();
  create->Footer("Example:\n  cce dataset create --price-wei 1000000000000000");
  Bind(*create, global, exit_code, [options](const Settings& s) { return Create(s, *options); });
  args::Command* show = dataset->AddCommand("show", "show a dataset's policy and snapshots");
  show->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  show->AddFlag("--full", options->full,
                "as its owner: epochs, sizes, receipts, quota, uploads and work under way");
  show->Footer("Example:\n  cce dataset show 0xd8da6bf26964af9d7eed9e03e53415d37aa96045");
  Bind(*show, global, exit_code, [options](const Settings& s) { return ShowDataset(s, *options); });
  AddPolicyCommands(*dataset, global, exit_code);
  AddUploadCommands(*dataset, global, exit_code);
  AddLifeCommands(*dataset, global, exit_code);
  AddOrderCommands(*dataset, global, exit_code);
}

}  // namespace cce::cli
