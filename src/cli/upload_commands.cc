// cce dataset upload | finalize | check-receipt | revoke-token
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "base/arguments.h"
#include "base/clock.h"
#include "base/file.h"
#include "chain/abi.h"
#include "cli/answer.h"
#include "cli/dataset_commands.h"
#include "cli/spool.h"
#include "cli/uploader.h"
#include "crypto/signed.h"
#include "dataset/receipt.h"

namespace cce::cli {
namespace {

struct Options {
  std::string dataset;
  std::string path;
  std::string receipt;  // file
  unsigned threads = 3;
  bool restart = false;
  bool finalize = false;
  bool full = false;
  bool tar = false;
  std::string name;   // of the file that standard input gives
  std::string spool;  // folder for what comes from a stream
  std::string chunk = "64K";
};

constexpr size_t kMaxReceipt = size_t{256} << 10;

// A token for the state's draft, kept for as long as it is good.
Result<> RenewToken(const Settings& settings, Client& client, const UploadStates& states,
                    UploadState& state) {
  if (!state.TokenGoodAt(SystemClock().Now())) {
    ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
    ASSIGN_OR_RETURN(const protocol::TokenReply reply,
                     client.Token(wallet, protocol::UploadResource(state.dataset, state.draft),
                                  "Upload to this dataset for 24 hours."));
    state.token = reply.token;
    state.token_expires_at = reply.expires_at;
  }
  return states.Save(state);
}

// Runs a request under the state's token; where cced does not take it any more (revoked, or its
// state is another), once more under a new one.
template <typename T>
Result<T> WithToken(const Settings& settings, Client& client, const UploadStates& states,
                    UploadState& state, const std::function<Result<T>()>& ask) {
  TRY(RenewToken(settings, client, states, state));
  Result<T> result = ask();
  if (result || result.error().code != "signin.token") return result;
  state.token.clear();
  TRY(RenewToken(settings, client, states, state));
  return ask();
}

// The receipt is cced's word, and it must be about exactly what was sent.
Result<dataset::Receipt> CheckReply(const Client& client, const UploadState& state,
                                    const protocol::FinalizeReply& reply) {
  ASSIGN_OR_RETURN(
      const Bytes payload,
      crypto::DsseVerify(reply.receipt, dataset::kReceiptPayloadType, client.identity_key()));
  ASSIGN_OR_RETURN(const dataset::Receipt receipt, dataset::ReceiptFromJson(AsText(payload)));
  const bool same = receipt.dataset == state.dataset && receipt.draft == state.draft &&
                    receipt.snapshot == reply.snapshot && receipt.salt == state.salt &&
                    receipt.root == state.complete->root &&
                    receipt.counts == state.complete->counts;
  if (!same) return Fail("dataset.receipt_mismatch", "the receipt is about something else");
  return receipt;
}

Result<std::string> SaveReceipt(const Settings& settings, const Options& options,
                                const protocol::FinalizeReply& reply) {
  std::string path = options.receipt;
  if (path.empty()) {
    ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings, "receipts"));
    path = folder + "/" + ToHex(reply.snapshot) + ".json";
  }
  TRY(WriteFileAtomic(path, AsBytes(reply.receipt)));
  return path;
}

Result<Answer> FinalizeDraft(const Settings& settings, const Options& options, Client& client,
                             const UploadStates& states, UploadState& state) {
  const protocol::FinalizeMessage message{
      .salt = state.salt, .root = state.complete->root, .counts = state.complete->counts};
  const std::function<Result<std::string>()> ask = [&] {
    return client.Send("POST", "/v1/drafts/" + ToHex(state.draft) + "/finalize", state.token,
                       protocol::ToJsonObject(message));
  };
  ASSIGN_OR_RETURN(const std::string text, WithToken(settings, client, states, state, ask));
  ASSIGN_OR_RETURN(const protocol::FinalizeReply reply, protocol::ReadFinalizeReply(text));
  ASSIGN_OR_RETURN(const dataset::Receipt receipt, CheckReply(client, state, reply));
  ASSIGN_OR_RETURN(const std::string path, SaveReceipt(settings, options, reply));
  TRY(states.Forget(state));
  return Answer{"snapshot " + ToHex(receipt.snapshot) + "\n         " +
                    std::to_string(receipt.counts.files) + " files, " +
                    FormatBytes(receipt.counts.bytes) + "\nreceipt  " + path + "\n",
                {{"dataset", protocol::AddressText(state.dataset)},
                 {"snapshot_id", ToHex(receipt.snapshot)},
                 {"files", receipt.counts.files},
                 {"bytes", receipt.counts.bytes},
                 {"receipt", path}}};
}

