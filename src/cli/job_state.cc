#include "cli/job_state.h"

#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/toml.h"

namespace cce::cli {
namespace {

Result<std::string> KeyPath(const Settings& settings, const protocol::Digest32& job_spec) {
  ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings, "keys"));
  return folder + "/" + ToHex(job_spec) + ".key";
}

// Hex digits of a secret, without a std::string in between.
SecretBytes SecretHex(const SecretBytes& secret) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  SecretBytes out(secret.size() * 2);
  for (size_t i = 0; i < secret.size(); ++i) {
    out.ExposeMutable()[2 * i] = static_cast<uint8_t>(kDigits[secret.Expose()[i] >> 4]);
    out.ExposeMutable()[2 * i + 1] = static_cast<uint8_t>(kDigits[secret.Expose()[i] & 15]);
  }
  return out;
}

}  // namespace

std::string EncodeJobState(const JobState& s) {
  return ToToml({{"job", ToHex(s.job)},
                 {"server", s.server},
                 {"token", s.token},
                 {"submitted_at", s.submitted_at},
                 {"job_spec", ToBase64(s.job_spec)}});
}

Result<JobState> ReadJobState(const Document& document) {
  Fields f(document);
  JobState s;
  s.job = protocol::HexField<16>(f, "job");
  s.server = f.String("server", {.min = 1, .max = 1024});
  s.token = f.String("token", {.min = 16, .max = 256});
  s.submitted_at = static_cast<UnixSeconds>(f.Uint("submitted_at", {.max = INT64_MAX}));
  s.job_spec = f.Base64("job_spec", size_t{1} << 20);
  TRY(f.Finish());
  return s;
}

Result<> SaveJob(const Settings& settings, const JobState& state) {
  ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings, "jobs"));
  return WriteFileAtomic(folder + "/" + ToHex(state.job) + ".toml", AsBytes(EncodeJobState(state)),
                         0600);
}

Result<JobState> FindJob(const Settings& settings, const std::string& id) {
  ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings, "jobs"));
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) return FailErrno(folder, error.value());
  std::optional<JobState> found;
  bool several = false;
  for (const auto& entry : entries) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".toml" || !name.starts_with(id)) continue;
    ASSIGN_OR_RETURN(const Document document, LoadToml(entry.path().string()));
    ASSIGN_OR_RETURN(JobState state, ReadJobState(document));
    several = several || (found && !id.empty());
    if (!found || state.submitted_at > found->submitted_at) found = std::move(state);
  }
  if (found && !several) return std::move(*found);
  return Fail(MakeError("cli.unknown_job", several ? "several jobs here begin so"
                                                   : "no such job was submitted from here")
                  .Expected("the id that cce job submit printed")
                  .Found(id));
}

Result<> SaveConsumerKey(const Settings& settings, const protocol::Digest32& job_spec,
                         const crypto::P256PrivateKey& key) {
  ASSIGN_OR_RETURN(const std::string path, KeyPath(settings, job_spec));
  return WriteFileAtomic(path, SecretHex(key.ExposeScalar()).Expose(), 0600);
}

Result<crypto::P256PrivateKey> LoadConsumerKey(const Settings& settings,
                                               const protocol::Digest32& job_spec) {
  ASSIGN_OR_RETURN(const std::string path, KeyPath(settings, job_spec));
  ASSIGN_OR_RETURN(const SecretBytes text, ReadSecretFile(path, 64));
  ASSIGN_OR_RETURN(Bytes scalar, FromHex(AsText(text.Expose())));
  const SecretBytes secret = SecretBytes::Adopt(std::move(scalar));
  return crypto::P256PrivateKey::FromScalar(secret.Expose());
}

}  // namespace cce::cli
