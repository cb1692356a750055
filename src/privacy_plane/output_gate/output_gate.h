// The Output Gate module: takes sealed results, opens and judges them in memory, lets owners
// decide, and delivers what was approved with its manifest. Outcomes become visible on ticks, so
// that their moment says nothing. Thread-safe; reviews run on a thread of its own.
#pragma once

#include <thread>

#include "base/delay_queue.h"
#include "gate/review.h"
#include "manifest/manifest.h"
#include "net/http_server.h"
#include "privacy_plane/compute_controller/key_release.h"
#include "privacy_plane/core.h"
#include "privacy_plane/output_gate/leak_indexes.h"

namespace cce::privacy_plane {

class OutputGate {
 public:
  OutputGate(Core& core, KeyRelease& key_release, ComputeController& controller,
             LeakIndexes& indexes);
  ~OutputGate();

  // POST /v1/cvm/result: header, then the sealed output, which goes to disk as it is (it is
  // ciphertext). Errors carry a code only: credential.*, challenge.*, evidence.*, result.*.
  Result<> Take(net::BodyReader& body);

  // -- for the consumer
  Result<protocol::Delivery> Deliver(const JobId& job);
  Result<net::Response> SealedResult(const JobId& job) const;

  // -- for the owner of `dataset`: his jobs, one explained, his decision
  Result<json::object> OwnerJobs(const DatasetId& dataset) const;
  Result<json::object> OwnerJob(const DatasetId& dataset, const JobId& job) const;
  Result<> Decide(const DatasetId& dataset, const JobId& job,
                  const protocol::ReviewDecisionRequest& request);

 private:
  struct Opened {  // a result, in memory
    SecretBytes tar;
    Digest32 digest{};
  };
  Result<> Accept(net::BodyReader& body, const protocol::ResultHeader& header,
                  const JobRecord& job);
  Result<Digest32> StoreSealed(net::BodyReader& body, const protocol::ResultHeader& header) const;
  Result<Opened> Open(const JobRecord& job) const;
  // True: done; false: to be looked at again, a leak index is being built.
  Result<bool> Review(const JobId& id);
  // Whether the output should wait for a leak index: there will be one, and patience lasts.
  bool AwaitsIndex(const JobRecord& job) const;
  Result<> Judge(const JobRecord& job, const std::vector<gate::GatePolicy>& policies);
  static const PolicyRecord& PolicyAtRelease(const Tables& tables, const JobRecord& job,
                                             const DatasetId& dataset);
  Result<> Release(const JobId& id, std::string_view decision);
  Result<manifest::Statement> MakeStatement(const JobRecord& job, const Opened& opened,
                                            std::string_view decision) const;
  Result<std::string> MakeBundle(const JobRecord& job, const manifest::Statement& statement,
                                 uint64_t approved_entry) const;
  std::string ResultPath(const Digest32& output) const;
  void RunReviews();
  void WaitForTick();
  // Results that an earlier run of cced took but did not judge.
  void AdoptWaiting();

  Core& core_;
  KeyRelease& key_release_;
  ComputeController& controller_;
  LeakIndexes& indexes_;
  DelayQueue<JobId> waiting_;
  std::thread thread_;
};

}  // namespace cce::privacy_plane
