// A container image: pulled by digest from an OCI registry, verified, and unpacked to a root file
// system.
//
// Nothing is believed but the digest: the manifest's bytes must hash to it, every blob to the
// manifest's word. skopeo moves the bytes, umoci applies the layers; what both may write is bounded
// by a tmpfs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "executor/scratch.h"

namespace cce::executor {

// A range of user and group ids: `container` root is `first` of the caller's user namespace.
struct IdRange {
  uint32_t first = 65536;
  uint32_t count = 65536;
};

struct Tools {
  std::string runc = "/opt/cce/bin/runc";
  std::string skopeo = "/opt/cce/bin/skopeo";
  std::string umoci = "/opt/cce/bin/umoci";
};
// The tools where Debian's packages have them: for `cce job try` on a host.
Tools HostTools();

struct ImageLimits {
  uint64_t max_compressed = uint64_t{2} << 30;  // bytes, all blobs; held while unpacking only
  uint64_t max_unpacked = uint64_t{4} << 30;    // bytes that the root file system may fill
  size_t max_layers = 128;
};

struct ImageRequest {
  std::string registry;     // "127.0.0.1:5000": the only address that is spoken to, plain HTTP
  std::string repository;   // "demo/survival"
  std::string digest;       // "sha256:" and 64 hex digits, of one image manifest (not of an index)
  std::string work_folder;  // absolute; made where absent; every parent must be searchable (o+x)
  ImageLimits limits;
  IdRange ids;  // who owns the files
  Tools tools;
  std::chrono::milliseconds deadline{600'000};
};

// The part of an OCI image configuration that says how to run it.
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> environment;  // "NAME=value"
  std::string working_folder;            // absolute; "/" by default
  std::string user;                      // "", "name", "uid", either with ":group"
};

struct Image {
  std::string digest;
  std::string rootfs;  // lives while `scratch` does
  ImageConfig config;
  uint64_t compressed_bytes = 0;
  std::chrono::milliseconds pull_time{0};
  std::chrono::milliseconds unpack_time{0};
  ScratchFolder scratch;
};

// Errors: image.bad_reference, image.pull_failed, image.digest_mismatch, image.unsupported,
// image.too_large, image.unpack_failed, io.*.
Result<Image> PullImage(const ImageRequest& request);

// The bytes of a manifest or configuration, read strictly within limits (exposed for tests and
// fuzzing).
struct ManifestBlob {
  std::string digest;  // "sha256:..."
  uint64_t size = 0;
};
struct Manifest {
  ManifestBlob config;
  std::vector<ManifestBlob> layers;
};
Result<Manifest> ParseManifest(ByteView bytes, const ImageLimits& limits);
Result<ImageConfig> ParseImageConfig(ByteView bytes);

}  // namespace cce::executor
