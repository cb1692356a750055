// Taking a sealed result: every check of design section 5 again, then the ciphertext to disk, then
// one journal entry.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "privacy_plane/output_gate/output_gate.h"

namespace cce::privacy_plane {
namespace {

using protocol::CredentialPurpose;
using protocol::JobState;

constexpr size_t kCopyBuffer = size_t{1} << 20;

// Exactly out.size() bytes.
Result<> ReadFull(net::BodyReader& body, std::span<uint8_t> out) {
  while (!out.empty()) {
    ASSIGN_OR_RETURN(const size_t n, body.Read(out));
    if (n == 0) return Fail("result.truncated", "a result ended early");
    out = out.subspan(n);
  }
  return {};
}

Result<protocol::ResultHeader> ReadHeader(net::BodyReader& body) {
  ByteArray<4> length{};
  TRY(ReadFull(body, length));
  const uint32_t size = ReadU32(length.data());
  if (size > protocol::kMaxResultHeader) {
    return Fail("input.too_large", "a result's header is too large");
  }
  Bytes text(size);
  TRY(ReadFull(body, text));
  return protocol::ReadResultHeader(AsText(text));
}

// What must hold before a byte of the output is read.
Result<> CheckHeader(const protocol::ResultHeader& header, const JobRecord& job,
                     const protocol::JobCredential& claims, UnixSeconds now, uint64_t max_output) {
  if (claims.expires_at < now) {
    return Fail(MakeError("credential.expired", "the credential has expired")
                    .Expected("before " + FormatTime(claims.expires_at))
                    .Found(FormatTime(now)));
  }
  if (crypto::Sha256(header.public_key) != claims.release_key ||
      header.public_key != job.release->public_key) {
    return Fail("result.other_key", "the result comes from another CVM than the keys went to");
  }
  if (header.output_size > max_output) {
    return Fail(MakeError("result.too_large", "the sealed output is too large")
                    .Expected("at most " + std::to_string(max_output) + " bytes")
                    .Found(std::to_string(header.output_size) + " bytes"));
  }
  return {};
}

}  // namespace

Result<Digest32> OutputGate::StoreSealed(net::BodyReader& body,
                                         const protocol::ResultHeader& header) const {
  const std::string path = ResultPath(header.output);
  const std::string temporary = path + ".part-" + ToHex(crypto::RandomBytes(8));
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return FailErrno("a sealed result", errno);
  const auto copy = [&]() -> Result<Digest32> {
    crypto::Sha256Stream digest;
    Bytes buffer(kCopyBuffer);
    uint64_t left = header.output_size;
    while (left > 0) {
      const auto part =
          std::span(buffer).first(static_cast<size_t>(std::min<uint64_t>(left, kCopyBuffer)));
      TRY(ReadFull(body, part));
      digest.Update(part);
      TRY(WriteAll(fd.get(), part));
      left -= part.size();
    }
    if (::fsync(fd.get()) != 0) return FailErrno("a sealed result", errno);
    return digest.Finish();
  };
  Result<Digest32> digest = copy();
  if (digest && *digest != header.output) {
    digest = Fail("result.digest", "the sealed output has another digest than its evidence binds");
  }
  if (digest && ::rename(temporary.c_str(), path.c_str()) != 0) {
    digest = FailErrno("a sealed result", errno);
  }
  if (!digest) {
    ::unlink(temporary.c_str());
    return digest;
  }
  TRY(FsyncFolder(core_.config.state_folder + "/results"));
  return digest;
}

Result<> OutputGate::Accept(net::BodyReader& body, const protocol::ResultHeader& header,
                            const JobRecord& job) {
  const UnixSeconds now = core_.clock->Now();
  TRY(key_release_.ClaimChallenge(header.credential, header.challenge));
  const protocol::ReportData report_data =
      protocol::ResultReportData({.challenge = header.challenge,
                                  .job = job.id,
                                  .attempt = job.attempt,
                                  .credential = header.credential,
                                  .public_key = header.public_key,
                                  .output = header.output});
  ASSIGN_OR_RETURN(const GuestJudgement guest,
                   key_release_.JudgeGuest(job, header.evidence, report_data, now));
  if (!guest.accepted) return Fail(attest::ToError(guest.verdict));
  TRY(StoreSealed(body, header));
  const ResultRecord result{.output = header.output,
                            .output_size = header.output_size,
                            .challenge = header.challenge,
                            .evidence = header.evidence,
                            .collateral = guest.collateral,
                            .outcome = header.outcome,
                            .stages = header.stages};
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const JobRecord& present = tables.jobs.at(job.id);
    if (present.state != JobState::kRunning || present.result) {
      return Fail("credential.spent", "the attempt has its result, or has ended");
    }
    return std::vector<Entry>{ResultReceived(job.id, result)};
  }));
  return {};
}

Result<> OutputGate::Take(net::BodyReader& body) {
  ASSIGN_OR_RETURN(const protocol::ResultHeader header, ReadHeader(body));
  ASSIGN_OR_RETURN(
      const protocol::JobCredential claims,
      protocol::VerifyCredential(header.credential, core_.keys->identity_key().public_key(),
                                 CredentialPurpose::kSubmit));
  ASSIGN_OR_RETURN(const JobRecord job,
                   core_.state->Read([&](const Tables& tables) -> Result<JobRecord> {
                     const auto it = tables.jobs.find(claims.job);
                     if (it == tables.jobs.end()) return Fail("job.unknown", "no such job");
                     const JobRecord& found = it->second;
                     if (found.state != JobState::kRunning || found.attempt != claims.attempt ||
                         !found.release || found.release->submit_credential != header.credential) {
                       return Fail("credential.superseded", "no present attempt's credential");
                     }
                     return found;
                   }));
  Result<> accepted =
      CheckHeader(header, job, claims, core_.clock->Now(), core_.config.max_output_bytes);
  if (accepted) accepted = Accept(body, header, job);
  if (!accepted) {
    return Fail(key_release_.Refuse(job, "result", accepted.error(), nullptr));
  }
  Log(LogLevel::kInfo, "result.received", {{"job", ToHex(job.id)}});
  controller_.EndMachine(job.id);
  waiting_.Push(job.id);
  return {};
}

}  // namespace cce::privacy_plane
