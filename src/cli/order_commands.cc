// cce dataset verify | rotate | delete | abandon: orders of the owner, each signed (EIP-712)
#include <algorithm>
#include <thread>

#include "base/arguments.h"
#include "base/file.h"
#include "chain/eip712.h"
#include "cli/answer.h"
#include "cli/dataset_commands.h"
#include "cli/dataset_view.h"
#include "cli/json_view.h"
#include "cli/owner_client.h"
#include "cli/prompt.h"
#include "crypto/signed.h"
#include "dataset/receipt.h"
#include "protocol/dataset_order.h"

namespace cce::cli {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(500);
constexpr auto kTell = std::chrono::seconds(10);

struct Options {
  std::string dataset;
  std::string snapshot;
  std::string receipt;
  bool no_wait = false;
};

// Signs and sends the next order.
Result<protocol::DatasetOrderReply> Send(const Settings& settings, OwnerClient& owner,
                                         const std::string& action,
                                         const protocol::SnapshotId& snapshot) {
  ASSIGN_OR_RETURN(const json::object view, owner.Get(""));
  protocol::DatasetOrder order{
      .action = action, .snapshot = snapshot, .number = NumberOf(view, "orders") + 1};
  const std::string summary = protocol::OrderSummary(owner.dataset(), order);
  if (!settings.yes) {
    Notice(summary);
    TRY(Confirm(settings, "Sign this order?"));
  }
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
  order.signer = wallet.address;
  const chain::Hash32 digest =
      chain::HashDatasetOrder(owner.client().chain_id(), {.dataset = owner.dataset(),
                                                          .number = order.number,
                                                          .action = action,
                                                          .snapshot = snapshot,
                                                          .summary = summary});
  ASSIGN_OR_RETURN(const crypto::EthSignature signature, crypto::EthSignDigest(wallet.key, digest));
  order.signature = ToBytes(signature);
  ASSIGN_OR_RETURN(const std::string text,
                   owner.client().Send(
                       "POST", "/v1/datasets/" + protocol::AddressText(owner.dataset()) + "/orders",
                       "", protocol::ToJsonObject(order)));
  return protocol::ReadDatasetOrderReply(text);
}

// Asks for the tasks until `over` says so; tells now and then how far they are.
Result<> Follow(const Settings& settings, OwnerClient& owner,
                const std::function<bool(const json::object& tasks)>& over,
                const std::function<std::string(const json::object& tasks)>& tell) {
  auto told = std::chrono::steady_clock::now();
  while (true) {
    ASSIGN_OR_RETURN(const json::object tasks, owner.Get("/tasks"));
    if (over(tasks)) return {};
    const auto now = std::chrono::steady_clock::now();
    if (!settings.json && now - told > kTell) {
      told = now;
      std::string line = tell(tasks);
      if (const json::object& trouble = ObjectOf(tasks, "trouble"); !trouble.empty()) {
        line += " (held up: " + TextOf(trouble, "code") + ": " + TextOf(trouble, "message") + ")";
      }
      Notice(line);
    }
    std::this_thread::sleep_for(kPoll);
  }
}

// The snapshot that is meant: the one named, else the newest live one.
Result<protocol::SnapshotId> Meant(OwnerClient& owner, const std::string& named) {
  if (!named.empty()) return owner.Snapshot(named);
  ASSIGN_OR_RETURN(const json::object view, owner.Get(""));
  std::string newest;
  for (const json::value& snapshot : ListOf(view, "snapshots")) {
    if (TextOf(ObjectOf(snapshot), "state") == "live") newest = TextOf(ObjectOf(snapshot), "id");
  }
  if (newest.empty()) return Fail("dataset.unknown_snapshot", "the dataset has no snapshot");
  return ArrayFromHex<32>(newest);
}

json::object SnapshotIn(const json::object& view, const std::string& id) {
  for (const json::value& snapshot : ListOf(view, "snapshots")) {
    if (TextOf(ObjectOf(snapshot), "id") == id) return ObjectOf(snapshot);
  }
  return {};
}

json::object TaskOf(const json::object& tasks, const std::string& snapshot) {
  for (const json::value& task : ListOf(tasks, "verifications")) {
    if (TextOf(ObjectOf(task), "snapshot") == snapshot) return ObjectOf(task);
  }
  return {};
}

Result<Answer> Verify(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(const protocol::SnapshotId snapshot, Meant(owner, options.snapshot));
  const std::string name = ToHex(snapshot);
  const auto sent = Send(settings, owner, "verify", snapshot);
  if (!sent && sent.error().code != "verify.running") return Fail(sent.error());
  if (options.no_wait) {
    return Answer{"cced verifies snapshot " + name + "\nnext    cce dataset show " +
                      options.dataset + " --full\n",
                  {{"snapshot_id", name}}};
  }
  TRY(Follow(
      settings, owner,
      [&](const json::object& tasks) { return NumberOf(TaskOf(tasks, name), "finished") != 0; },
      [&](const json::object& tasks) {
        const json::object task = TaskOf(tasks, name);
        return "verified " + TextOf(task, "objects_read") + " of " + TextOf(task, "objects") +
               " objects, " + FormatBytes(NumberOf(task, "bytes")) + ", " +
               TextOf(task, "damaged") + " damaged";
      }));
  ASSIGN_OR_RETURN(const json::object view, owner.Get(""));
  const json::object held = SnapshotIn(view, name);
  json::object v = ObjectOf(held, "verification");
  Answer answer{"snapshot   " + name + "\n" + VerificationText(v, NumberOf(held, "objects")),
                std::move(v)};
  answer.data["snapshot_id"] = name;
  answer.exit_code = NumberOf(answer.data, "damaged") == 0 ? 0 : 1;
  return answer;
}

// A receipt of an upload that cced signed; the client's own check, not cced's word.
Result<dataset::Receipt> ReadReceipt(const Client& client, const std::string& envelope) {
  ASSIGN_OR_RETURN(const Bytes payload, crypto::DsseVerify(envelope, dataset::kReceiptPayloadType,
                                                           client.identity_key()));
  return dataset::ReceiptFromJson(AsText(payload));
}

// The new receipts say of the rotated snapshots what the old ones said: the same content.
Result<json::array> KeepReceipts(const Settings& settings, OwnerClient& owner,
                                 const json::object& view, uint64_t epoch, std::string& text) {
  json::array kept;
  ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings, "receipts"));
  for (const json::value& value : ListOf(view, "snapshots")) {
    const json::object& snapshot = ObjectOf(value);
    const std::string before = TextOf(snapshot, "predecessor");
    if (before.empty() || NumberOf(snapshot, "epoch") != epoch) continue;
    const std::string envelope = TextOf(snapshot, "receipt");
    ASSIGN_OR_RETURN(const dataset::Receipt now, ReadReceipt(owner.client(), envelope));
    ASSIGN_OR_RETURN(const dataset::Receipt was,
                     ReadReceipt(owner.client(), TextOf(SnapshotIn(view, before), "receipt")));
    const bool same = now.root == was.root && now.salt == was.salt && now.counts == was.counts &&
                      now.dataset == owner.dataset() && was.dataset == now.dataset &&
                      ToHex(now.snapshot) == TextOf(snapshot, "id");
    if (!same) {
      return Fail("dataset.receipt_mismatch", "a rotated snapshot's receipt is of another content");
    }
    const std::string path = folder + "/" + ToHex(now.snapshot) + ".json";
    TRY(WriteFileAtomic(path, AsBytes(envelope)));
    text.append("snapshot ").append(before).append("\n      -> ").append(ToHex(now.snapshot));
    text.append("\n         receipt ").append(path).append("\n");
    kept.push_back(
        json::object{{"before", before}, {"snapshot_id", ToHex(now.snapshot)}, {"receipt", path}});
  }
  return kept;
}

