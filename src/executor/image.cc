#include "executor/image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "crypto/hash.h"

namespace cce::executor {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kMaxManifest = 4 << 20;
constexpr size_t kMaxConfig = 8 << 20;
constexpr uint64_t kToolsOwn = 16 << 20;  // for manifests and the tools' own small files

// An image's layers may be anything; what a reference may be is narrow, since it becomes an
// argument.
bool IsRepository(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  bool at_start = true;  // of a segment
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (at_start && !letter) return false;
    at_start = c == '/';
    if (!letter && c != '/' && c != '.' && c != '_' && c != '-') return false;
  }
  return !at_start;
}

bool IsRegistry(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 128) return false;
  const auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  return std::all_of(host.begin(), host.end(),
                     [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                              c == '-';
                     }) &&
         host.front() != '-' && !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<> CheckReference(const ImageRequest& request) {
  if (!IsRegistry(request.registry) || !IsRepository(request.repository)) {
    return Fail(MakeError("image.bad_reference", "the image's registry or repository is malformed")
                    .Expected("host:port and lower-case path segments"));
  }
  const std::string_view digest = request.digest;
  if (!digest.starts_with("sha256:") || digest.size() != 71 ||
      !FromHex(digest.substr(7)).has_value() ||
      std::any_of(digest.begin(), digest.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return Fail(MakeError("image.bad_reference", "the image's digest is malformed")
                    .Expected("sha256: and 64 lower-case hex digits"));
  }
  if (request.work_folder.empty() || request.work_folder.front() != '/') {
    return Fail("internal.bug", "an image's work folder needs an absolute path");
  }
  return {};
}

std::string DigestText(const crypto::Sha256Digest& digest) { return "sha256:" + ToHex(digest); }

Unexpected Mismatch(std::string what, const std::string& expected, const std::string& found) {
  return Fail(MakeError("image.digest_mismatch", std::move(what)).Expected(expected).Found(found));
}

// What the tools are given: no home of anybody's, no proxy, nowhere to write but the scratch
// folder.
std::vector<std::string> ToolEnvironment(const std::string& scratch) {
  return {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + scratch, "TMPDIR=" + scratch + "/tmp",
          "XDG_RUNTIME_DIR=" + scratch,
          "CONTAINERS_REGISTRIES_CONF=" + scratch + "/registries.conf"};
}

class Puller {
 public:
  Puller(const ImageRequest& request, std::string scratch)
      : request_(request),
        scratch_(std::move(scratch)),
        deadline_(SteadyClock::now() + request.deadline) {}

  Result<> Prepare() const {
    TRY(MakeFolders(scratch_ + "/tmp", 0700));
    // The digest decides what is accepted, so no signature policy is needed on top.
    TRY(WriteFileAtomic(scratch_ + "/policy.json",
                        AsBytes(R"({"default":[{"type":"insecureAcceptAnything"}]})")));
    return WriteFileAtomic(scratch_ + "/registries.conf",
                           AsBytes("unqualified-search-registries = []\n"));
  }

  Result<Manifest> FetchManifest() const {
    auto run = RunProgramOk(Skopeo({"inspect", "--raw", "--tls-verify=false", Source()}),
                            Options(kMaxManifest));
    if (!run) return PullFailed(std::move(run).error());
    if (run->stdout_cut) return Fail("image.too_large", "the image's manifest exceeds 4 MiB");
    const std::string found = DigestText(crypto::Sha256(run->stdout_bytes));
    if (found != request_.digest) {
      return Mismatch("the image's manifest has another digest", request_.digest, found);
    }
    return ParseManifest(run->stdout_bytes, request_.limits);
  }

  // Copies the blobs into an OCI layout and hashes each one.
  Result<> FetchBlobs(const Manifest& manifest) const {
    auto run = RunProgramOk(Skopeo({"copy", "--quiet", "--src-tls-verify=false", Source(),
                                    "oci:" + Layout() + ":image"}),
                            Options(4096));
    if (!run) return PullFailed(std::move(run).error());
    TRY(CheckBlob(manifest.config));
    for (const ManifestBlob& layer : manifest.layers) TRY(CheckBlob(layer));
    return CheckLayout(manifest);
  }

  Result<ImageConfig> ReadConfig(const Manifest& manifest) const {
    ASSIGN_OR_RETURN(const Bytes bytes, ReadFile(BlobPath(manifest.config.digest), kMaxConfig));
    return ParseImageConfig(bytes);
  }

  Result<> Unpack(const std::string& rootfs) const {
    if (chmod(rootfs.c_str(), 0755) != 0 ||
        chown(rootfs.c_str(), request_.ids.first, request_.ids.first) != 0) {
      return FailErrno("giving the root file system to the container", errno);
    }
    const std::string map =
        "0:" + std::to_string(request_.ids.first) + ":" + std::to_string(request_.ids.count);
    auto run = RunProgramOk({request_.tools.umoci, "--log=error", "raw", "unpack", "--image",
                             Layout() + ":image", "--uid-map", map, "--gid-map", map, rootfs},
                            Options(4096));
    if (!run) {
      Error error = std::move(run).error();
      if (error.code == "io.not_found") return Fail(std::move(error));
      if (error.detail.find("no space left") != std::string::npos) {
        return Fail(
            MakeError("image.too_large", "the unpacked image exceeds the limit")
                .Expected("at most " + std::to_string(request_.limits.max_unpacked) + " bytes"));
      }
      return Fail(MakeError("image.unpack_failed", "the image's layers could not be unpacked")
                      .Detail(error.detail));
    }
    return {};
  }

 private:
  std::string Source() const {
    return "docker://" + request_.registry + "/" + request_.repository + "@" + request_.digest;
  }
  std::string Layout() const { return scratch_ + "/layout"; }
  std::string BlobPath(const std::string& digest) const {
    return Layout() + "/blobs/sha256/" + digest.substr(7);
  }
  std::vector<std::string> Skopeo(std::vector<std::string> arguments) const {
    std::vector<std::string> out = {request_.tools.skopeo, "--policy", scratch_ + "/policy.json",
                                    "--tmpdir", scratch_ + "/tmp"};
    out.insert(out.end(), arguments.begin(), arguments.end());
    return out;
  }
  RunOptions Options(size_t max_stdout) const {
    return {.environment = ToolEnvironment(scratch_),
            .working_folder = scratch_,
            .max_stdout = max_stdout,
            .max_stderr = 16 << 10,
            .deadline = std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(
                                                      deadline_ - SteadyClock::now()))};
  }
  static Unexpected PullFailed(Error error) {
    if (error.code == "io.not_found") return Fail(std::move(error));
    return Fail(MakeError("image.pull_failed", "the registry did not deliver the image")
                    .Found(error.code == "subprocess.timed_out" ? "no end in time" : error.found)
                    .Detail(error.detail));
  }

  Result<> CheckBlob(const ManifestBlob& blob) const {
    UniqueFd fd(open(BlobPath(blob.digest).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) {
      return Fail(
          MakeError("image.pull_failed", "a blob of the image is missing").Expected(blob.digest));
    }
    crypto::Sha256Stream hash;
    uint64_t size = 0;
    std::vector<uint8_t> buffer(size_t{1} << 20);
    while (true) {
      const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno("reading a blob of the image", errno);
      if (n == 0) break;
      hash.Update(ByteView(buffer).first(static_cast<size_t>(n)));
      size += static_cast<uint64_t>(n);
    }
    const std::string found = DigestText(hash.Finish());
    if (found != blob.digest || size != blob.size) {
      return Mismatch("a blob of the image has another digest or size", blob.digest, found);
    }
    return {};
  }

  // What umoci will unpack is what the verified manifest names: a Docker manifest was converted to
  // an OCI one on the way, but its configuration and layers stay the same blobs.
  Result<> CheckLayout(const Manifest& manifest) const {
    ASSIGN_OR_RETURN(const Bytes index, ReadFile(Layout() + "/index.json", 64 << 10));
    ASSIGN_OR_RETURN(const json::value value, ParseJson(AsText(index)));
    const json::value* digest = nullptr;
    if (value.is_object() && value.get_object().contains("manifests")) {
      const json::array* list = value.get_object().at("manifests").if_array();
      if (list != nullptr && list->size() == 1 && (*list)[0].is_object()) {
        digest = (*list)[0].get_object().if_contains("digest");
      }
    }
    const json::string* text = digest == nullptr ? nullptr : digest->if_string();
    if (text == nullptr || text->size() != 71 ||
        std::string_view(text->data(), text->size()).find('/') != std::string_view::npos) {
      return Fail("image.pull_failed", "the copied image has an index that is not understood");
    }
    const std::string name(text->data(), text->size());
    ASSIGN_OR_RETURN(const Bytes bytes, ReadFile(BlobPath(name), kMaxManifest));
    ASSIGN_OR_RETURN(const Manifest copied, ParseManifest(bytes, request_.limits));
    const auto same = [](const ManifestBlob& a, const ManifestBlob& b) {
      return a.digest == b.digest;
    };
    if (!same(copied.config, manifest.config) ||
        !std::equal(copied.layers.begin(), copied.layers.end(), manifest.layers.begin(),
                    manifest.layers.end(), same)) {
      return Mismatch("the copied image is not the one that was verified", request_.digest, name);
    }
    return {};
  }

  const ImageRequest& request_;
  std::string scratch_;
  SteadyClock::time_point deadline_;
};

milliseconds Since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - start);
}

}  // namespace

