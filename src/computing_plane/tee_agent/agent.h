// One job in one CVM, from the launch document to the handed-in result.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "channel/tunnel_client.h"
#include "computing_plane/tee_agent/cced_client.h"
#include "computing_plane/tee_agent/data_mounts.h"
#include "computing_plane/tee_agent/key_client.h"
#include "computing_plane/tee_agent/result_client.h"
#include "computing_plane/tee_agent/store_mount.h"
#include "executor/image.h"
#include "protocol/launch_document.h"
#include "tsm/attester.h"

namespace cce::tee_agent {

struct AgentOptions {
  std::string folder = "/run/cce";  // this job's own; made here; parents o+x
  std::string decrypt_fs = "/opt/cce/bin/decrypt-fs";
  std::string juicefs = "/opt/cce/bin/juicefs";
  std::string self = "/proc/self/exe";  // a program with main.cc's parts: runs the store's jail
  executor::Tools tools;
  executor::IdRange ids;  // the container's: none of this process's own
  RetryRule retry;
  // From another thread, when the control stream has ended by itself: nothing can follow.
  std::function<void()> on_channel_end;
};

class Agent {
 public:
  // `attester` must outlive this.
  Agent(AgentOptions options, tsm::Attester& attester);
  // Ends the container, the mounts and the channel.
  ~Agent();

  // The whole job, once. Where it fails before a result is in, cced is told which of the closed
  // list and which code; what the container may have chosen (paths, texts) is not sent.
  Result<> Run(UniqueFd stream);

 private:
  std::string SocketOf(std::string_view name) const;
  Result<> OpenChannel(UniqueFd stream);
  Result<> Work();
  Result<> FetchKeys();
  Result<> StartPull();
  Result<> MountData();
  Result<> MountDataset(const protocol::JobDataset& declared, protocol::ReleasedDataset released);
  Result<protocol::StoreAccess> AskForStore(const protocol::DatasetId& dataset);
  Result<> FetchFromCced(const protocol::JobDataset& declared, protocol::ReleasedDataset released);
  Result<> MountStore(const protocol::JobDataset& declared, protocol::ReleasedDataset released,
                      protocol::StoreAccess access);
  Result<> AwaitImage();
  Result<> CloseNames();
  Result<> RunContainer();
  Result<> CheckData();
  Result<> SealResult();
  Result<> Submit();
  void ReportEnd(const Error& error);

  struct Pulled {
    Result<executor::Image> image;
    uint64_t millis = 0;
  };

  const AgentOptions options_;
  tsm::Attester& attester_;
  protocol::LaunchDocument launch_;
  std::unique_ptr<channel::TunnelClient> channel_;
  std::unique_ptr<CcedClient> cced_;
  Stages stages_;
  std::optional<ReleasedKeys> keys_;
  bool container_ran_ = false;
  uint16_t store_port_ = 0;                          // of "objects", where a volume is mounted
  std::vector<std::unique_ptr<StoreMount>> stores_;  // read on demand while the container runs
  std::optional<DataMounts> data_;
  std::future<Pulled> pull_;
  std::optional<executor::Image> image_;
  std::optional<executor::ContainerOutcome> outcome_;
  executor::ScratchFolder result_folder_;
  std::optional<SealedOutput> sealed_;
};

}  // namespace cce::tee_agent
