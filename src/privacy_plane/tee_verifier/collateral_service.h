// The collateral that evidence is judged with: kept, refreshed ahead of time from Intel's and AMD's
// services (or an operator's caches of them), and from bundle files. A document is verified under
// the pinned roots before it replaces another (collateral::Store); what is handed out is in force;
// `attest::Verifier` decides about evidence all the same. While a source is down, what is kept and
// in force serves on. Thread-safe.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "privacy_plane/tee_verifier/collateral_schedule.h"

namespace cce::privacy_plane {

struct CollateralOptions {
  collateral::Addresses addresses;
  std::string bundle;      // a bundle file, or a folder of them; read when changed; may be empty
  std::string cache_file;  // what is kept outlives a restart here; empty: it does not
  ScheduleOptions schedule;
  int64_t warn_seconds = 259200;             // warn when a document in use ends within
  std::chrono::milliseconds max_wait{5000};  // nobody who asks waits longer
};

class CollateralService {
 public:
  CollateralService(CollateralOptions options, std::vector<attest::TrustedRoot> roots,
                    const Clock& clock, std::function<double()> random);
  ~CollateralService();

  // Reads the kept file and the bundles. No failure: what cannot be read is logged and fetched.
  void Load();
  // Begins to refresh, one thread a vendor, so that one's service cannot hold up the other's.
  void Start();

  struct Set {
    attest::Collateral collateral;
    std::string bundle;  // its text form
  };
  // What is in force for `need`, at once where it is kept; else as soon as it was fetched, at most
  // the longest wait later, and without waiting where asking is known to be vain. Error:
  // collateral.unavailable with each document's reason.
  Result<std::shared_ptr<const Set>> For(const attest::CollateralNeed& need, bool with_vek,
                                         UnixSeconds now);
  // This machine's own need: fetched before anybody asks, and part of readiness.
  void Expect(const attest::CollateralNeed& need, bool with_vek);

  // Fetches what is due from a vendor's source; milliseconds until more is. What the threads do.
  int64_t Step(collateral::Vendor vendor);

  struct SourceStatus {
    bool configured = false;
    uint64_t fetched = 0;
    uint64_t failed = 0;
    int64_t blocked_seconds = 0;  // until it is asked again after failures
    std::string last_error;
  };
  struct Ending {
    std::string document;
    UnixSeconds until = 0;
  };
  struct Status {
    size_t documents = 0;                     // kept
    std::optional<UnixSeconds> earliest_end;  // of those in use
    std::vector<Ending> ending;               // in use, and end within the warning time or have
    bool own_in_force = true;                 // this machine's, where known
    std::array<SourceStatus, 2> sources;      // by collateral::Vendor
  };
  Status Report() const;

 private:
  void ReadBundles(UnixSeconds now);
  void Save();
  void Run(collateral::Vendor vendor);
  std::optional<collateral::FetchFailure> FetchAndTake(collateral::Fetcher& fetcher,
                                                       const attest::DocumentKey& key,
                                                       const std::vector<Bytes>& issuers);
  bool FetchOne(collateral::Fetcher& fetcher, const attest::DocumentKey& key);
  std::vector<Bytes> IssuersOf(const attest::DocumentKey& key,
                               const std::vector<Bytes>& known) const;
  void PlanLocked(const attest::CollateralNeed& need, bool with_vek, int64_t now_ms,
                  UnixSeconds now);
  bool MayComeLocked(const std::vector<attest::DocumentKey>& missing,
                     const std::map<attest::DocumentKey, uint64_t>& attempts) const;
  std::map<attest::DocumentKey, uint64_t> AttemptsLocked(
      const std::vector<attest::DocumentKey>& keys) const;
  std::shared_ptr<const Set> SetLocked(const std::string& name, attest::Collateral collateral);
  Error UnavailableLocked(const std::vector<attest::DocumentKey>& missing, UnixSeconds now) const;
  void WarnLocked(int64_t now_ms);
  bool Stopping() const;

  const CollateralOptions options_;
  const Clock& clock_;
  collateral::Store store_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;     // something became due
  std::condition_variable changed_;  // an attempt ended
  CollateralSchedule schedule_;
  std::map<std::string, std::pair<uint64_t, std::shared_ptr<const Set>>> sets_;
  std::map<attest::DocumentKey, int64_t> warned_at_;
  std::optional<std::pair<attest::CollateralNeed, bool>> own_;
  size_t waiting_ = 0;
  bool stopping_ = false;
  std::array<bool, 2> poked_{};

  std::string bundle_problem_;

  std::mutex bundle_mutex_;
  std::string bundle_seen_;

  std::array<std::mutex, 2> step_mutex_;
  std::array<std::unique_ptr<collateral::Fetcher>, 2> fetchers_;
  std::mutex save_mutex_;
  uint64_t saved_version_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace cce::privacy_plane
