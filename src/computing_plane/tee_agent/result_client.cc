#include "computing_plane/tee_agent/result_client.h"

#include <fcntl.h>
#include <unistd.h>

#include "crypto/hash.h"

namespace cce::tee_agent {
namespace {

using protocol::Outcome;

// Reads the header, then the file, from the start: one body.
class Body {
 public:
  Body(const json::object& header, const SealedOutput& output) : output_(output) {
    const std::string text = ToJson(header);
    AppendU32(front_, static_cast<uint32_t>(text.size()));
    Append(front_, AsBytes(text));
  }

  uint64_t size() const { return front_.size() + output_.size; }

  Result<size_t> Read(std::span<uint8_t> out) {
    if (at_ < front_.size()) {
      const size_t n = std::min(out.size(), front_.size() - static_cast<size_t>(at_));
      std::copy_n(front_.begin() + static_cast<ptrdiff_t>(at_), n, out.begin());
      at_ += n;
      return n;
    }
    while (true) {
      const ssize_t n = ::pread(output_.file.get(), out.data(), out.size(),
                                static_cast<off_t>(at_ - front_.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno("reading the sealed output", errno);
      at_ += static_cast<uint64_t>(n);
      return static_cast<size_t>(n);
    }
  }

 private:
  const SealedOutput& output_;
  Bytes front_;
  uint64_t at_ = 0;
};

Result<> SubmitOnce(CcedClient& cced, tsm::Attester& attester, const Submission& submission,
                    const SealedOutput& output) {
  ASSIGN_OR_RETURN(const protocol::ChallengeReply challenge, cced.Challenge(submission.credential));
  protocol::ResultHeader header{.credential = submission.credential,
                                .challenge = challenge.challenge,
                                .public_key = submission.public_key,
                                .output = output.digest,
                                .output_size = output.size,
                                .outcome = submission.outcome,
                                .stages = submission.stages};
  ASSIGN_OR_RETURN(const tsm::TsmEvidence evidence,
                   attester.Attest(protocol::ResultReportData({.challenge = header.challenge,
                                                               .job = submission.job,
                                                               .attempt = submission.attempt,
                                                               .credential = header.credential,
                                                               .public_key = header.public_key,
                                                               .output = header.output})));
  header.evidence = evidence.Whole();
  Body body(protocol::ToJsonObject(header), output);
  return cced.Send({.method = "POST",
                    .path = "/v1/cvm/result",
                    .headers = {{"content-type", "application/octet-stream"}},
                    .body_source = [&](std::span<uint8_t> out) { return body.Read(out); },
                    .body_size = body.size()});
}

bool StartsAnew(const Error& error) {
  return IsTransient(error) || error.code == "challenge.expired" ||
         error.code == "challenge.unknown";
}

}  // namespace

Result<SealedOutput> SealOutput(const executor::OutputRequest& output, ByteView rek,
                                const crypto::StreamContext& context, const std::string& path) {
  SealedOutput out;
  out.file = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out.file.valid()) return FailErrno("a file for the sealed output", errno);
  crypto::Sha256Stream digest;
  ASSIGN_OR_RETURN(const auto sealer, crypto::StreamSealer::New(rek, context, [&](ByteView sealed) {
                     digest.Update(sealed);
                     out.size += sealed.size();
                     return WriteAll(out.file.get(), sealed);
                   }));
  TRY(executor::CollectOutput(output, [&](ByteView tar) { return sealer->Write(tar); }));
  TRY(sealer->Finish());
  out.digest = digest.Finish();
  return out;
}

Result<> SubmitResult(CcedClient& cced, tsm::Attester& attester, const Submission& submission,
                      const SealedOutput& output) {
  int tries = 0;
  Result<> sent = Repeat(
      cced.rule(),
      [&] {
        ++tries;
        return SubmitOnce(cced, attester, submission, output);
      },
      &StartsAnew);
  // Spent by a try of ours whose answer was lost: nobody else has the credential.
  if (!sent && tries > 1 && sent.error().code == "credential.spent") return {};
  return sent;
}

Outcome OutcomeOf(executor::EndReason reason, int exit_code) {
  switch (reason) {
    case executor::EndReason::kTimeLimit:
    case executor::EndReason::kMemoryLimit:
      return Outcome::kLimitExceeded;
    case executor::EndReason::kSignalled:
      return Outcome::kContainerFailed;
    case executor::EndReason::kStopped:
      return Outcome::kInternal;
    case executor::EndReason::kExited:
      break;
  }
  return exit_code == 0 ? Outcome::kSucceeded : Outcome::kContainerFailed;
}

Outcome OutcomeOfFailure(std::string_view code) {
  if (code.starts_with("image.") || code == "container.bad_spec") return Outcome::kImageUnusable;
  if (code == "container.start_failed") return Outcome::kContainerFailed;
  if (code.starts_with("output.")) return Outcome::kLimitExceeded;
  if (code.starts_with("dataset.") || code.starts_with("store.") || code.starts_with("mount.") ||
      code == "policy.access_mode") {
    return Outcome::kDataUnusable;
  }
  return Outcome::kInternal;
}

}  // namespace cce::tee_agent
