// The Compute Controller: takes jobs, issues their one-time credentials, has machines started and
// ended. Threads of its own start machines and renew leases; every public method is thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "privacy_plane/api/sign_in.h"
#include "privacy_plane/compute_controller/job_checks.h"
#include "privacy_plane/compute_controller/launcher_client.h"
#include "privacy_plane/core.h"

namespace cce::privacy_plane {

class ComputeController {
 public:
  ComputeController(Core& core, SignIn& sign_in, const LauncherClient& launcher);
  ~ComputeController();  // stops its threads; machines end by their leases

  Result<protocol::JobCheckReply> Check(ByteView job_spec);
  // Sign-in, checks, credential; the machine starts after the answer. Errors: signin.*, rental.*,
  // policy.*, dataset.*, job.*, input.*.
  Result<protocol::SubmitJobReply> Submit(const protocol::SubmitJobRequest& request);

  // The job behind the bearer token, which must be `job`'s. Error: signin.token.
  Result<JobId> Authorize(const std::map<std::string, std::string>& headers,
                          std::string_view job) const;
  Result<protocol::JobStatus> Status(const JobId& job) const;
  Result<protocol::JobStatus> Cancel(const JobId& job);

  // The CVM of `job` is not needed any more: its machine is ended, in the background.
  void EndMachine(const JobId& job);
  // Ends a job that has no result: journal entry, then the machine.
  Result<> Abort(const JobId& job, protocol::JobState state, protocol::Outcome outcome);
  // POST /v1/cvm/end.
  Result<> HandleEnd(const protocol::CvmEnd& end);

 private:
  struct Attempt {
    std::string credential;
    UnixSeconds expires_at = 0;
    Bytes launch_document;
  };
  Result<Attempt> MakeAttempt(const JobRecord& job, uint32_t attempt, UnixSeconds now) const;
  void Push(std::function<void()> task);
  void StartMachine(const JobId& job);
  void RunTasks();
  void RenewLeases();
  void RenewOne(const JobId& job);
  // Jobs that an earlier run of cced left with a machine.
  void AdoptRunning();

  Core& core_;
  SignIn& sign_in_;
  const LauncherClient& launcher_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::set<JobId> machines_;  // leases to renew
  std::set<JobId> starting_;  // of these: the launcher has not answered the start yet
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cce::privacy_plane
