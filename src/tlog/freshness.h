// Where a newer state of the log is remembered outside the host's reach (a chain, a TPM's counter):
// without it nobody can tell an old copy of the journal from the newest.
#pragma once

#include <optional>

#include "base/result.h"
#include "crypto/hash.h"

namespace cce::tlog {

struct Anchor {
  uint64_t size = 0;            // entries
  crypto::Sha256Digest root{};  // Merkle root over as many
  bool operator==(const Anchor&) const = default;
};

// Thread-safe. Errors are those of the source: none of them may be read as "never anchored".
class FreshnessSource {
 public:
  virtual ~FreshnessSource() = default;
  // The newest anchor, or nothing where this log was never anchored.
  virtual Result<std::optional<Anchor>> Latest() = 0;
  // Returns once it cannot be undone (on a chain: final).
  virtual Result<> Publish(const Anchor& anchor) = 0;
};

}  // namespace cce::tlog
