// Listing the packed output's own members, without looking into them.
#pragma once

#include <functional>

#include "base/bytes.h"
#include "base/result.h"
#include "gate/listing.h"

namespace cce::gate {

// Each regular file of `tar`, in its order. The tar must be complete and hold regular files and
// folders only, under good paths, each once; returns how many files there are.
// Errors: those of the sink, and gate.decoder_failed for anything irregular.
using FileSink = std::function<Result<>(const OutputFile& file)>;
Result<uint32_t> ListMembers(ByteView tar, uint32_t max_files, const FileSink& sink);

}  // namespace cce::gate
