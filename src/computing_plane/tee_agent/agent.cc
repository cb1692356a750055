#include "computing_plane/tee_agent/agent.h"

#include "base/clock.h"
#include "base/log.h"
#include "channel/launch_message.h"

namespace cce::tee_agent {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr std::string_view kCced = "cced";
constexpr std::string_view kObjects = "objects";
constexpr std::string_view kRegistry = "registry";
// Of the result beside the files' own bytes: the tar's headers, stdout and stderr.
constexpr uint64_t kTarOverhead = 64 * kMiB;
constexpr size_t kMaxDetail = 2000;

// As large as the container's memory, which is what cced admits a job by; a little more, since
// objects are padded.
uint64_t DataRoom(const protocol::JobLimits& limits) {
  const uint64_t memory = limits.memory_mib * kMiB;
  return memory + memory / 64 + 64 * kMiB;
}

executor::ContainerLimits ContainerLimitsOf(const protocol::JobLimits& limits) {
  return {.memory_bytes = limits.memory_mib * kMiB,
          .cpu_millis = limits.cpu_millis,
          .pids = limits.pids,
          .disk_bytes = limits.disk_mib * kMiB,
          .time = std::chrono::seconds(limits.seconds)};
}

// For the owner; printable ASCII, since it ends in JSON.
std::string DetailOf(const Error& error) {
  std::string out = error.message;
  if (!error.expected.empty()) out += "; expected " + error.expected;
  if (!error.found.empty()) out += "; found " + error.found;
  if (!error.detail.empty()) out += "; " + error.detail;
  out.resize(std::min(out.size(), kMaxDetail));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace

Agent::Agent(AgentOptions options, tsm::Attester& attester)
    : options_(std::move(options)), attester_(attester) {}

Agent::~Agent() {
  if (channel_) channel_->Close();  // a pull under way then ends soon
}

Result<> Agent::Run(UniqueFd stream) {
  const Result<> opened = OpenChannel(std::move(stream));
  Result<> done = opened ? Work() : opened;
  if (done) return done;
  // Paths and texts may be the container's once it has run: they stay here.
  LogError(LogLevel::kError, "agent.failed",
           container_ran_ ? MakeError(done.error().code, "after the container ran") : done.error());
  if (opened) ReportEnd(done.error());
  return done;
}

Result<> Agent::Work() {
  TRY(FetchKeys());
  TRY(StartPull());
  TRY(MountData());
  TRY(AwaitImage());
  TRY(CloseNames());
  TRY(RunContainer());
  TRY(SealResult());
  return Submit();
}

std::string Agent::SocketOf(std::string_view name) const {
  return options_.folder + "/channel/" + std::string(name);
}

Result<> Agent::OpenChannel(UniqueFd stream) {
  ASSIGN_OR_RETURN(const Bytes document,
                   channel::ReceiveLaunchDocument(stream.get(), protocol::kMaxLaunchDocument));
  ASSIGN_OR_RETURN(launch_, protocol::DecodeLaunchDocument(document));
  ASSIGN_OR_RETURN(channel_, channel::TunnelClient::Start(std::move(stream),
                                                          {.on_end = options_.on_channel_end}));
  // What the container's ids must pass through is open; the sockets are not.
  TRY(MakeFolders(options_.folder, 0711));
  TRY(MakeFolders(options_.folder + "/channel", 0700));
  TRY(channel_->Listen(kCced, SocketOf(kCced)));
  ASSIGN_OR_RETURN(cced_, CcedClient::New(SocketOf(kCced), launch_.tls_key, options_.retry));
  return {};
}

Result<> Agent::FetchKeys() {
  ASSIGN_OR_RETURN(keys_, ObtainKeys(*cced_, attester_, launch_, stages_));
  Log(LogLevel::kInfo, "agent.keys", {{"job", ToHex(keys_->bundle.job)}});
  return {};
}

Result<> Agent::StartPull() {
  ASSIGN_OR_RETURN(const uint16_t port, channel_->ListenTcp(kRegistry));
  executor::ImageRequest request{.registry = "127.0.0.1:" + std::to_string(port),
                                 .repository = keys_->spec.image_repository,
                                 .digest = keys_->spec.image_digest,
                                 .work_folder = options_.folder + "/image",
                                 .ids = options_.ids,
                                 .tools = options_.tools};
  pull_ = std::async(std::launch::async, [request = std::move(request)] {
    const StopWatch watch;
    auto image = executor::PullImage(request);
    return Pulled{std::move(image), watch.Millis()};
  });
  return {};
}

Result<> Agent::MountData() {
  const StopWatch watch;
  data_.emplace(DataMountOptions{.folder = options_.folder + "/data",
                                 .decrypt_fs = options_.decrypt_fs,
                                 .owner = options_.ids.first,
                                 .room = DataRoom(keys_->spec.limits),
                                 .retry = options_.retry});
  for (size_t i = 0; i < keys_->spec.datasets.size(); ++i) {
    TRY(MountDataset(keys_->spec.datasets[i], std::move(keys_->bundle.datasets[i])));
  }
  if (stores_.empty() && store_port_ != 0) TRY(channel_->StopListening(kObjects));
  stages_.Add("mount", watch.Millis());
  return {};
}

Result<> Agent::MountDataset(const protocol::JobDataset& declared,
                             protocol::ReleasedDataset released) {
  ASSIGN_OR_RETURN(protocol::StoreAccess access, AskForStore(released.dataset));
  if (access.kind == "juicefs") {
    return MountStore(declared, std::move(released), std::move(access));
  }
  return FetchFromCced(declared, std::move(released));
}

Result<protocol::StoreAccess> Agent::AskForStore(const protocol::DatasetId& dataset) {
  ASSIGN_OR_RETURN(const auto http, PinnedClient(SocketOf(kCced), launch_.tls_key));
  net::ClientRequest request{.path = "/v1/store/" + protocol::AddressText(dataset),
                             .max_response = protocol::kMaxStoreAccess};
  request.headers["authorization"] = "Bearer " + keys_->bundle.storage_token;
  ASSIGN_OR_RETURN(net::ClientResponse response,
                   Repeat(options_.retry, [&] { return http->SendOk(request); }));
  Result<protocol::StoreAccess> access = protocol::ReadStoreAccess(AsText(response.body));
  Wipe(response.body);
  return access;
}

Result<> Agent::FetchFromCced(const protocol::JobDataset& declared,
                              protocol::ReleasedDataset released) {
  TRY(channel_->Listen(kObjects, SocketOf(kObjects)));
  ASSIGN_OR_RETURN(const auto http, PinnedClient(SocketOf(kObjects), launch_.tls_key));
  const auto source = NewHttpObjectSource(*http, keys_->bundle.storage_token);
  TRY(data_->Add(declared, std::move(released), *source));
  return channel_->StopListening(kObjects);
}

Result<> Agent::MountStore(const protocol::JobDataset& declared, protocol::ReleasedDataset released,
                           protocol::StoreAccess access) {
  if (store_port_ == 0) {
    ASSIGN_OR_RETURN(store_port_, channel_->ListenTcp(kObjects));
  }
  const StoreMountOptions options{
      .mountpoint = options_.folder + "/stores/" + protocol::AddressText(released.dataset),
      .program = options_.juicefs,
      .self = options_.self,
      .port = store_port_};
  ASSIGN_OR_RETURN(auto mount, StoreMount::Start(options, std::move(access)));
  if (released.access_mode == "demand") {
    TRY(data_->AddOnDemand(std::move(released), mount->folder()));
    stores_.push_back(std::move(mount));
    return {};
  }
  ASSIGN_OR_RETURN(const auto objects, mount->Open());
  const auto source = NewStoreObjectSource(*objects);
  return data_->Add(declared, std::move(released), *source);
}

Result<> Agent::AwaitImage() {
  Pulled pulled = pull_.get();
  if (!pulled.image) return Fail(std::move(pulled.image).error());
  image_ = std::move(*pulled.image);
  stages_.Add("pull", pulled.millis);
  return {};
}

// From here on nothing of this machine reaches anything but cced, and where an owner allows reads
// on demand the object store.
Result<> Agent::CloseNames() { return channel_->StopListening(kRegistry); }

Result<> Agent::RunContainer() {
  const protocol::JobSpec& spec = keys_->spec;
  executor::ContainerSpec container{.id = ToHex(keys_->bundle.job),
                                    .rootfs = image_->rootfs,
                                    .work_folder = options_.folder + "/job",
                                    .config = image_->config,
                                    .command = spec.command,
                                    .datasets = data_->mounts(),
                                    .limits = ContainerLimitsOf(spec.limits),
                                    .stop_fds = data_->EndFds(),
                                    .ids = options_.ids,
                                    .tools = options_.tools};
  for (const auto& mount : stores_) container.stop_fds.push_back(mount->EndFd());
  TRY(CheckData());
  const int64_t start = SystemClock().NowMillis();
  const StopWatch watch;
  ASSIGN_OR_RETURN(outcome_, executor::RunContainer(container));
  container_ran_ = true;
  const int64_t first = outcome_->first_instruction_ms;
  if (first > start) stages_.Add("container", static_cast<uint64_t>(first - start));
  stages_.Add("run", watch.Millis());
  Log(LogLevel::kInfo, "agent.container_ended",
      {{"reason", std::string(executor::EndReasonName(outcome_->reason))}});
  // A container that could not read its data may have gone on without them.
  TRY(CheckData());
  TRY(data_->EndWell());
  data_.reset();
  image_.reset();
  stores_.clear();
  return {};
}

// Whatever shows the datasets is there still. The stores' clients first: what a read met when one
// ended is no news.
Result<> Agent::CheckData() {
  for (const auto& mount : stores_) TRY(mount->CheckAlive());
  return data_->CheckAlive();
}

Result<> Agent::SealResult() {
  const StopWatch watch;
  const protocol::JobSpec& spec = keys_->spec;
  const uint64_t most = spec.limits.disk_mib * kMiB + kTarOverhead;
  const std::string folder = options_.folder + "/result";
  ASSIGN_OR_RETURN(result_folder_,
                   executor::ScratchFolder::Mount(
                       folder, crypto::StreamSealedSize(most, crypto::kDefaultChunkLog2) + kMiB));
  const executor::OutputRequest output{.folder = outcome_->output_folder,
                                       .limits = {.max_bytes = most},
                                       .stdout_bytes = outcome_->stdout_bytes,
                                       .stderr_bytes = outcome_->stderr_bytes,
                                       .stdout_cut = outcome_->stdout_cut,
                                       .stderr_cut = outcome_->stderr_cut};
  const protocol::KeyBundle& bundle = keys_->bundle;
  ASSIGN_OR_RETURN(sealed_,
                   SealOutput(output, bundle.rek.Expose(),
                              protocol::OutputContext(bundle.job, bundle.attempt, spec.datasets),
                              folder + "/sealed"));
  keys_->bundle.rek = SecretBytes();
  stages_.Add("collect", watch.Millis());
  return {};
}

Result<> Agent::Submit() {
  const Submission submission{.job = keys_->bundle.job,
                              .attempt = keys_->bundle.attempt,
                              .credential = keys_->bundle.submit_credential,
                              .public_key = keys_->public_key,
                              .outcome = OutcomeOf(outcome_->reason, outcome_->exit_code),
                              .stages = stages_.list()};
  return SubmitResult(*cced_, attester_, submission, *sealed_);
}

void Agent::ReportEnd(const Error& error) {
  // A refusal of keys spends nothing and cced has its reason: to end the job over it would let
  // whoever replays a launch document end another machine's job.
  if (!keys_ && cced_->refused()) return;
  const protocol::CvmEnd end{
      .credential = keys_ ? keys_->bundle.submit_credential : launch_.credential,
      .outcome = OutcomeOfFailure(error.code),
      .code = error.code,
      .detail = container_ran_ ? "" : DetailOf(error)};
  if (const auto told = cced_->End(end); !told) {
    LogError(LogLevel::kWarn, "agent.end_not_told", told.error());
  }
}

}  // namespace cce::tee_agent