// The name under which the state of this upload is kept.
Result<std::string> SourceName(const Options& options) {
  const bool standard_input = options.path == "-";
  if (options.tar && !options.name.empty()) {
    return Fail("cli.setting", "--name is for a single file, --tar for an archive");
  }
  if (options.tar) {
    if (standard_input) return std::string("tar:-");
    std::error_code error;
    const std::string absolute = std::filesystem::canonical(options.path, error).string();
    if (error) return FailErrno(options.path, error.value());
    return "tar:" + absolute;
  }
  if (standard_input != !options.name.empty()) {
    return Fail(MakeError("cli.setting", "standard input is one file, or an archive")
                    .Expected("- with --name NAME, or - with --tar"));
  }
  return standard_input ? "stdin:" + options.name : options.path;
}

bool IsStream(const UploadState& state) {
  return state.path.starts_with("stdin:") || state.path.starts_with("tar:");
}

// Reads the stream to its end.
Result<Spooled> Spool(const Settings& settings, const Options& options, const UploadState& state) {
  std::string folder = options.spool;
  if (folder.empty()) {
    const char* temporary = std::getenv("TMPDIR");
    folder = temporary == nullptr || *temporary == '\0' ? "/var/tmp" : temporary;
  }
  Progress progress("read", 0, 0, settings.json);
  if (!options.tar) {
    return SpoolFile(STDIN_FILENO, options.name, state.begun_at, folder, progress);
  }
  if (options.path == "-") return SpoolTar(STDIN_FILENO, folder, progress);
  const UniqueFd tar(::open(options.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!tar.valid()) return FailErrno(options.path, errno);
  return SpoolTar(tar.get(), folder, progress);
}

// What is to be sent, after comparing with what cced has.
Result<dataset::UploadPlan> MakePlan(const Settings& settings, const Options& options,
                                     Client& client, const UploadState& state,
                                     const protocol::DraftStatus& status, Spooled* spooled) {
  dataset::PlanOptions plan;
  plan.chunk_log2 = state.chunk_kib == 256 ? 18 : 16;
  dataset::Comparison comparison{.threads = options.threads};
  std::optional<dataset::KnownFiles> known;
  std::optional<Progress> progress;
  if (status.base && state.base == status.base->snapshot) {
    ASSIGN_OR_RETURN(known, FetchKnownFiles(client, state, *status.base));
    comparison.known = &*known;
    progress.emplace("compare", 0, 0, settings.json);
    comparison.progress = [&progress](uint64_t bytes, bool ends_file) {
      progress->Add(static_cast<int64_t>(bytes), ends_file ? 1 : 0);
    };
  }
  if (spooled == nullptr) return dataset::UploadPlan::Scan(state.path, plan, comparison);
  return dataset::UploadPlan::FromSpool(std::move(spooled->file), std::move(spooled->entries), plan,
                                        comparison);
}

Result<Answer> Upload(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(const chain::EthAddress dataset, chain::ParseAddress(options.dataset));
  ASSIGN_OR_RETURN(const std::string source, SourceName(options));
  ASSIGN_OR_RETURN(const UploadStates states, UploadStates::Open(settings));
  ASSIGN_OR_RETURN(UploadState state, states.FindOrNew(dataset, source));
  if (options.restart) {
    TRY(states.Forget(state));
    ASSIGN_OR_RETURN(state, states.FindOrNew(dataset, source));
  }
  if (!state.base) state.chunk_kib = options.chunk == "256K" ? 256 : 64;
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  std::optional<Spooled> spooled;
  if (IsStream(state)) {
    ASSIGN_OR_RETURN(spooled, Spool(settings, options, state));
  }
  state.complete.reset();
  const std::function<Result<protocol::DraftStatus>()> ask = [&] {
    return AskStatus(client, state);
  };
  ASSIGN_OR_RETURN(const protocol::DraftStatus status,
                   WithToken(settings, client, states, state, ask));
  if (!state.base) {
    const bool refer = status.base && !options.full;
    state.base = refer ? status.base->snapshot : protocol::SnapshotId{};
    TRY(states.Save(state));
  }
  ASSIGN_OR_RETURN(const dataset::UploadPlan plan, MakePlan(settings, options, client, state,
                                                            status, spooled ? &*spooled : nullptr));
  const UploadOptions upload{.threads = options.threads, .quiet = settings.json};
  const std::function<Result<UploadOutcome>()> send = [&] {
    return UploadParts(client, state, status, plan, upload);
  };
  ASSIGN_OR_RETURN(const UploadOutcome outcome, WithToken(settings, client, states, state, send));
  const ContentCounts& counts = plan.counts();
  CompleteUpload complete;
  ASSIGN_OR_RETURN(complete.root, plan.Root(state.salt));
  complete.counts = counts;
  state.complete = complete;
  TRY(states.Save(state));
  const std::string sent = std::to_string(counts.files) + " files, " + FormatBytes(counts.bytes) +
                           " in " + std::to_string(outcome.parts) + " parts (" +
                           std::to_string(outcome.already) + " were there already), " +
                           FormatBytes(outcome.sent_bytes) + " of content sent";
  if (options.finalize) {
    Notice("uploaded " + sent);
    ASSIGN_OR_RETURN(Answer answer, FinalizeDraft(settings, options, client, states, state));
    answer.data["parts"] = outcome.parts;
    answer.data["parts_already_there"] = outcome.already;
    answer.data["bytes_sent"] = outcome.sent_bytes;
    return answer;
  }
  const std::string name = protocol::AddressText(dataset);
  return Answer{"uploaded " + sent + "\nnext     cce dataset finalize " + name + "\n",
                {{"dataset", name},
                 {"draft", ToHex(state.draft)},
                 {"files", counts.files},
                 {"bytes", counts.bytes},
                 {"bytes_sent", outcome.sent_bytes},
                 {"parts", outcome.parts},
                 {"parts_already_there", outcome.already}}};
}

// The one upload meant: by its path, or the only one of the dataset.
Result<UploadState> FindUpload(const UploadStates& states, const Options& options) {
  ASSIGN_OR_RETURN(const chain::EthAddress dataset, chain::ParseAddress(options.dataset));
  if (!options.path.empty()) return states.FindOrNew(dataset, options.path);
  ASSIGN_OR_RETURN(std::vector<UploadState> all, states.OfDataset(dataset));
  if (all.size() == 1) return std::move(all.front());
  std::string paths;
  for (const UploadState& state : all) paths += (paths.empty() ? "" : ", ") + state.path;
  return Fail(MakeError("upload.none", all.empty() ? "no upload to this dataset is under way here"
                                                   : "several uploads are under way")
                  .Expected("one upload, or PATH after the dataset")
                  .Found(paths));
}

Result<Answer> Finalize(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(const UploadStates states, UploadStates::Open(settings));
  ASSIGN_OR_RETURN(UploadState state, FindUpload(states, options));
  if (!state.complete) {
    return Fail(MakeError("upload.incomplete", "the upload is not complete yet")
                    .Next("cce dataset upload " + options.dataset + " " + state.path));
  }
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  return FinalizeDraft(settings, options, client, states, state);
}

// The payload, if one of the trusted engines signed it.
Result<Bytes> VerifyReceipt(const manifest::Trust& trust, const std::string& envelope,
                            std::string& by) {
  for (const manifest::TrustedCced& engine : trust.engines) {
    Result<Bytes> payload =
        crypto::DsseVerify(envelope, dataset::kReceiptPayloadType, engine.identity_key);
    if (payload) {
      by = engine.name;
      return payload;
    }
    if (payload.error().code != "crypto.bad_signature") return payload;
  }
  return Fail(MakeError("trust.unknown", "no trusted engine signed the receipt")
                  .Expected("one of the " + std::to_string(trust.engines.size()) +
                            " engines in the trust file"));
}

Result<Answer> CheckOffline(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(const manifest::Trust trust, LoadTrust(settings));
  ASSIGN_OR_RETURN(const std::string envelope, ReadTextFile(options.receipt, kMaxReceipt));
  std::string by;
  ASSIGN_OR_RETURN(const Bytes payload, VerifyReceipt(trust, envelope, by));
  ASSIGN_OR_RETURN(const dataset::Receipt receipt, dataset::ReceiptFromJson(AsText(payload)));
  TRY(dataset::CheckReceipt(options.path, receipt, options.threads));
  return Answer{"✓ " + options.path + " is exactly what " + by + " holds as snapshot\n  " +
                    ToHex(receipt.snapshot) + "\n  of dataset " +
                    protocol::AddressText(receipt.dataset) + " since " + ShowTime(receipt.time) +
                    ": " + std::to_string(receipt.counts.files) + " files, " +
                    FormatBytes(receipt.counts.bytes) + "\n",
                {{"dataset", protocol::AddressText(receipt.dataset)},
                 {"snapshot_id", ToHex(receipt.snapshot)},
                 {"signed_by", by},
                 {"files", receipt.counts.files},
                 {"bytes", receipt.counts.bytes},
                 {"time", receipt.time}}};
}

Result<Answer> RevokeToken(const Settings& settings, const Options& options) {
  ASSIGN_OR_RETURN(const UploadStates states, UploadStates::Open(settings));
  ASSIGN_OR_RETURN(UploadState state, FindUpload(states, options));
  if (state.token.empty()) return Fail("upload.none", "the upload has no token");
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  TRY(client.Send("DELETE", "/v1/tokens", state.token, json::object{}));
  state.token.clear();
  state.token_expires_at = 0;
  TRY(states.Save(state));
  return Answer{"the upload token is revoked\n", {{"revoked", true}}};
}

}  // namespace

