// The distributed store: one JuiceFS volume per dataset, formatted, mounted and watched by cced,
// and read in CVMs by keys made for one job.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/subprocess.h"
#include "dataset/ciphertext_store.h"
#include "privacy_plane/config.h"
#include "privacy_plane/volumes/s3_admin.h"
#include "protocol/store_access.h"
#include "store/call_guard.h"

namespace cce::privacy_plane {

// Thread-safe. A thread of its own watches the mounts: one that ended is mounted again, one that
// does not answer a real read makes the store unhealthy until it does.
class Volumes {
 public:
  // Reads the keys' files. `folder`: mount points, logs and the client's own files. `numbers`: file
  // that keeps which volume has which number, for metadata URLs with {number}. Errors:
  // config.invalid, io.*.
  static Result<std::unique_ptr<Volumes>> New(const JuicefsConfig& config,
                                              const std::string& folder,
                                              const std::string& numbers);
  ~Volumes();  // unmounts

  // The dataset's store; its volume is formatted and mounted where that is still to do. Errors:
  // store.*, io.*.
  Result<std::shared_ptr<dataset::CiphertextStore>> Open(const protocol::DatasetId& dataset);

  // Whether jobs can read volumes themselves.
  bool HasReaders() const { return !admin_keys_.access_key.empty(); }
  // What the job's machine reads these objects of the dataset with: a key made for it. A repeat
  // gets a new key. Errors: store.*, dataset.missing_object.
  Result<protocol::StoreAccess> Grant(const protocol::JobId& job,
                                      const protocol::DatasetId& dataset,
                                      const std::set<dataset::ObjectName>& objects);
  // Ends the job's keys; repeated in the background until the S3 server has done it.
  void End(const protocol::JobId& job);
  // After a start: keys of jobs that run still stay, all others end.
  struct Running {
    protocol::JobId job{};
    std::vector<protocol::DatasetId> datasets;
  };
  void Adopt(const std::vector<Running>& running);

  // The first unhealthy volume's reason, if any. Volumes that nobody opened are not asked.
  Result<> Health() const;

 private:
  struct Volume;
  struct Reader {
    protocol::JobId job{};
    protocol::DatasetId dataset{};
  };

  Volumes(const JuicefsConfig& config, std::string folder, std::string numbers);
  Result<> ReadKeys();
  Volume& VolumeOf(const protocol::DatasetId& dataset);
  Result<std::string> MetadataUrl(const protocol::DatasetId& dataset);
  std::string BucketOf(const protocol::DatasetId& dataset) const;
  std::string BucketUrl(const protocol::DatasetId& dataset) const;
  Result<> Format(Volume& volume);
  Result<> Mount(Volume& volume);
  Result<> AwaitMount(Volume& volume);
  Result<> WriteProbe(const Volume& volume) const;
  Result<> EnsureMounted(Volume& volume);
  void Unmount(Volume& volume);
  Result<> Probe(const Volume& volume) const;
  Result<std::string> Dump(Volume& volume);
  Result<> Run(const std::vector<std::string>& command, const std::string& what);
  Result<> UpdateReaders(const protocol::DatasetId& dataset);
  Result<> AdoptNow();
  void EndKeys();
  void Watch();

  const JuicefsConfig config_;
  const std::string folder_;
  const std::string numbers_;
  S3Keys writer_keys_;
  S3Keys admin_keys_;
  SecretBytes metadata_password_;
  S3Admin s3_{config_.endpoint, config_.region, writer_keys_, admin_keys_};
  const std::shared_ptr<const store::CallGuard> guard_;

  mutable std::mutex mutex_;  // of the map and the readers, never held over a call outside
  std::map<protocol::DatasetId, std::unique_ptr<Volume>> volumes_;
  std::mutex readers_mutex_;               // held over the S3 calls that change them
  std::map<std::string, Reader> readers_;  // by user name
  std::set<std::string> ending_;           // users to be removed
  std::optional<std::vector<Running>> adopting_;
  std::mutex numbers_mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread watcher_;
};

}  // namespace cce::privacy_plane
