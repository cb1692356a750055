// When which document of collateral is fetched: ahead of its end, never while its source asks to be
// left alone, ever less often while it fails. A value with no clock, lock or network of its own;
// times are milliseconds of the caller's clock.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collateral/fetcher.h"
#include "collateral/store.h"

namespace cce::privacy_plane {

struct ScheduleOptions {
  int64_t refresh_seconds = 86400;         // a document is asked for anew at least so often
  int64_t refresh_ahead_seconds = 604800;  // and from so long before its end on
  int64_t max_backoff_seconds = 3600;      // cap of every pause, a source's Retry-After, too
  size_t max_documents = 256;
};

class CollateralSchedule {
 public:
  // `random`: 0 up to 1, for jitter.
  CollateralSchedule(ScheduleOptions options, std::function<double()> random)
      : options_(options), random_(std::move(random)) {}

  struct Plan {
    int64_t next = 0;       // not before
    uint64_t attempts = 0;  // finished ones
    uint32_t failures = 0;  // in a row
    std::optional<Error> last_error;
    int64_t wanted_at = 0;
    std::vector<Bytes> issuers;  // root CRL: the root it is to be verified with
  };
  struct Source {
    int64_t not_before = 0;
    uint32_t failures = 0;
    std::optional<Error> last_error;
    uint64_t fetched = 0;
    uint64_t failed = 0;
  };

  // The document is in use. Where nothing in force is kept (`kept` empty), it is due at once,
  // unless it fails already.
  void Want(const attest::DocumentKey& key, const std::optional<collateral::Kept>& kept,
            const std::vector<Bytes>& issuers, int64_t now);
  // Gives up what nobody wanted for a day, unless it is kept in force.
  void Forget(int64_t now, const std::function<bool(const attest::DocumentKey&)>& in_force);

  // What may be asked of the vendor's source now: CRLs of roots first, then in the order in which
  // documents need each other.
  std::vector<attest::DocumentKey> Due(collateral::Vendor vendor, int64_t now) const;
  // When something is due next; empty where nothing is planned.
  std::optional<int64_t> NextAt(collateral::Vendor vendor) const;
  // When the document may be asked for; empty where it is not planned.
  std::optional<int64_t> MayBeAskedAt(const attest::DocumentKey& key) const;

  void Succeeded(const attest::DocumentKey& key, const collateral::Kept& kept, int64_t now);
  void Failed(const attest::DocumentKey& key, const collateral::FetchFailure& failure, int64_t now);

  const std::map<attest::DocumentKey, Plan>& plans() const { return plans_; }
  const Plan* Find(const attest::DocumentKey& key) const;
  const Source& source(collateral::Vendor vendor) const {
    return sources_[static_cast<size_t>(vendor)];
  }

 private:
  int64_t RefreshAt(const attest::DocumentKey& key, const collateral::Kept& kept, int64_t now);
  int64_t Pause(uint32_t failures, std::optional<int64_t> retry_after);

  const ScheduleOptions options_;
  const std::function<double()> random_;
  std::map<attest::DocumentKey, Plan> plans_;
  std::array<Source, 2> sources_;
};

}  // namespace cce::privacy_plane
