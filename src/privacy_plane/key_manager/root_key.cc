#include "privacy_plane/key_manager/root_key.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"
#include "crypto/hash.h"

namespace cce::privacy_plane {
namespace {

constexpr size_t kRootKeySize = 32;

class FileRootKey : public RootKeySource {
 public:
  explicit FileRootKey(std::string path) : path_(std::move(path)) {}

  std::string Name() const override { return "file"; }
  bool IsDevelopment() const override { return true; }

  Result<SecretBytes> Load() override {
    if (!std::filesystem::exists(path_)) {
      const SecretBytes fresh = crypto::RandomSecret(kRootKeySize);
      TRY(WriteFileAtomic(path_, fresh.Expose(), 0600));
    }
    struct stat info{};
    if (::stat(path_.c_str(), &info) != 0) return FailErrno(path_, errno);
    if ((info.st_mode & 077) != 0) {
      return Fail(MakeError("config.invalid", path_ + ": others may read the root key")
                      .Expected("mode 0600")
                      .Next("chmod 600 " + path_));
    }
    ASSIGN_OR_RETURN(SecretBytes key, ReadSecretFile(path_, kRootKeySize));
    if (key.size() != kRootKeySize) {
      return Fail(MakeError("config.invalid", path_ + ": no root key")
                      .Expected("32 bytes")
                      .Found(std::to_string(key.size()) + " bytes"));
    }
    return key;
  }

 private:
  const std::string path_;
};

}  // namespace

std::unique_ptr<RootKeySource> NewFileRootKey(std::string path) {
  return std::make_unique<FileRootKey>(std::move(path));
}

}  // namespace cce::privacy_plane
