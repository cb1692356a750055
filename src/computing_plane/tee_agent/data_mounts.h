// The job's datasets: ciphertext fetched whole into this machine's memory, checked, and shown by
// one decrypt-fs process each.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "computing_plane/tee_agent/cced_client.h"
#include "dataset/ciphertext_store.h"
#include "dataset/format.h"
#include "executor/container.h"
#include "net/http_client.h"
#include "protocol/key_release.h"

namespace cce::tee_agent {

// Where ciphertext comes from. Everything it gives is hostile until its digest is checked.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  // The object's bytes, front to back. Errors: net.*, dataset.missing_object, what `sink` returned.
  using Sink = std::function<Result<>(ByteView)>;
  virtual Result<> Fetch(const dataset::DatasetId& dataset, const dataset::ObjectName& object,
                         const Sink& sink) = 0;
};

// GET /v1/store/<dataset>/<object> with the storage token. `http` must outlive it.
std::unique_ptr<ObjectSource> NewHttpObjectSource(net::HttpClient& http, const std::string& token);

// The objects of a mounted volume. `store` must outlive it.
std::unique_ptr<ObjectSource> NewStoreObjectSource(dataset::CiphertextStore& store);

// Fetches one object into `store` and compares its name. `max_size` bytes are read at most. Errors:
// dataset.corrupt (another object, or longer than it may be), io.*, the source's.
Result<> FetchObject(ObjectSource& source, const dataset::DatasetId& dataset,
                     const dataset::ObjectName& object, uint64_t max_size,
                     dataset::CiphertextStore& store);

struct DataMountOptions {
  std::string folder;      // absolute; parents o+x; ciphertext and mount points go below it
  std::string decrypt_fs;  // the program
  uint32_t owner = 0;      // user and group id shown for every entry
  uint64_t room = 0;       // bytes that all fetched ciphertext together may take
  RetryRule retry;
};

// Not thread-safe. Needs the right to mount.
class DataMounts {
 public:
  explicit DataMounts(DataMountOptions options);
  ~DataMounts();
  DataMounts(const DataMounts&) = delete;
  DataMounts& operator=(const DataMounts&) = delete;

  // Fetches what the job declared of one dataset, in index order, and mounts it as
  // /data/0x<dataset> of `mounts()`. Takes the keys: when it returns, only decrypt-fs has them.
  // Errors: dataset.*, policy.access_mode (demand), mount.failed, io.*, the source's.
  Result<> Add(const protocol::JobDataset& declared, protocol::ReleasedDataset released,
               ObjectSource& source);

  // Mounts the whole snapshot over a folder of ciphertext objects, which are read when the
  // container reads. Takes the keys likewise.
  Result<> AddOnDemand(protocol::ReleasedDataset released, const std::string& store_folder);

  std::vector<executor::DatasetMount> mounts() const;
  // Readable (poll) once a dataset's process has ended; one each.
  std::vector<int> EndFds() const;
  // What a read met (dataset.corrupt, dataset.missing_object, store.*), or mount.crashed once a
  // dataset's process has ended: from then on what reads it gets errors.
  Result<> CheckAlive() const;
  // Ends them all; fails as CheckAlive does, with what was reported to the last moment.
  Result<> EndWell();
  void End();

 private:
  struct Mounted;
  Result<std::unique_ptr<Mounted>> NewMounted(const dataset::DatasetId& dataset) const;
  Result<> StartDecryptFs(Mounted& mounted, protocol::ReleasedDataset released,
                          const std::string& store_folder,
                          const std::optional<std::vector<std::string>>& prefetch, uint64_t room);
  DataMountOptions options_;
  uint64_t used_ = 0;
  std::vector<std::unique_ptr<Mounted>> mounted_;
};

}  // namespace cce::tee_agent
