#include "collateral/bundles.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file.h"

namespace cce::collateral {
namespace {

constexpr size_t kMaxBundle = size_t{8} << 20;
constexpr size_t kMaxFiles = 64;

Result<std::vector<std::string>> FilesOf(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return FailErrno(path, errno);
  if (!S_ISDIR(info.st_mode)) return std::vector<std::string>{path};
  std::vector<std::string> out;
  std::error_code error;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().extension() != ".json") continue;
    if (out.size() >= kMaxFiles) {
      return Fail("input.too_large", path + " holds more than 64 bundles");
    }
    out.push_back(it->path().string());
  }
  if (error) return Fail("io.failed", path + ": " + error.message());
  std::ranges::sort(out);
  return out;
}

}  // namespace

Result<std::vector<BundleFile>> ReadBundles(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path));
  std::vector<BundleFile> out;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string text, ReadTextFile(file, kMaxBundle));
    Result<attest::Collateral> collateral = attest::ParseBundle(text);
    if (!collateral) {
      collateral.error().message = file + ": " + collateral.error().message;
      return Unexpected(collateral.error());
    }
    out.push_back({file, std::move(*collateral)});
  }
  return out;
}

Result<std::string> StampOf(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path));
  std::string out;
  for (const std::string& file : files) {
    struct stat info{};
    if (::stat(file.c_str(), &info) != 0) return FailErrno(file, errno);
    out += file + " " + std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) +
           "." + std::to_string(info.st_mtim.tv_nsec) + " " + std::to_string(info.st_ino) + "\n";
  }
  return out;
}

}  // namespace cce::collateral