void AddUploadCommands(args::Command& dataset, const GlobalOptions& global, int& exit_code) {
  const std::string kId = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045";
  auto options = std::make_shared<Options>();
  args::Command* upload = dataset.AddCommand(
      "upload", "send a folder or file, encrypted at cced; resumes after an interruption");
  upload->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  upload->AddOption("PATH", options->path, "folder, file, or - for standard input")->Required();
  upload->AddOption("--name", options->name, "with -: the name of the file that it gives");
  upload->AddFlag("--tar", options->tar, "PATH is a tar archive: upload what it holds");
  upload->AddOption("--spool", options->spool,
                    "folder for what comes from a stream (default: $TMPDIR, else /var/tmp)");
  upload->AddOption("--chunk-size", options->chunk, "how much is encrypted at once")
      ->OneOf({"64K", "256K"})
      ->ShowDefault();
  upload->AddFlag("--full", options->full, "send also what the last snapshot holds already");
  upload->AddOption("--threads", options->threads, "parts sent at once")
      ->Between(1, 16)
      ->ShowDefault();
  upload->AddFlag("--restart", options->restart, "forget an interrupted upload of this path");
  upload->AddFlag("--finalize", options->finalize, "make the snapshot at the end");
  upload->AddOption("--receipt", options->receipt, "where the receipt goes, with --finalize");
  upload->Footer("Example:\n  cce dataset upload " + kId + " ./cohort --finalize");
  Bind(*upload, global, exit_code, [options](const Settings& s) { return Upload(s, *options); });

  args::Command* finalize = dataset.AddCommand(
      "finalize", "make the uploaded draft a snapshot; verifies and keeps the signed receipt");
  finalize->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  finalize->AddOption("PATH", options->path, "which upload, where there are several");
  finalize->AddOption("--receipt", options->receipt, "where the receipt goes");
  finalize->Footer("Example:\n  cce dataset finalize " + kId);
  Bind(*finalize, global, exit_code,
       [options](const Settings& s) { return Finalize(s, *options); });

  args::Command* check = dataset.AddCommand(
      "check-receipt", "compare a folder with a receipt, offline, under the trust file's keys");
  check->AddOption("RECEIPT", options->receipt, "receipt file")->Required();
  check->AddOption("PATH", options->path, "folder or file")->Required();
  check->AddOption("--threads", options->threads, "threads that read")->Between(1, 64);
  check->Footer("Example:\n  cce dataset check-receipt receipt.json ./cohort");
  Bind(*check, global, exit_code,
       [options](const Settings& s) { return CheckOffline(s, *options); });

  args::Command* revoke =
      dataset.AddCommand("revoke-token", "make the upload token worthless before its time");
  revoke->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  revoke->AddOption("PATH", options->path, "which upload, where there are several");
  revoke->Footer("Example:\n  cce dataset revoke-token " + kId);
  Bind(*revoke, global, exit_code,
       [options](const Settings& s) { return RevokeToken(s, *options); });
}

}  // namespace cce::cli
