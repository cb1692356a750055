// cce job try: the same container and limits on this machine, on data of one's own, without keys.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/arguments.h"
#include "base/file.h"
#include "cli/answer.h"
#include "cli/job_commands.h"
#include "cli/job_file.h"
#include "cli/result_files.h"
#include "crypto/hash.h"
#include "executor/container.h"
#include "executor/output.h"

namespace cce::cli {
namespace {

struct TryOptions {
  std::string file = "job.toml";
  std::vector<std::string> data;  // "FOLDER" or "DATASET=FOLDER"
  std::string registry;
  std::string out = "try-output";
};

// A folder under which everything of the trial lies; gone with it.
class WorkFolder {
 public:
  static Result<WorkFolder> Make() {
    std::string path = "/var/tmp/cce-try-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return FailErrno(path, errno);
    WorkFolder folder(path);
    // The container's user passes through to the root file system.
    if (::chmod(path.c_str(), 0711) != 0) return FailErrno(path, errno);
    return folder;
  }
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    if (path_.empty()) return;
    (void)executor::RemoveLeftovers(path_ + "/container", executor::HostTools());
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Each dataset of the job with the folder that stands for it.
Result<std::vector<executor::DatasetMount>> Mounts(const JobFile& job,
                                                   const std::vector<std::string>& data) {
  std::vector<executor::DatasetMount> mounts;
  for (const JobFile::Dataset& dataset : job.datasets) {
    const std::string name = protocol::AddressText(dataset.dataset);
    std::string folder;
    for (const std::string& item : data) {
      if (item.starts_with(name + "=")) folder = item.substr(name.size() + 1);
    }
    if (folder.empty() && data.size() == 1 && !data[0].starts_with("0x")) folder = data[0];
    std::error_code error;
    const std::string source = std::filesystem::canonical(folder, error).string();
    if (error || !std::filesystem::is_directory(source)) {
      return Fail(MakeError("io.not_found", "no sample folder for dataset " + name)
                      .Expected("--data FOLDER, or --data " + name + "=FOLDER")
                      .Found(folder));
    }
    mounts.push_back({name, source});
  }
  return mounts;
}

executor::ContainerLimits Limits(const protocol::JobLimits& limits) {
  return {.memory_bytes = uint64_t{limits.memory_mib} << 20,
          .cpu_millis = limits.cpu_millis,
          .pids = limits.pids,
          .disk_bytes = uint64_t{limits.disk_mib} << 20,
          .time = std::chrono::seconds(limits.seconds)};
}

struct Trial {
  executor::Image image;
  executor::ContainerOutcome outcome;
  executor::OutputSummary output;
};

Result<executor::OutputSummary> Collect(const executor::ContainerOutcome& outcome,
                                        const std::string& tar, uint64_t max_bytes) {
  const UniqueFd fd(::open(tar.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return FailErrno(tar, errno);
  executor::OutputRequest request{.folder = outcome.output_folder,
                                  .stdout_bytes = outcome.stdout_bytes,
                                  .stderr_bytes = outcome.stderr_bytes,
                                  .stdout_cut = outcome.stdout_cut,
                                  .stderr_cut = outcome.stderr_cut};
  request.limits.max_bytes = max_bytes;
  return executor::CollectOutput(request,
                                 [&fd](ByteView bytes) { return WriteAll(fd.get(), bytes); });
}

Result<Trial> Run(const JobFile& job, const TryOptions& options, const std::string& work) {
  Trial trial;
  executor::ImageRequest request{.registry = options.registry,
                                 .repository = job.image_repository,
                                 .digest = job.image_digest,
                                 .work_folder = work + "/image",
                                 .tools = executor::HostTools()};
  Notice("pulling " + job.image_repository + "@" + job.image_digest);
  ASSIGN_OR_RETURN(trial.image, executor::PullImage(request));
  executor::ContainerSpec spec{.id = "cce-try-" + ToHex(crypto::RandomBytes(6)),
                               .rootfs = trial.image.rootfs,
                               .work_folder = work + "/container",
                               .config = trial.image.config,
                               .command = job.command,
                               .limits = Limits(job.limits),
                               .tools = executor::HostTools()};
  ASSIGN_OR_RETURN(spec.datasets, Mounts(job, options.data));
  Notice("running");
  ASSIGN_OR_RETURN(trial.outcome, executor::RunContainer(spec));
  ASSIGN_OR_RETURN(trial.output, Collect(trial.outcome, work + "/output.tar",
                                         uint64_t{job.limits.disk_mib} << 20));
  return trial;
}

std::string Indented(ByteView bytes) {
  std::string text = Clean(AsText(bytes));
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  return text;
}

Result<Answer> Try(const Settings&, const TryOptions& options) {
  if (::geteuid() != 0) {
    return Fail(MakeError("cli.not_root", "containers are isolated by the kernel for root alone")
                    .Next("Run it as root: sudo cce job try ..."));
  }
  ASSIGN_OR_RETURN(const Document document, LoadToml(options.file));
  ASSIGN_OR_RETURN(const JobFile job, ReadJobFile(document));
  TRY(Mounts(job, options.data));
  ASSIGN_OR_RETURN(const WorkFolder work, WorkFolder::Make());
  ASSIGN_OR_RETURN(const Trial trial, Run(job, options, work.path()));
  ASSIGN_OR_RETURN(const size_t entries, ExtractTar(work.path() + "/output.tar", options.out));
  const executor::ContainerOutcome& outcome = trial.outcome;
  const std::string reason(executor::EndReasonName(outcome.reason));
  const bool good = outcome.reason == executor::EndReason::kExited && outcome.exit_code == 0;
  Answer answer;
  answer.exit_code = good ? 0 : 1;
  answer.text = Indented(outcome.stdout_bytes) + Indented(outcome.stderr_bytes) +
                std::string(Mark(good)) + " " + reason + ", exit code " +
                std::to_string(outcome.exit_code) + ", " +
                std::to_string(outcome.run_time.count()) + " ms\n";
  for (const executor::OutputSummary::Omitted& omitted : trial.output.omitted) {
    answer.text += "  left out: " + Clean(omitted.path) + " (" + omitted.reason + ")\n";
  }
  answer.text += "output " + options.out + " (" + std::to_string(entries) +
                 " entries). The gate judges it only in a real job.\n";
  answer.data = {{"end", reason},
                 {"exit_code", outcome.exit_code},
                 {"run_ms", outcome.run_time.count()},
                 {"pull_ms", trial.image.pull_time.count()},
                 {"unpack_ms", trial.image.unpack_time.count()},
                 {"output", options.out},
                 {"files", trial.output.files}};
  return answer;
}

}  // namespace

void AddJobTryCommand(args::Command& job, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<TryOptions>();
  args::Command* command = job.AddCommand(
      "try", "run the same container and limits on this machine, on a sample, without keys");
  command->AddOption("FILE", options->file, "the job")->ShowDefault();
  command
      ->AddOption("--data", options->data,
                  "folder that stands for the dataset; DATASET=FOLDER for each of several")
      ->Required()
      ->OneValueEach();
  command->AddOption("--registry", options->registry, "registry of the image: HOST:PORT")
      ->Required();
  command->AddOption("--out", options->out, "folder for the output")->ShowDefault();
  command->Footer(
      "Example:\n  cce job try job.toml --data ./sample --registry 127.0.0.1:5000 --out out");
  Bind(*command, global, exit_code, [options](const Settings& s) { return Try(s, *options); });
}

}  // namespace cce::cli
