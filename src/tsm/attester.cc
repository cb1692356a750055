#include "tsm/attester.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace cce::tsm {
namespace {

constexpr size_t kMaxBlob = size_t{64} << 10;
constexpr int kMaxAttempts = 5;

// A report folder, removed at the end.
class ReportFolder {
 public:
  explicit ReportFolder(std::string path) : path_(std::move(path)) {}
  ~ReportFolder() {
    if (made_) ::rmdir(path_.c_str());
  }
  ReportFolder(const ReportFolder&) = delete;
  ReportFolder& operator=(const ReportFolder&) = delete;

  Result<> Make() {
    if (::mkdir(path_.c_str(), 0700) != 0) {
      return Fail(MakeError("tsm.unavailable", "the kernel gives no attestation report")
                      .Expected("a TEE behind " + path_)
                      .Found(std::strerror(errno)));
    }
    made_ = true;
    return {};
  }
  Result<Bytes> Read(const std::string& attribute) const {
    return ReadFile(path_ + "/" + attribute, kMaxBlob);
  }
  Result<> Write(const std::string& attribute, ByteView bytes) const {
    const std::string path = path_ + "/" + attribute;
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return FailErrno(path, errno);
    // One write: the attribute takes the blob whole.
    if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      return FailErrno(path, errno);
    }
    return {};
  }

 private:
  std::string path_;
  bool made_ = false;
};

std::string Trimmed(ByteView bytes) {
  std::string text(AsText(bytes));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

class ConfigfsAttester : public Attester {
 public:
  explicit ConfigfsAttester(std::string path) : path_(std::move(path)) {}

  Result<TsmEvidence> Attest(const ByteArray<64>& report_data) override {
    ReportFolder folder(path_ + "/report/cce4long-" + std::to_string(::getpid()) + "-" +
                        std::to_string(next_++));
    TRY(folder.Make());
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      TRY(folder.Write("inblob", report_data));
      ASSIGN_OR_RETURN(const Bytes before, folder.Read("generation"));
      TsmEvidence evidence;
      Result<Bytes> quote = folder.Read("outblob");
      if (!quote) return Fail("tsm.failed", "no report: " + quote.error().message);
      evidence.quote = std::move(*quote);
      ASSIGN_OR_RETURN(const Bytes provider, folder.Read("provider"));
      evidence.provider = Trimmed(provider);
      if (Result<Bytes> auxiliary = folder.Read("auxblob")) {
        evidence.auxiliary = std::move(*auxiliary);
      }
      ASSIGN_OR_RETURN(const Bytes after, folder.Read("generation"));
      if (Equal(before, after)) return evidence;
    }
    return Fail("tsm.failed", "another writer changed the report's input each time");
  }

 private:
  const std::string path_;
  std::atomic<uint64_t> next_{0};
};

}  // namespace

Bytes TsmEvidence::Whole() const {
  Bytes out = quote;
  Append(out, auxiliary);
  return out;
}

std::unique_ptr<Attester> NewConfigfsAttester(std::string path) {
  return std::make_unique<ConfigfsAttester>(std::move(path));
}

}  // namespace cce::tsm