Result<Answer> Rotate(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  const auto sent = Send(settings, owner, "rotate", {});
  if (!sent && sent.error().code != "rotate.running") return Fail(sent.error());
  if (options.no_wait) {
    return Answer{
        "cced rotates the dataset\nnext    cce dataset show " + options.dataset + " --full\n",
        {{"dataset", protocol::AddressText(owner.dataset())}}};
  }
  TRY(Follow(
      settings, owner,
      [](const json::object& tasks) { return ObjectOf(tasks, "rotation").empty(); },
      [](const json::object& tasks) {
        return "rotation " + RotationText(ObjectOf(tasks, "rotation"));
      }));
  ASSIGN_OR_RETURN(const json::object view, owner.Get(""));
  uint64_t epoch = 0;
  for (const json::value& item : ListOf(view, "epochs")) {
    epoch = std::max(epoch, NumberOf(ObjectOf(item), "epoch"));
  }
  Answer answer;
  answer.text = "epoch " + std::to_string(epoch) + "; older epochs' secrets are destroyed\n";
  ASSIGN_OR_RETURN(json::array kept, KeepReceipts(settings, owner, view, epoch, answer.text));
  answer.data = {{"dataset", protocol::AddressText(owner.dataset())},
                 {"epoch", epoch},
                 {"snapshots", std::move(kept)}};
  return answer;
}

