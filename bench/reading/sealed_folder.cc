// Seals a folder with the project's own writer and shows it with decrypt-fs, without cced: for
// benches and tests. The key is a constant: nothing here is secret.
//
//   sealed-folder seal FOLDER STORE       prints the snapshot id
//   sealed-folder mount STORE SNAPSHOT MOUNTPOINT --decrypt-fs PROGRAM [--prefetch PATTERN]...
//       prints {"pid":N}, then decrypt-fs's status lines; unmounts when its standard input ends
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "base/arguments.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "computing_plane/decrypt_fs/start_message.h"
#include "dataset/draft_writer.h"
#include "store/directory_store.h"

namespace cce {
namespace {

constexpr dataset::DatasetId kDataset = {0xda, 0x7a};
constexpr dataset::DraftId kDraft = {0xd7};
constexpr uint32_t kEpoch = 1;
constexpr std::chrono::milliseconds kEndTime{10'000};

SecretBytes Dek() { return SecretBytes::CopyOf(Bytes(32, 0x42)); }

struct Arguments {
  std::string folder;
  std::string store;
  std::string snapshot;
  std::string program;
  std::vector<std::string> prefetch;
  decrypt_fs::StartMessage message;  // the product's settings, but for what is given
};

Result<> Seal(const Arguments& a) {
  ASSIGN_OR_RETURN(const auto store, store::DirectoryStore::Open(a.store, {.create = true}));
  const dataset::DraftWriter writer(*store, kDataset, kDraft, kEpoch, Dek());
  ASSIGN_OR_RETURN(const auto plan, dataset::UploadPlan::Scan(a.folder));
  std::vector<dataset::PartReceipt> receipts;
  for (uint32_t part = 0; part < plan.part_count(); ++part) {
    ASSIGN_OR_RETURN(const auto reader, plan.OpenPart(part, kDraft));
    ASSIGN_OR_RETURN(receipts.emplace_back(), writer.AcceptPart(part, SourceOf(*reader)));
  }
  dataset::FinalizeRequest request{.counts = plan.counts()};
  ASSIGN_OR_RETURN(request.root, plan.Root(request.salt));
  ASSIGN_OR_RETURN(const dataset::SnapshotInfo info, writer.Finalize(receipts, request));
  TRY(writer.DropRecords(receipts));
  std::puts(ToHex(info.snapshot).c_str());
  return {};
}

// Until standard input ends or the child does.
void AwaitEnd(const Subprocess& child) {
  pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = child.pidfd(), .events = POLLIN}};
  while (::poll(fds, 2, -1) >= 0 || errno == EINTR) {
    char c = 0;
    if (fds[1].revents != 0) return;
    if (fds[0].revents != 0 && ::read(STDIN_FILENO, &c, 1) <= 0) return;
  }
}

Result<> Mount(Arguments& a) {
  ASSIGN_OR_RETURN(a.message.snapshot, ArrayFromHex<32>(a.snapshot));
  a.message.dataset = kDataset;
  a.message.store_dir = a.store;
  a.message.mountpoint = a.folder;
  a.message.keys.emplace(kEpoch, Dek());
  if (!a.prefetch.empty()) a.message.prefetch = a.prefetch;
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  ASSIGN_OR_RETURN(Subprocess child,
                   Subprocess::Start(
                       {a.program}, {.fds = {-1, -1, STDERR_FILENO, reader.get(), STDOUT_FILENO}}));
  reader.Reset();
  std::printf("{\"pid\":%d}\n", static_cast<int>(child.pid()));
  std::fflush(stdout);
  TRY(WriteAll(writer.get(), decrypt_fs::EncodeStartMessage(a.message).Expose()));
  AwaitEnd(child);
  writer.Reset();
  const auto status = child.Wait(kEndTime);
  if (status != 0) return Fail("subprocess.failed", "decrypt-fs ended with an error");
  return {};
}

int Main(int argc, char** argv) {
  Arguments a;
  args::Program app("Seals a folder, or mounts what was sealed");
  app.RequireCommand();
  args::Command* const seal = app.AddCommand("seal", "seal FOLDER into STORE");
  seal->AddOption("folder", a.folder)->Required();
  seal->AddOption("store", a.store)->Required();
  args::Command* const mount = app.AddCommand("mount", "show SNAPSHOT of STORE on MOUNTPOINT");
  mount->AddOption("store", a.store)->Required();
  mount->AddOption("snapshot", a.snapshot)->Required();
  mount->AddOption("mountpoint", a.folder)->Required();
  mount->AddOption("--decrypt-fs", a.program, "the program, an absolute path")->Required();
  mount->AddOption("--prefetch", a.prefetch, "declared files: read before it is ready");
  mount->AddOption("--prefetch-max-bytes", a.message.prefetch_max_bytes);
  mount->AddOption("--cache-mib", a.message.cache_mib);
  mount->AddOption("--threads", a.message.threads);
  mount->AddOption("--read-ahead-kb", a.message.read_ahead_kb);
  if (const auto code = app.Parse(argc, argv)) return *code;
  const Result<> outcome = seal->parsed() ? Seal(a) : Mount(a);
  if (outcome) return 0;
  std::fputs((FormatError(outcome.error()) + "\n").c_str(), stderr);
  return 1;
}

}  // namespace
}  // namespace cce

int main(int argc, char** argv) { return cce::Main(argc, argv); }
