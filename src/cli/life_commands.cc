// cce dataset ls | diff, and what an owner sees with show --full

#include "base/arguments.h"
#include "chain/abi.h"
#include "cli/answer.h"
#include "cli/dataset_commands.h"
#include "cli/dataset_view.h"
#include "cli/json_view.h"
#include "cli/owner_client.h"
#include "cli/wallet.h"

namespace cce::cli {
namespace {

struct Options {
  std::string owner;
  std::string dataset;
  std::string from, to;
  uint64_t limit = 1000;
};

Result<Answer> List(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(const chain::EthAddress owner, options.owner.empty()
                                                      ? WalletAddress(settings)
                                                      : chain::ParseAddress(options.owner));
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  Answer answer;
  json::array all;
  for (std::string after;;) {
    const std::string query =
        "?owner=" + protocol::AddressText(owner) + (after.empty() ? "" : "&after=" + after);
    ASSIGN_OR_RETURN(const std::string text, client.Get("/v1/datasets" + query));
    ASSIGN_OR_RETURN(const json::value page, ParseJson(text));
    for (const json::value& item : ListOf(ObjectOf(page), "datasets")) {
      answer.text += DatasetLine(ObjectOf(item));
      all.push_back(item);
    }
    const std::string next = TextOf(ObjectOf(page), "next");
    if (next <= after) break;  // the end, or an answer that does not go on
    after = next;
  }
  if (all.empty()) answer.text = "no dataset of " + protocol::AddressText(owner) + "\n";
  answer.data = {{"datasets", std::move(all)}};
  return answer;
}

Result<Answer> Diff(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(const protocol::SnapshotId from, owner.Snapshot(options.from));
  ASSIGN_OR_RETURN(const protocol::SnapshotId to, owner.Snapshot(options.to));
  const std::string query = "/diff?from=" + ToHex(from) + "&to=" + ToHex(to);
  Answer answer;
  json::array all;
  std::string after;
  do {
    const uint64_t room = std::min<uint64_t>(options.limit - all.size(), 10'000);
    const std::string more = "&limit=" + std::to_string(room) + "&after=" + after;
    ASSIGN_OR_RETURN(const json::object page, owner.Get(query + more));
    for (const json::value& change : ListOf(page, "changes")) {
      answer.text += ChangeLine(ObjectOf(change));
      all.push_back(change);
    }
    const std::string next = TextOf(page, "next");
    if (next == after) break;
    after = next;
  } while (!after.empty() && all.size() < options.limit);
  const bool cut = !after.empty() && all.size() >= options.limit;
  if (all.empty()) answer.text = "the snapshots hold the same entries\n";
  if (cut) answer.text += "(cut off after " + std::to_string(all.size()) + " changes: --limit)\n";
  answer.data = {
      {"from", ToHex(from)}, {"to", ToHex(to)}, {"changes", std::move(all)}, {"complete", !cut}};
  return answer;
}

}  // namespace

Result<Answer> ShowOwnDataset(const Settings& settings, const std::string& dataset) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, dataset));
  ASSIGN_OR_RETURN(json::object view, owner.Get(""));
  return Answer{OwnerDatasetText(view), std::move(view)};
}

void AddLifeCommands(args::Command& dataset, const GlobalOptions& global, int& exit_code) {
  const std::string id = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045";
  auto options = std::make_shared<Options>();
  args::Command* list = dataset.AddCommand("ls", "list the datasets that cced holds of an owner");
  list->AddOption("--owner", options->owner, "the owner's wallet; else the one of these settings");
  list->Footer("Example:\n  cce dataset ls");
  Bind(*list, global, exit_code, [options](const Settings& s) { return List(s, *options); });
  args::Command* diff =
      dataset.AddCommand("diff", "show what changed from one snapshot to another, as the owner");
  diff->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  diff->AddOption("FROM", options->from, "snapshot id, or its beginning")->Required();
  diff->AddOption("TO", options->to, "snapshot id, or its beginning")->Required();
  diff->AddOption("--limit", options->limit, "show at most so many changes")
      ->ShowDefault()
      ->Positive();
  diff->Footer("Example:\n  cce dataset diff " + id + " 8f7bd4 13c0aa");
  Bind(*diff, global, exit_code, [options](const Settings& s) { return Diff(s, *options); });
}

}  // namespace cce::cli