std::string DeletionText(const protocol::DeletionReceipt& receipt) {
  std::string out = receipt.whole ? "deleted dataset " + protocol::AddressText(receipt.dataset)
                                  : "deleted of dataset " + protocol::AddressText(receipt.dataset);
  out += "\n";
  for (const protocol::SnapshotId& id : receipt.snapshots) out += "  snapshot " + ToHex(id) + "\n";
  out += "secrets of " + std::to_string(receipt.epochs.size()) +
         " epochs are destroyed (journal entry " + std::to_string(receipt.entry) + ")\n";
  if (!receipt.freshness.empty()) {
    out += "an older copy of the engine's state is refused once that entry is anchored (" +
           receipt.freshness + ")\n";
  }
  for (const std::string& reason : receipt.undone_by) out += "NOT FINAL: " + reason + "\n";
  return out;
}

Result<Answer> Delete(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  protocol::SnapshotId snapshot{};
  if (!options.snapshot.empty()) {
    ASSIGN_OR_RETURN(snapshot, owner.Snapshot(options.snapshot));
  }
  ASSIGN_OR_RETURN(const protocol::DatasetOrderReply reply,
                   Send(settings, owner, "delete", snapshot));
  ASSIGN_OR_RETURN(const Bytes payload,
                   crypto::DsseVerify(reply.receipt, protocol::kDeletionPayloadType,
                                      owner.client().identity_key()));
  ASSIGN_OR_RETURN(const protocol::DeletionReceipt receipt,
                   protocol::ReadDeletionReceipt(AsText(payload)));
  const bool named = options.snapshot.empty() ? receipt.whole
                                              : std::ranges::find(receipt.snapshots, snapshot) !=
                                                    receipt.snapshots.end();
  if (receipt.dataset != owner.dataset() || receipt.number != reply.number || !named) {
    return Fail("dataset.receipt_mismatch", "the receipt is about another deletion");
  }
  std::string path = options.receipt;
  if (path.empty()) {
    ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings, "receipts"));
    path = folder + "/deleted-" + ToHex(receipt.dataset) + "-" + std::to_string(receipt.number) +
           ".json";
  }
  TRY(WriteFileAtomic(path, AsBytes(reply.receipt)));
  ASSIGN_OR_RETURN(json::value data, ParseJson(AsText(payload), {.max_bytes = size_t{16} << 20}));
  Answer answer{DeletionText(receipt) + "receipt  " + path + "\n", std::move(data.as_object())};
  answer.data["receipt"] = path;
  return answer;
}

Result<Answer> Abandon(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(OwnerClient owner, OwnerClient::Connect(settings, options.dataset));
  ASSIGN_OR_RETURN(const json::object view, owner.Get(""));
  const size_t open = ListOf(view, "drafts").size();
  TRY(Send(settings, owner, "abandon", {}));
  return Answer{"abandoned " + std::to_string(open) + " uploads\n", {{"abandoned", open}}};
}

}  // namespace

void AddOrderCommands(args::Command& dataset, const GlobalOptions& global, int& exit_code) {
  const std::string id = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045";
  auto options = std::make_shared<Options>();
  const auto add = [&](const std::string& name, const std::string& help,
                       Result<Answer> (*run)(const Settings&, const Options&)) {
    args::Command* command = dataset.AddCommand(name, help);
    command->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
    command->Footer("Example:\n  cce dataset " + name + " " + id);
    Bind(*command, global, exit_code,
         [options, run](const Settings& s) { return run(s, *options); });
    return command;
  };
  args::Command* verify =
      add("verify",
          "have cced read and authenticate every object of a snapshot; exit code 1 "
          "where something is damaged",
          Verify);
  verify->AddOption("--snapshot", options->snapshot, "id, or its beginning; else the newest one");
  args::Command* rotate =
      add("rotate", "have everything sealed anew under a new epoch, and the old one ended", Rotate);
  for (args::Command* command : {verify, rotate}) {
    command->AddFlag("--no-wait", options->no_wait, "do not wait for the end");
  }
  args::Command* remove =
      add("delete", "destroy the keys of a dataset, or of one snapshot, for good", Delete);
  remove->AddOption("--snapshot", options->snapshot, "id, or its beginning; else the dataset");
  remove->AddOption("--receipt", options->receipt, "file for the signed receipt");
  add("abandon", "give up every upload to a dataset that is not finalized", Abandon);
}

}  // namespace cce::cli
