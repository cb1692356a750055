#include "store/juicefs.h"

#include <initializer_list>

namespace cce::store {
namespace {

constexpr const char* kForever = "86400";  // seconds: longer than a job

bool Mentions(std::string_view log, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (log.find(word) != std::string_view::npos) return true;
  }
  return false;
}

// The last line with a level that ends the client, else the last line.
std::string LastWords(std::string_view log) {
  size_t at = log.rfind("<FATAL>");
  if (at == std::string_view::npos) at = log.rfind("<ERROR>");
  if (at == std::string_view::npos) at = log.find_last_not_of('\n');
  if (at == std::string_view::npos) return {};
  const size_t before = log.rfind('\n', at);
  const size_t begin = before == std::string_view::npos ? 0 : before + 1;
  return std::string(log.substr(begin, log.find('\n', at) - begin));
}

}  // namespace

std::vector<std::string> JuicefsMountCommand(const JuicefsMount& mount) {
  std::vector<std::string> command = {mount.program,
                                      "--no-agent",
                                      "mount",
                                      "--no-syslog",
                                      "--no-usage-report",
                                      "--backup-meta",
                                      "0",
                                      "--metrics",
                                      "127.0.0.1:0",
                                      "--cache-size",
                                      "0",
                                      "--buffer-size",
                                      std::to_string(kJuicefsBufferMib)};
  if (mount.read_only) {
    command.insert(command.end(), {"--read-only", "--no-bgjob"});
    for (const char* cache :
         {"--open-cache", "--attr-cache", "--entry-cache", "--dir-entry-cache"}) {
      command.insert(command.end(), {cache, kForever});
    }
  }
  if (!mount.bucket.empty()) command.insert(command.end(), {"--bucket", mount.bucket});
  command.insert(command.end(), {mount.metadata, mount.mountpoint});
  return command;
}

std::vector<std::string> JuicefsEnvironment(const JuicefsKeys& keys, const std::string& folder,
                                            bool alone) {
  std::vector<std::string> out = {"HOME=" + folder, "TMPDIR=" + folder, "PATH=/usr/bin:/bin",
                                  "AWS_EC2_METADATA_DISABLED=true"};
  if (!keys.access_key.empty()) out.push_back("AWS_ACCESS_KEY_ID=" + keys.access_key);
  const auto add = [&out](std::string_view name, const SecretBytes* secret) {
    if (secret == nullptr || secret->empty()) return;
    out.push_back(std::string(name) + "=" + std::string(AsText(secret->Expose())));
  };
  add("AWS_SECRET_ACCESS_KEY", keys.secret_key);
  add("META_PASSWORD", keys.metadata_password);
  if (alone) out.emplace_back("JFS_SUPERVISOR=1");
  return out;
}

Error JuicefsError(std::string_view code, std::string message, std::string_view log) {
  if (Mentions(log, {"NOAUTH", "WRONGPASS", "NOPERM", "InvalidAccessKeyId", "AccessDenied",
                     "SignatureDoesNotMatch", "password authentication failed"})) {
    code = "store.refused";
  } else if (Mentions(log, {"connection refused", "i/o timeout", "no such host",
                            "network is unreachable", "connection reset"})) {
    code = "store.unreachable";
  } else if (Mentions(log, {"cannot update volume name"})) {
    code = "store.foreign";
  }
  Error error = MakeError(code, std::move(message));
  error.detail = LastWords(log);
  return error;
}

}  // namespace cce::store
