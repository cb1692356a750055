// What comes from a stream is written to a nameless file first, since an upload reads content more
// than once, in path order and by several threads.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "cli/progress.h"
#include "dataset/upload_plan.h"

namespace cce::cli {

struct Spooled {
  UniqueFd file;
  std::vector<dataset::SpooledEntry> entries;
};

// One file named `name` of all that `in` gives, with mode 0644 and the time given. `folder` holds
// the spool (no name, mode 0600, gone with the process). Errors: io.*, dataset.bad_path.
Result<Spooled> SpoolFile(int in, const std::string& name, UnixSeconds mtime,
                          const std::string& folder, Progress& progress);

// The entries of a tar (ustar, GNU, pax; plain, gzip, bzip2, xz or zstd). Hard links become copies.
// Errors: upload.bad_archive, upload.refused_kind and dataset.bad_path (both name the entry), io.*.
Result<Spooled> SpoolTar(int in, const std::string& folder, Progress& progress);

}  // namespace cce::cli
