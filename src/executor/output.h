// Packs what a container left into one deterministic tar: the same files give the same bytes.
//
// Format (docs/formats/output.md): POSIX ustar, with pax headers where a name or size needs them;
// members sorted by path as bytes; uid, gid 0, no names, mtime 0; folders 0755, files 0644 or 0755
// (any x bit). Regular files and folders only. Links, devices, sockets and pipes are never opened
// nor followed: each is listed in `.cce/omitted.txt`. The folder `.cce` is ours: what the container
// put there is omitted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::executor {

struct OutputLimits {
  uint64_t max_bytes = uint64_t{512} << 20;  // of the tar; a file's holes count in full
  size_t max_entries = 100'000;
  size_t max_depth = 64;
  size_t max_path = 1024;  // bytes
};

struct OutputRequest {
  std::string folder;
  OutputLimits limits;
  // Added as `.cce/stdout.txt` and `.cce/stderr.txt`; where cut, the last line says so.
  ByteView stdout_bytes;
  ByteView stderr_bytes;
  bool stdout_cut = false;
  bool stderr_cut = false;
};

struct OutputSummary {
  uint64_t tar_bytes = 0;
  size_t files = 0;
  size_t folders = 0;
  struct Omitted {
    std::string path;    // as in omitted.txt: control characters and bytes outside UTF-8 as \xNN
    std::string reason;  // "symlink", "device", "socket", "pipe", "reserved", "name"
  };
  std::vector<Omitted> omitted;
};

// Streams the tar to `sink` in flat memory. An error of the sink ends the walk and is returned.
// Errors: output.too_large, output.too_many, output.bad_tree (depth, path length), io.*.
using TarSink = std::function<Result<>(ByteView)>;
Result<OutputSummary> CollectOutput(const OutputRequest& request, const TarSink& sink);

}  // namespace cce::executor
