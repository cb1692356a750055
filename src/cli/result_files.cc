#include "cli/result_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "cli/progress.h"
#include "crypto/hpke.h"
#include "crypto/signed.h"
#include "crypto/stream.h"
#include "protocol/result_submission.h"

namespace cce::cli {
namespace {

constexpr uint64_t kMaxSealed = uint64_t{4} << 30;

// A file that is removed at the end unless it was kept.
class Draft {
 public:
  explicit Draft(std::string path) : path_(std::move(path)) { ::unlink(path_.c_str()); }
  ~Draft() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  const std::string& path() const { return path_; }
  Result<UniqueFd> Create() const {
    UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid()) return FailErrno(path_, errno);
    return fd;
  }
  Result<> KeepAs(const std::string& name) {
    if (::rename(path_.c_str(), name.c_str()) != 0) return FailErrno(name, errno);
    path_.clear();
    return {};
  }

 private:
  std::string path_;
};

Result<> DownloadSealed(Client& client, const JobState& state, const protocol::Delivery& delivery,
                        int fd, bool quiet) {
  Progress progress("download", delivery.output_size, 0, quiet);
  crypto::Sha256Stream hash;
  uint64_t size = 0;
  TRY(client.Download("/v1/jobs/" + ToHex(state.job) + "/result", state.token,
                      [&](ByteView bytes) -> Result<> {
                        size += bytes.size();
                        if (size > delivery.output_size) {
                          return Fail("result.digest", "more bytes came than the delivery names");
                        }
                        hash.Update(bytes);
                        progress.Add(static_cast<int64_t>(bytes.size()), 0);
                        return WriteAll(fd, bytes);
                      }));
  if (size != delivery.output_size || hash.Finish() != delivery.output) {
    return Fail(MakeError("result.digest", "the sealed output is not the one that was delivered")
                    .Expected(ToHex(delivery.output)));
  }
  return {};
}

// Chunk by chunk: only what authenticated is written.
Result<> OpenSealed(int sealed, uint64_t sealed_size, const SecretBytes& rek,
                    const crypto::StreamContext& context, int out) {
  const auto read_at = [sealed](uint64_t at, std::span<uint8_t> bytes) -> Result<> {
    if (::lseek(sealed, static_cast<off_t>(at), SEEK_SET) < 0) {
      return FailErrno("the sealed result", errno);
    }
    return ReadExact(sealed, bytes);
  };
  Bytes header(crypto::kStreamHeaderSize);
  TRY(read_at(0, header));
  ASSIGN_OR_RETURN(const auto opener,
                   crypto::StreamOpener::New(rek.Expose(), context, header, sealed_size));
  Bytes chunk, plain;
  for (uint64_t i = 0; i < opener->chunk_count(); ++i) {
    const auto [at, size] = opener->ChunkExtent(i);
    chunk.resize(size);
    plain.resize(size - crypto::kAeadTagSize);
    TRY(read_at(at, chunk));
    TRY(opener->OpenChunk(i, chunk, plain));
    TRY(WriteAll(out, plain));
  }
  return {};
}

// The manifest's signed statement is about this very job and delivery.
Result<> CheckStatement(const Client& client, const manifest::Bundle& bundle, const JobState& state,
                        const protocol::Delivery& delivery) {
  ASSIGN_OR_RETURN(const Bytes payload, crypto::DsseVerify(bundle.envelope, manifest::kPayloadType,
                                                           client.identity_key()));
  ASSIGN_OR_RETURN(const manifest::Statement statement, manifest::DecodeStatement(AsText(payload)));
  const bool same = statement.job == state.job && statement.attempt == delivery.attempt &&
                    statement.sealed_output == delivery.output &&
                    statement.job_spec == protocol::JobSpecHash(state.job_spec);
  if (!same) {
    return Fail(MakeError("manifest.result_mismatch", "the manifest is about another job or result")
                    .Expected("job " + ToHex(state.job))
                    .Found("job " + ToHex(statement.job)));
  }
  return {};
}

}  // namespace

Result<manifest::Report> FetchResult(const Settings& settings, Client& client,
                                     const JobState& state, const std::string& folder) {
  const std::string files = folder + "/output";
  if (std::filesystem::exists(files)) {
    return Fail(MakeError("cli.exists", files + " exists already").Next("Name another --out."));
  }
  ASSIGN_OR_RETURN(const protocol::JobSpec spec, protocol::DecodeJobSpec(state.job_spec));
  ASSIGN_OR_RETURN(const std::string text,
                   client.Get("/v1/jobs/" + ToHex(state.job) + "/delivery", state.token));
  ASSIGN_OR_RETURN(const protocol::Delivery delivery, protocol::ReadDelivery(text));
  if (delivery.output_size > kMaxSealed) {
    return Fail("input.too_large", "the result exceeds 4 GiB");
  }
  ASSIGN_OR_RETURN(const manifest::Bundle bundle, manifest::DecodeBundle(delivery.manifest));
  TRY(CheckStatement(client, bundle, state, delivery));

  ASSIGN_OR_RETURN(const crypto::P256PrivateKey key,
                   LoadConsumerKey(settings, protocol::JobSpecHash(state.job_spec)));
  ASSIGN_OR_RETURN(
      const SecretBytes rek,
      crypto::HpkeOpen(key, protocol::RekInfo(state.job, delivery.attempt, delivery.output), {},
                       delivery.rek_envelope));
  if (!std::filesystem::exists(folder)) TRY(MakeFolders(folder));
  const Draft sealed(folder + "/.sealed");
  Draft tar(folder + "/.output.tar");
  ASSIGN_OR_RETURN(const UniqueFd sealed_fd, sealed.Create());
  ASSIGN_OR_RETURN(const UniqueFd tar_fd, tar.Create());
  TRY(DownloadSealed(client, state, delivery, sealed_fd.get(), settings.json));
  TRY(OpenSealed(sealed_fd.get(), delivery.output_size, rek,
                 protocol::OutputContext(state.job, delivery.attempt, spec.datasets),
                 tar_fd.get()));

  // From here on it is what any verifier would do with what is left in the folder.
  ASSIGN_OR_RETURN(const Bytes tar_bytes, ReadFile(tar.path(), kMaxSealed));
  ASSIGN_OR_RETURN(const manifest::Trust trust, LoadTrust(settings));
  manifest::Report report = manifest::Examine(tar_bytes, bundle, trust, settings.allow_development);
  if (report.error) return Fail(std::move(*report.error));
  if (const Result<size_t> extracted = ExtractTar(tar.path(), files); !extracted) {
    std::error_code ignored;
    std::filesystem::remove_all(files, ignored);
    return Fail(extracted.error());
  }
  TRY(tar.KeepAs(folder + "/output.tar"));
  TRY(WriteFileAtomic(folder + "/manifest.json", AsBytes(delivery.manifest)));
  return report;
}

}  // namespace cce::cli
