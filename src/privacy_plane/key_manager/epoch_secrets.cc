#include "privacy_plane/key_manager/epoch_secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace cce::privacy_plane {
namespace {

using protocol::DatasetId;
using protocol::Digest32;

constexpr size_t kSecretSize = 32;
constexpr uint8_t kVersion = 1;
constexpr size_t kFileSize = 1 + crypto::kAeadNonceSize + kSecretSize + crypto::kAeadTagSize;

Bytes Number(uint32_t n) {
  Bytes out;
  AppendU32(out, n);
  return out;
}

Bytes AadOf(const DatasetId& dataset, uint32_t epoch) {
  return Frame("cce4long/v1/epoch-secret", {dataset, Number(epoch)});
}

Unexpected Lost(const DatasetId& dataset, uint32_t epoch, std::string why) {
  return Fail(MakeError("dataset.epoch_lost", "the secret of epoch " + std::to_string(epoch) +
                                                  " of " + protocol::AddressText(dataset) +
                                                  " cannot be read")
                  .Found(std::move(why)));
}

// Over the same blocks as before, as far as the file system goes.
Result<> Overwrite(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return FailErrno("an epoch secret", errno);
  Bytes noise = crypto::RandomBytes(static_cast<size_t>(info.st_size));
  for (size_t done = 0; done < noise.size();) {
    const ssize_t n =
        ::pwrite(fd, noise.data() + done, noise.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FailErrno("overwriting an epoch secret", errno);
    done += static_cast<size_t>(n);
  }
  if (::fsync(fd) != 0) return FailErrno("fsync of an epoch secret", errno);
  return {};
}

}  // namespace

Digest32 EpochCommitment(const DatasetId& dataset, uint32_t epoch, ByteView secret) {
  Bytes framed = Frame("cce4long/v1/epoch-commitment", {dataset, Number(epoch), secret});
  const Digest32 commitment = crypto::Sha256(framed);
  Wipe(framed);
  return commitment;
}

Result<std::unique_ptr<EpochSecrets>> EpochSecrets::Open(const std::string& folder,
                                                         SecretBytes seal_key) {
  TRY(MakeFolders(folder, 0700));
  TRY(RemoveUnfinished(folder));
  return std::unique_ptr<EpochSecrets>(new EpochSecrets(folder, std::move(seal_key)));
}

std::string EpochSecrets::PathOf(const Digest32& commitment) const {
  return folder_ + "/" + ToHex(commitment);
}

Result<Digest32> EpochSecrets::Create(const DatasetId& dataset, uint32_t epoch) const {
  const SecretBytes secret = crypto::RandomSecret(kSecretSize);
  const Digest32 commitment = EpochCommitment(dataset, epoch, secret.Expose());
  ASSIGN_OR_RETURN(const auto aead, crypto::NewAead(seal_key_.Expose()));
  Bytes file = {kVersion};
  ASSIGN_OR_RETURN(const Bytes sealed,
                   crypto::SealWithRandomNonce(*aead, AadOf(dataset, epoch), secret.Expose()));
  Append(file, sealed);
  TRY(WriteFileAtomic(PathOf(commitment), file, 0600));
  return commitment;
}

Result<SecretBytes> EpochSecrets::Load(const DatasetId& dataset, uint32_t epoch,
                                       const Digest32& commitment) const {
  const Result<Bytes> file = ReadFile(PathOf(commitment), kFileSize);
  if (!file && file.error().code == "io.not_found") return Lost(dataset, epoch, "no file");
  if (!file) return Fail(file.error());
  if (file->size() != kFileSize || file->front() != kVersion) {
    return Lost(dataset, epoch, "a file of another form");
  }
  ASSIGN_OR_RETURN(const auto aead, crypto::NewAead(seal_key_.Expose()));
  Result<SecretBytes> secret =
      crypto::OpenWithNonce(*aead, AadOf(dataset, epoch), ByteView(*file).subspan(1));
  if (!secret) return Lost(dataset, epoch, "a file that does not authenticate");
  if (EpochCommitment(dataset, epoch, secret->Expose()) != commitment) {
    return Lost(dataset, epoch, "another secret than the journal names");
  }
  return secret;
}

Result<> EpochSecrets::Destroy(const Digest32& commitment) const {
  const std::string path = PathOf(commitment);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return {};
    return FailErrno("an epoch secret", errno);
  }
  TRY(Overwrite(fd.get()));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FailErrno("removing an epoch secret", errno);
  }
  return FsyncFolder(folder_);
}

}  // namespace cce::privacy_plane