Tools HostTools() {
  return {.runc = "/usr/sbin/runc", .skopeo = "/usr/bin/skopeo", .umoci = "/usr/bin/umoci"};
}

Result<Image> PullImage(const ImageRequest& request) {
  TRY(CheckReference(request));
  Image image;
  image.digest = request.digest;
  image.rootfs = request.work_folder + "/rootfs";
  TRY(MakeFolders(request.work_folder, 0711));
  // Blobs end with this call, so that their memory is free again before the container starts.
  ASSIGN_OR_RETURN(const ScratchFolder download,
                   ScratchFolder::Mount(request.work_folder + "/download",
                                        request.limits.max_compressed + kToolsOwn));
  ASSIGN_OR_RETURN(image.scratch, ScratchFolder::Mount(image.rootfs, request.limits.max_unpacked));
  const Puller puller(request, download.path());
  TRY(puller.Prepare());
  const SteadyClock::time_point start = SteadyClock::now();
  ASSIGN_OR_RETURN(const Manifest manifest, puller.FetchManifest());
  TRY(puller.FetchBlobs(manifest));
  ASSIGN_OR_RETURN(image.config, puller.ReadConfig(manifest));
  image.pull_time = Since(start);
  image.compressed_bytes = manifest.config.size;
  for (const ManifestBlob& layer : manifest.layers) image.compressed_bytes += layer.size;
  const SteadyClock::time_point unpack_start = SteadyClock::now();
  TRY(puller.Unpack(image.rootfs));
  image.unpack_time = Since(unpack_start);
  return image;
}

}  // namespace cce::executor
