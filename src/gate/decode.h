// The parent's side of decoding: starts `gate-decoder` with pipes and nothing else, hands it the
// packed output, takes the views. The decoder parses hostile bytes; it has no key, no environment,
// no file, and dies at its limits.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "gate/listing.h"
#include "gate/view.h"

namespace cce::gate {

struct DecodeLimits {
  uint32_t max_depth = 8;    // layers of packing
  uint32_t max_ratio = 200;  // bytes out per byte in, of one layer (1 MiB is always allowed)
  uint64_t max_total = uint64_t{1} << 30;  // bytes of all views together, and of all layers decoded
  uint32_t max_views = 20000;              // or files listed
  uint64_t max_memory = uint64_t{3} << 30;  // the decoder's address space
  uint32_t max_cpu_seconds = 120;
  uint32_t deadline_ms = 180'000;  // wall clock; then it is killed
};

// `decoder_path`: the gate-decoder executable. `tar`: the packed output, as the agent sealed it.
// Blocks up to the deadline; safe to call from many threads at once. What one file hides behind a
// limit comes back as a view of kind kUnreadable. Errors: gate.decoder_failed when the decoder
// crashed, was killed, or did not speak the format: an output that meets it is never approved
// without a person (Review takes this Result as it is).
Result<std::vector<View>> DecodeOutput(const std::string& decoder_path, ByteView tar,
                                       const DecodeLimits& limits = {});

// The regular files of the packed output itself, in the tar's order, not looked into. Same process,
// limits and thread safety. Errors: gate.decoder_failed, also for a tar that is cut short, has a
// member that is neither file nor folder, a hostile path, or a path twice.
Result<std::vector<OutputFile>> ListOutput(const std::string& decoder_path, ByteView tar,
                                           const DecodeLimits& limits = {.max_views = 100'000});

}  // namespace cce::gate
