// Challenges and key release (design: attestation and key release). Every step refuses by default;
// a refusal spends nothing, tells the CVM no more than a code, and is explained in full to operator
// and owners through the journal. Thread-safe.
#pragma once

#include <map>
#include <mutex>

#include "privacy_plane/compute_controller/controller.h"
#include "privacy_plane/core.h"
#include "privacy_plane/datasets/datasets.h"
#include "protocol/credential.h"

namespace cce::privacy_plane {

// The open challenges: one use, a minute, at most four a credential. In memory: after a restart a
// CVM asks anew.
class Challenges {
 public:
  Result<protocol::ChallengeReply> Issue(const Digest32& credential, UnixSeconds now,
                                         int64_t lifetime);
  // Errors: challenge.unknown, challenge.expired.
  Result<> Check(const Digest32& credential, const protocol::Challenge& challenge, UnixSeconds now);
  void Spend(const protocol::Challenge& challenge);

 private:
  struct Open {
    Digest32 credential;
    UnixSeconds expires_at;
  };
  std::mutex mutex_;
  std::map<protocol::Challenge, Open> open_;
};

class KeyRelease {
 public:
  KeyRelease(Core& core, Datasets& datasets, ComputeController& controller)
      : core_(core), datasets_(datasets), controller_(controller) {}

  // For either purpose. Errors: credential.*, challenge.too_many.
  Result<protocol::ChallengeReply> Challenge(const protocol::ChallengeRequest& request);

  // The reply's JSON text. Errors carry a code only.
  Result<std::string> Release(const protocol::KeysRequest& request);

  // Steps that result submission shares. `credential`: the token as sent.
  Result<> CheckChallenge(std::string_view credential, const protocol::Challenge& challenge);
  // As above, and takes the challenge out of play: for an answer whose body may take longer than a
  // challenge lives.
  Result<> ClaimChallenge(std::string_view credential, const protocol::Challenge& challenge);
  // Evidence of the job's CVM over `report_data`, under every owner's policy. Errors: evidence.*.
  Result<GuestJudgement> JudgeGuest(const JobRecord& job, ByteView evidence,
                                    const protocol::ReportData& report_data, UnixSeconds now);
  // Journals a refusal; five for one attempt end the job. Gives what the CVM may see of it.
  Error Refuse(const JobRecord& job, std::string step, const Error& error,
               const json::value& verdict);

 private:
  struct Refusal {
    Error error;
    json::value verdict;
  };
  Result<JobRecord> FindJob(const protocol::JobCredential& claims, std::string_view token) const;
  tl::expected<std::string, Refusal> Decide(const protocol::KeysRequest& request,
                                            const JobRecord& job,
                                            const protocol::JobCredential& claims);
  Result<protocol::KeyBundle> MakeBundle(const JobRecord& job, ByteView public_key,
                                         UnixSeconds now) const;

  Core& core_;
  Datasets& datasets_;
  ComputeController& controller_;
  Challenges challenges_;
};

// What a CVM sees of an error: its code and the table's sentence.
Error CodeOnly(const Error& error);

}  // namespace cce::privacy_plane
